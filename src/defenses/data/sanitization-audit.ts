import type { AuditVerdict, SanitizationAudit, SanitizationGroup } from "../../contract/evidence/poisoning.ts";
import type { Interval } from "../../contract/index.ts";
import { MarauderError } from "../../errors.ts";
import type { Rng } from "../../random/rng.ts";
import {
  benjaminiHochberg,
  bootstrap,
  chiSquare,
  fisherExact,
  ksStatistic,
  mantelHaenszel,
  populationStability,
  riskRatio,
  standardizedMeanDifference,
  totalVariation,
  wilson,
  type TwoByTwo,
} from "../../stats/index.ts";

/** Ratios of removal rates within these limits count as even (the four-fifths rule). */
export const EVEN: readonly [number, number] = [0.8, 1.25];
/** An interval that reaches beyond these says too little to call a removal even. */
export const TOO_WIDE: readonly [number, number] = [0.5, 2];
/** A class or group whose accuracy falls by clearly more than this is hurt, however evenly rows were removed. */
export const ACCURACY_LOSS = 0.02;
/**
 * A class or group that surely loses more than this share of its rows is lost, whatever the reason: planted rows are a
 * minority of any class, and nothing that comes after (weights, retraining) brings rows back.
 */
export const MOST_LOST = 0.2;

/** Which test rows models get right (share of seeds, 0 to 1): trained on the original, the sanitized and the randomly thinned data. */
export interface Retrained {
  readonly labels: Int32Array;
  readonly groups: Readonly<Record<string, readonly string[]>>;
  readonly original: ArrayLike<number>;
  readonly sanitized: ArrayLike<number>;
  readonly placebo: ArrayLike<number>;
}

export interface Removal {
  /** 1 for each row that was removed. */
  readonly removed: Uint8Array;
  readonly labels: Int32Array;
  readonly classNames: readonly string[];
  readonly groups: Readonly<Record<string, readonly string[]>>;
  /** Numbers whose shift is measured, shape [n, columns.length]. */
  readonly features: Float32Array;
  readonly columns: readonly string[];
  readonly retrained: Retrained | null;
}

interface Part {
  readonly column: string;
  readonly value: string;
  readonly has: (row: number) => boolean;
  readonly hasTest: ((row: number) => boolean) | null;
}

/**
 * Whom a removal of rows hit, and what it did to the data and to the model: see the fields of `SanitizationAudit`. Pure.
 * The verdict is uneven only where the interval of a declared group's ratio lies outside [0.8, 1.25] and Fisher's test holds
 * after correction, or where a class's or group's accuracy clearly falls; a class's own ratio alone does not decide, since
 * planted rows may rightly sit in one class. Throws SHAPE_MISMATCH and NOT_ENOUGH_DATA.
 */
export function auditSanitization(removal: Removal, rng: Rng): SanitizationAudit {
  const { removed, labels, classNames, columns, retrained } = removal;
  const n = removed.length;
  check(removal);
  const gone = removed.reduce((sum, r) => sum + r, 0);
  const parts = partsOf(removal);
  const tables = parts.map((part) => tableOf(removed, part.has, () => true));
  const p = tables.map(fisherExact);
  const adjusted = benjaminiHochberg(p);
  const groups = parts.map((part, i): SanitizationGroup => {
    const { column, value } = part;
    const t = tables[i]!;
    const within =
      column === "class"
        ? null
        : mantelHaenszel(classNames.map((_, y) => tableOf(removed, part.has, (row) => labels[row] === y)));
    const ratio = gone === 0 ? null : riskRatio(t);
    const change = changeOf(retrained, part, "sanitized", rng.child(`${column}=${value}`));
    return {
      column,
      value,
      rows: t.rows,
      removed: t.events,
      rate: wilson(t.events, t.rows),
      ratio,
      ratioWithinClass: within,
      p: p[i]!,
      adjusted: adjusted[i]!,
      accuracyChange: change,
      placeboChange: changeOf(retrained, part, "placebo", rng.child(`${column}=${value}`)),
      verdict: verdictOf(within ?? ratio, adjusted[i]!, change, gone, column === "class"),
    };
  });
  const kept = counts(labels, classNames.length, (row) => removed[row] === 0);
  const all = counts(labels, classNames.length, () => true);
  const smallest = groups
    .map((g) => ({ name: `${g.column} ${g.value}`, left: g.rows - g.removed, of: g.rows }))
    .toSorted((a, b) => a.left - b.left)[0]!;
  return {
    rows: n,
    removed: gone,
    groups,
    association: ["class", ...Object.keys(removal.groups)].map((column) => ({
      column,
      ...chiSquare(groups.filter((g) => g.column === column).map((g) => [g.removed, g.rows - g.removed])),
    })),
    shift: shiftOf(removed, removal.features, columns, gone),
    classPrior: { totalVariation: gone === n ? 1 : totalVariation(kept, all), expMinusKl: expMinusKl(kept, all) },
    smallestSupport: smallest,
    accuracy: retrained === null ? null : accuracyOf(retrained, rng.child("all")),
    ...overall(groups, gone),
  };
}

