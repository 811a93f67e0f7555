import type { Rng } from "../../random/rng.ts";
import { lgamma, logNormalCdf } from "../../stats/index.ts";

/** Rows with some property; it must not depend on which rows are suspects and which reference. */
export interface Property {
  /** The class whose rows it selects from, or null for all classes. */
  readonly label: number | null;
  readonly rows: ArrayLike<number>;
  /** Only the first so many of `rows` have it; all when absent. Properties that share one list are counted in one pass. */
  readonly length?: number;
}

const lengthOf = (p: Property): number => p.length ?? p.rows.length;

export interface Excess {
  /** For each property the p-value adjusted for all of them. */
  readonly adjusted: Float64Array;
  /** -ln of the p-value of each by itself. */
  readonly surprise: Float64Array;
  /** Suspects among the rows with the property. */
  readonly counts: Float64Array;
}

/**
 * Do more suspects than reference rows have some property? Membership is shuffled within each class; the smallest of all
 * p-values is compared with the smallest of every shuffle (Westfall and Young 1993, single-step min-P). The probability that
 * any adjusted p-value is at or below alpha is at most alpha when suspects and reference have, class by class, one
 * distribution, whatever it is. Within one class the count is hypergeometric; for all classes its normal approximation ranks.
 */
export function excessTest(
  properties: readonly Property[],
  classes: readonly (readonly number[])[],
  member: Uint8Array,
  rng: Rng,
  shuffles: number,
): Excess {
  const surpriseOf = properties.map((p) => surprises(p, classes, member));
  const countIn = counter(properties);
  const counts = countIn(member).slice();
  const surprise = counts.map((k, h) => surpriseOf[h]!(k));
  const shuffled = member.slice();
  const above = new Float64Array(properties.length).fill(1);
  for (let run = 0; run < shuffles; run++) {
    for (const rows of classes) shuffleWithin(shuffled, rows, rng);
    let top = 0;
    countIn(shuffled).forEach((k, h) => (top = Math.max(top, surpriseOf[h]!(k))));
    for (let h = 0; h < above.length; h++) if (top >= surprise[h]! - 1e-9) above[h]!++;
  }
  return { adjusted: above.map((k) => k / (shuffles + 1)), surprise, counts };
}

/** Counts the suspects with each property; the answer is written over by the next call. */
function counter(properties: readonly Property[]): (member: Uint8Array) => Float64Array {
  const lists = new Map<ArrayLike<number>, { readonly h: number; readonly length: number }[]>();
  properties.forEach((p, h) => {
    const own = lists.get(p.rows) ?? [];
    lists.set(p.rows, [...own, { h, length: lengthOf(p) }]);
  });
  for (const own of lists.values()) own.sort((a, b) => a.length - b.length);
  const counts = new Float64Array(properties.length);
  return (member) => {
    for (const [rows, own] of lists) {
      let hits = 0;
      let at = 0;
      for (const { h, length } of own) {
        for (; at < length; at++) hits += member[rows[at]!]!;
        counts[h] = hits;
      }
    }
    return counts;
  };
}

function shuffleWithin(member: Uint8Array, rows: readonly number[], rng: Rng): void {
  for (let i = rows.length - 1; i > 0; i--) {
    const a = rows[i]!;
    const b = rows[rng.int(i + 1)]!;
    const keep = member[a]!;
    member[a] = member[b]!;
    member[b] = keep;
  }
}

/** -ln P(count or more) for every possible count of suspects among the rows with the property. */
function surprises(
  p: Property,
  classes: readonly (readonly number[])[],
  member: Uint8Array,
): (count: number) => number {
  const suspectsIn = (rows: readonly number[]): number => rows.reduce((sum, row) => sum + member[row]!, 0);
  if (p.label !== null) {
    const rows = classes[p.label]!;
    const table = hypergeometricTail(rows.length, suspectsIn(rows), lengthOf(p));
    return (count) => table[count]!;
  }
  let mean = 0;
  let variance = 0;
  const own = new Set(Array.from(p.rows).slice(0, lengthOf(p)));
  for (const rows of classes) {
    const drawn = rows.reduce((sum, row) => sum + (own.has(row) ? 1 : 0), 0);
    const share = rows.length === 0 ? 0 : suspectsIn(rows) / rows.length;
    mean += drawn * share;
    if (rows.length > 1) variance += (drawn * share * (1 - share) * (rows.length - drawn)) / (rows.length - 1);
  }
  return variance === 0 ? () => 0 : (count) => -logNormalCdf(-(count - 0.5 - mean) / Math.sqrt(variance));
}

/** -ln P(X >= k), k = 0 .. drawn, for X of `marked` in `drawn` draws without replacement from `all`. */
function hypergeometricTail(all: number, marked: number, drawn: number): Float64Array {
  const logChoose = (n: number, k: number): number => lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1);
  const out = new Float64Array(drawn + 1);
  let tail = 0;
  for (let k = drawn; k >= 0; k--) {
    const possible = k <= marked && drawn - k <= all - marked;
    if (possible) tail += Math.exp(logChoose(marked, k) + logChoose(all - marked, drawn - k) - logChoose(all, drawn));
    out[k] = tail > 0 ? Math.max(0, -Math.log(Math.min(1, tail))) : Infinity;
  }
  return out;
}
