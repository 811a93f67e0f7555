import { MarauderError } from "../errors.ts";
import { binomialLower, binomialUpper, clopperPearson, type Interval } from "./intervals.ts";
import { differenceInterval } from "./difference.ts";
import { normalQuantile } from "./special.ts";

/** A receiver operating characteristic: counts of positives and negatives whose score is at least each threshold. */
export interface Roc {
  readonly positives: number;
  readonly negatives: number;
  /** One point for each distinct score, from the highest; the first is (0, 0), the last (all, all). */
  readonly points: readonly {
    readonly threshold: number;
    readonly truePositives: number;
    readonly falsePositives: number;
  }[];
}

/** Higher scores mean "positive". Equal scores are one point. Throws NOT_ENOUGH_DATA without rows, DATA_INVALID for NaN. */
export function roc(positive: ArrayLike<number>, negative: ArrayLike<number>): Roc {
  if (positive.length === 0 || negative.length === 0) {
    throw new MarauderError(
      "NOT_ENOUGH_DATA",
      `a ROC curve needs rows on both sides, got ${positive.length} and ${negative.length}`,
    );
  }
  const p = descending(positive);
  const n = descending(negative);
  const points = [{ threshold: Infinity, truePositives: 0, falsePositives: 0 }];
  let i = 0;
  let j = 0;
  while (i < p.length || j < n.length) {
    const threshold = Math.max(i < p.length ? p[i]! : -Infinity, j < n.length ? n[j]! : -Infinity);
    while (i < p.length && p[i]! >= threshold) i++;
    while (j < n.length && n[j]! >= threshold) j++;
    points.push({ threshold, truePositives: i, falsePositives: j });
  }
  return { positives: p.length, negatives: n.length, points };
}

function descending(scores: ArrayLike<number>): Float64Array {
  const sorted = Float64Array.from(scores);
  if (sorted.some(Number.isNaN))
    throw new MarauderError("DATA_INVALID", "a score is not a number; expected finite scores or infinities");
  return sorted.sort().reverse();
}

/** Places of `scores` among `others`: for each, the number of others below it, ties counting half, over their number. */
function placements(scores: ArrayLike<number>, others: ArrayLike<number>): Float64Array {
  const sorted = Float64Array.from(others).sort();
  const below = (v: number, equal: boolean): number => {
    let low = 0;
    let high = sorted.length;
    while (low < high) {
      const mid = (low + high) >> 1;
      if (sorted[mid]! < v || (equal && v === sorted[mid])) low = mid + 1;
      else high = mid;
    }
    return low;
  };
  return Float64Array.from(scores, (v) => (below(v, false) + below(v, true)) / (2 * sorted.length));
}

function variance(values: Float64Array, mean: number): number {
  return values.length < 2 ? 0 : values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (values.length - 1);
}

/**
 * Area under the curve: the chance that a positive scores above a negative, ties half. Interval: DeLong, DeLong and
 * Clarke-Pearson 1988, on the logit scale, so that it stays within 0 and 1; at 0 and 1, where that variance vanishes,
 * the exact bound of as many agreeing trials as there are rows on the smaller side.
 */
export function auc(positive: ArrayLike<number>, negative: ArrayLike<number>, level = 0.95): Interval {
  roc(positive, negative); // the checks
  const ofPositive = placements(positive, negative);
  const value = ofPositive.reduce((a, b) => a + b, 0) / ofPositive.length;
  const ofNegative = placements(negative, positive).map((v) => 1 - v);
  const tail = (1 - level) / 2;
  const fewest = Math.min(positive.length, negative.length);
  if (value === 1) return { value, low: binomialLower(fewest, fewest, tail), high: 1, level };
  if (value === 0) return { value, low: 0, high: binomialUpper(0, fewest, tail), level };
  const se = Math.sqrt(variance(ofPositive, value) / positive.length + variance(ofNegative, value) / negative.length);
  const half = (-normalQuantile(tail) * se) / (value * (1 - value));
  const logit = Math.log(value / (1 - value));
  const back = (t: number): number => 1 / (1 + Math.exp(-t));
  return { value, low: back(logit - half), high: back(logit + half), level };
}

/** A rate, or the reason why the sample cannot tell it. */
export type Resolved =
  | { readonly rate: Interval; readonly threshold: number }
  | { readonly rate: null; readonly why: string };

/**
 * True-positive rate at the last threshold whose false-positive rate does not exceed `fpr`, with a Clopper-Pearson
 * interval. Refused where not even one false positive is allowed: a rate of `fpr` cannot be seen in so few negatives.
 */
export function tprAtFpr(curve: Roc, fpr: number, level = 0.95): Resolved {
  const allowed = Math.floor(fpr * curve.negatives + 1e-9);
  if (allowed < 1) {
    return { rate: null, why: `needs at least ${Math.ceil(1 / fpr)} non-members, there are ${curve.negatives}` };
  }
  const point = curve.points.findLast((p) => p.falsePositives <= allowed)!;
  return { rate: clopperPearson(point.truePositives, curve.positives, level), threshold: point.threshold };
}

/**
 * Balanced accuracy of a threshold that was not chosen on the rows it is judged by: chosen on the rows of even position,
 * judged on the others. Interval: from Newcombe's interval of TPR - FPR. Throws NOT_ENOUGH_DATA below 4 rows on a side.
 */
export function balancedAccuracy(positive: ArrayLike<number>, negative: ArrayLike<number>, level = 0.95): Interval {
  if (positive.length < 4 || negative.length < 4) {
    throw new MarauderError(
      "NOT_ENOUGH_DATA",
      `balanced accuracy needs at least 4 rows on each side, got ${positive.length} and ${negative.length}`,
    );
  }
  const half = (scores: ArrayLike<number>, odd: 0 | 1): number[] => Array.from(scores).filter((_, i) => i % 2 === odd);
  const { points, positives, negatives } = roc(half(positive, 0), half(negative, 0));
  let best = points[0]!;
  const gain = (p: typeof best): number => p.truePositives / positives - p.falsePositives / negatives;
  for (const point of points) if (gain(point) > gain(best)) best = point;
  const above = (scores: number[]): number => scores.filter((s) => s >= best.threshold).length;
  const p = half(positive, 1);
  const n = half(negative, 1);
  const advantage = differenceInterval(above(p), p.length, above(n), n.length, level);
  const to = (a: number): number => (1 + a) / 2;
  return { value: to(advantage.value), low: to(advantage.low), high: to(advantage.high), level };
}