function check({ removed, labels, groups, features, columns, retrained }: Removal): void {
  const n = removed.length;
  if (n === 0) throw new MarauderError("NOT_ENOUGH_DATA", "a sanitization audit needs rows, got none");
  const bad = Object.entries(groups).find(([, values]) => values.length !== n);
  if (labels.length !== n || features.length !== n * columns.length || bad !== undefined) {
    throw new MarauderError(
      "SHAPE_MISMATCH",
      `sanitization audit of ${n} rows got ${labels.length} labels, ${features.length} numbers for ${columns.length} columns${bad === undefined ? "" : `, and ${bad[1].length} values of group ${bad[0]}`}`,
    );
  }
  if (
    retrained !== null &&
    [retrained.original, retrained.sanitized, retrained.placebo].some((a) => a.length !== retrained.labels.length)
  ) {
    throw new MarauderError(
      "SHAPE_MISMATCH",
      "sanitization audit: accuracies before and after retraining must be of the same test rows",
    );
  }
}

/** Every class, and of every group column the 50 values with most rows. */
function partsOf({ labels, classNames, groups, retrained }: Removal): Part[] {
  const classes = classNames.flatMap((value, y): Part[] =>
    labels.includes(y)
      ? [
          {
            column: "class",
            value,
            has: (row) => labels[row] === y,
            hasTest: retrained && ((row) => retrained.labels[row] === y),
          },
        ]
      : [],
  );
  const declared = Object.entries(groups).flatMap(([column, values]) => {
    const size = new Map<string, number>();
    for (const v of values) size.set(v, (size.get(v) ?? 0) + 1);
    const test = retrained !== null && Object.hasOwn(retrained.groups, column) ? retrained.groups[column]! : null;
    return [...size.keys()]
      .toSorted((a, b) => size.get(b)! - size.get(a)! || (a < b ? -1 : 1))
      .slice(0, 50)
      .map((value): Part => ({
        column,
        value,
        has: (row) => values[row] === value,
        hasTest: test && ((row) => test[row] === value),
      }));
  });
  return [...classes, ...declared];
}

function tableOf(removed: Uint8Array, has: (row: number) => boolean, stratum: (row: number) => boolean): TwoByTwo {
  let [events, rows, otherEvents, otherRows] = [0, 0, 0, 0];
  removed.forEach((r, row) => {
    if (!stratum(row)) return;
    if (has(row)) {
      rows++;
      events += r;
    } else {
      otherRows++;
      otherEvents += r;
    }
  });
  return { events, rows, otherEvents, otherRows };
}

/** A class that is spared because planted rows sit in another one is not treated unevenly: of classes only the upper side counts. */
function verdictOf(
  ratio: Interval | null,
  adjusted: number,
  change: Interval | null,
  gone: number,
  isClass: boolean,
): AuditVerdict {
  if (change !== null && change.high < -ACCURACY_LOSS) return "uneven";
  if (gone === 0) return "even";
  if (ratio === null) return "not enough data";
  if (isClass && ratio.high < EVEN[0]) return "even";
  if (ratio.low > EVEN[1] || ratio.high < EVEN[0]) return adjusted <= 0.05 ? "uneven" : "not enough data";
  return ratio.low < TOO_WIDE[0] || ratio.high > TOO_WIDE[1] ? "not enough data" : "even";
}

