import { throwIfCancelled } from "../../errors.ts";
import {
  clopperPearson,
  fitSkewNormal,
  kolmogorovSmirnov,
  skewNormalCdfSorted,
  skewNormalLogCdf,
  type SkewNormal,
} from "../../stats/index.ts";
import type { Beginning, CandidateTree } from "./candidate-tree.ts";

/** Costs closer than this, in bits, count as equal: a float32 model gives them in no order. */
export const TIE_BITS = 2 ** -13;

/** Beginnings that are expanded in one run of the model. */
export const EXPANDED_TOGETHER = 128;

export interface CheaperLeaves {
  /** Costs of the whole candidates that cost no more than the cap, ascending; null where the budget was spent before. */
  readonly costs: Float64Array | null;
  readonly expanded: number;
}

/**
 * Every candidate that costs no more than `cap` bits, by a depth-first search that cuts off what is dearer already: costs
 * only grow along a text. So the rank of a secret that the model likes is exact however large the space is. Gives up after
 * `budget` questions to the model.
 */
export async function leavesUpTo(
  tree: CandidateTree,
  cap: number,
  budget: number,
  signal: AbortSignal,
): Promise<CheaperLeaves> {
  const stack: Beginning[] = [tree.root];
  const costs: number[] = [];
  let expanded = 0;
  while (stack.length > 0) {
    throwIfCancelled(signal);
    const group = stack.splice(-EXPANDED_TOGETHER);
    if (expanded + group.length > budget) return { costs: null, expanded };
    expanded += group.length;
    for (const children of await tree.expand(group)) {
      for (const child of children) {
        if (child.bits > cap + TIE_BITS) continue;
        if (tree.isWhole(child)) costs.push(child.bits);
        else stack.push(child);
      }
    }
  }
  return { costs: Float64Array.from(costs).sort(), expanded };
}

/**
 * Place of a cost among sorted ones, from 1: those that are cheaper come before it, and of those that are equal the share
 * `u`. With u uniform on [0, 1) the place in a sample of equals is uniform, as it should be for a model that knows nothing;
 * with u = 1 all equals come first, as in TensorFlow Privacy.
 */
export function placeAmong(sorted: Float64Array, bits: number, u: number): number {
  const less = countBelow(sorted, bits - TIE_BITS);
  const ties = countBelow(sorted, bits + TIE_BITS) - less;
  return less + 1 + Math.min(ties, Math.floor(u * (ties + 1)));
}

/** How many of the sorted numbers are at most x. */
function countBelow(sorted: Float64Array, x: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! <= x) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The skew-normal law of reference costs, and whether the sample bears it out. */
export interface ReferenceLaw {
  readonly law: SkewNormal;
  /** Of the test on one half of the sample, of the law that was fitted to the other half. */
  readonly distance: number;
  readonly p: number;
}

/** Below this p-value the law is not believed. */
export const FIT_LEVEL = 0.05;

/**
 * Fits the law to all costs. It is tested apart: fitted to every other cost and compared with the rest, since a test on
 * the numbers that a law was fitted to believes too much. `costs` in the order in which they were drawn.
 */
export function fitLaw(costs: Float64Array): ReferenceLaw | null {
  const half = (odd: number): Float64Array => costs.filter((_, i) => i % 2 === odd);
  try {
    const test = half(1).sort();
    const { distance, p } = kolmogorovSmirnov(skewNormalCdfSorted(fitSkewNormal(half(0)), test));
    return { law: fitSkewNormal(costs), distance, p };
  } catch {
    return null; // all costs are equal, or too few: there is no law to fit
  }
}

/** An estimate of exposure in bits, with what is certain about it. */
export interface ExposureEstimate {
  readonly bits: number;
  readonly low: number;
  readonly high: number;
  /**
   * rank: exact, by search. sampled: by the place among references. guided: by importance sampling. extrapolated: by the skew-normal law. bound: dearer
   * than none or few of the references, and no law: the true value lies between low and high.
   */
  readonly method: "rank" | "sampled" | "guided" | "extrapolated" | "bound";
}

/** With fewer cheaper references than this the place says little, and the law is asked. */
const ENOUGH_CHEAPER = 10;

export const enoughCheaper = (sorted: Float64Array, bits: number): boolean =>
  placeAmong(sorted, bits, 0) - 1 >= ENOUGH_CHEAPER;

/** Exposure from references: by place where enough are cheaper, by the law where it holds, else a bound. */
export function exposureFrom(
  sorted: Float64Array,
  law: ReferenceLaw | null,
  bits: number,
  spaceBits: number,
  u: number,
): ExposureEstimate {
  const n = sorted.length;
  const place = placeAmong(sorted, bits, u);
  const cap = (e: number): number => Math.min(spaceBits, Math.max(0, e));
  const share = clopperPearson(place - 1, n);
  const low = cap(-Math.log2(share.high));
  const byPlace = cap(Math.log2((n + 1) / place));
  if (place - 1 >= ENOUGH_CHEAPER) {
    return { bits: byPlace, low: Math.min(low, byPlace), high: cap(-Math.log2(share.low)), method: "sampled" };
  }
  if (law === null || law.p < FIT_LEVEL)
    return { bits: byPlace, low: Math.min(low, byPlace), high: spaceBits, method: "bound" };
  const extrapolated = cap(-skewNormalLogCdf(law.law, bits) / Math.LN2);
  return { bits: extrapolated, low: Math.min(low, extrapolated), high: spaceBits, method: "extrapolated" };
}