function overall(groups: readonly SanitizationGroup[], gone: number): { verdict: AuditVerdict; why: string } {
  if (gone === 0) return { verdict: "even", why: "no row was removed" };
  const name = (g: SanitizationGroup): string => `${g.column} ${g.value}`;
  const hurt = groups.filter((g) => g.accuracyChange !== null && g.accuracyChange.high < -ACCURACY_LOSS);
  if (hurt.length > 0)
    return { verdict: "uneven", why: `after retraining, accuracy clearly falls for ${hurt.map(name).join(", ")}` };
  const gutted = groups.filter((g) => g.rate.low > MOST_LOST);
  if (gutted.length > 0) {
    const each = gutted.map((g) => `${name(g)} loses ${Math.round(100 * g.rate.value)} % of its ${g.rows} rows`);
    return {
      verdict: "uneven",
      why: `${each.join(", ")}: too many to be planted, so look at them before they are removed`,
    };
  }
  const declared = groups.filter((g) => g.column !== "class");
  const uneven = declared.filter((g) => g.verdict === "uneven");
  if (uneven.length > 0)
    return {
      verdict: "uneven",
      why: `rows are removed at another rate, within classes, for ${uneven.map(name).join(", ")}`,
    };
  if (declared.length === 0) {
    return groups.some((g) => g.accuracyChange !== null)
      ? { verdict: "even", why: "no class's accuracy clearly falls after retraining; no group column was declared" }
      : { verdict: "not enough data", why: "no group column was declared and no model was retrained" };
  }
  const unknown = declared.filter((g) => g.verdict === "not enough data");
  if (unknown.length > 0)
    return { verdict: "not enough data", why: `too few rows to tell for ${unknown.map(name).join(", ")}` };
  return { verdict: "even", why: "no declared group is removed at a clearly other rate" };
}

function changeOf(retrained: Retrained | null, part: Part, after: "sanitized" | "placebo", rng: Rng): Interval | null {
  if (retrained === null || part.hasTest === null) return null;
  const rows: number[] = [];
  for (let i = 0; i < retrained.labels.length; i++) if (part.hasTest(i)) rows.push(i);
  return rows.length < 10
    ? null
    : paired(
        rows.map((i) => retrained[after][i]! - retrained.original[i]!),
        rng,
      );
}

function paired(differences: readonly number[], rng: Rng): Interval {
  const statistic = (rows: Uint32Array): number => {
    let sum = 0;
    for (const row of rows) sum += differences[row]!;
    return sum / rows.length;
  };
  return bootstrap(differences.length, statistic, rng, { method: "percentile", resamples: 1000 });
}

function accuracyOf(r: Retrained, rng: Rng): SanitizationAudit["accuracy"] {
  const n = r.labels.length;
  const mean = (values: ArrayLike<number>): number => Array.from(values).reduce((a, b) => a + b, 0) / n;
  const change = (after: ArrayLike<number>): Interval =>
    paired(
      Array.from(after, (v, i) => v - r.original[i]!),
      rng,
    );
  return {
    original: mean(r.original),
    sanitized: mean(r.sanitized),
    placebo: mean(r.placebo),
    change: change(r.sanitized),
    placeboChange: change(r.placebo),
    testRows: n,
  };
}

function shiftOf(
  removed: Uint8Array,
  features: Float32Array,
  columns: readonly string[],
  gone: number,
): SanitizationAudit["shift"] {
  const n = removed.length;
  if (gone === 0 || gone === n) return [];
  const width = columns.length;
  return columns
    .map((column, j) => {
      const all = Float64Array.from({ length: n }, (_, i) => features[i * width + j]!);
      const kept = all.filter((_, i) => removed[i] === 0);
      const smd = kept.length < 2 ? 0 : standardizedMeanDifference(kept, all);
      return {
        column,
        smd: Number.isFinite(smd) ? smd : 0,
        ks: ksStatistic(kept, all),
        psi: populationStability(all, kept),
      };
    })
    .toSorted((a, b) => Math.abs(b.smd) - Math.abs(a.smd))
    .slice(0, 20);
}

function counts(labels: Int32Array, classes: number, which: (row: number) => boolean): number[] {
  const out = Array.from({ length: classes }, () => 0);
  labels.forEach((y, row) => {
    if (which(row)) out[y]!++;
  });
  return out;
}

/** e^-KL(kept classes || all classes): 1 where the mix of classes is the same, 0 where nothing is kept. */
function expMinusKl(kept: readonly number[], all: readonly number[]): number {
  const [k, n] = [kept, all].map((c) => c.reduce((a, b) => a + b, 0)) as [number, number];
  if (k === 0) return 0;
  return Math.exp(-kept.reduce((sum, v, i) => sum + (v === 0 ? 0 : (v / k) * Math.log(v / k / (all[i]! / n))), 0));
}
