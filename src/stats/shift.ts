import { MarauderError } from "../errors.ts";
import { mean, quantileSorted, variance } from "./quantiles.ts";

/** Two-sample Kolmogorov-Smirnov statistic: the largest gap between the two empirical distribution functions. */
export function ksStatistic(first: ArrayLike<number>, second: ArrayLike<number>): number {
  let most = 0;
  merge(first, second, (gap) => (most = Math.max(most, Math.abs(gap))));
  return most;
}

/** Wasserstein-1 distance: the area between the two empirical distribution functions, in the values' own unit. */
export function wasserstein1(first: ArrayLike<number>, second: ArrayLike<number>): number {
  let area = 0;
  merge(first, second, (gap, width) => (area += Math.abs(gap) * width));
  return area;
}

/** Calls `visit` with F - G between neighbouring values, and how far apart those are (0 after the last). */
function merge(first: ArrayLike<number>, second: ArrayLike<number>, visit: (gap: number, width: number) => void): void {
  const a = sorted(first);
  const b = sorted(second);
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    const x = Math.min(a[i] ?? Infinity, b[j] ?? Infinity);
    while (i < a.length && a[i]! <= x) i++;
    while (j < b.length && b[j]! <= x) j++;
    const next = Math.min(a[i] ?? Infinity, b[j] ?? Infinity);
    visit(i / a.length - j / b.length, next === Infinity ? 0 : next - x);
  }
}

/**
 * Population stability index sum (a - e) ln(a / e) over bins at the quantiles of `expected`, shares below 1e-4 raised to
 * it. By chance alone about (bins - 1) (1 / n + 1 / m); in credit scoring 0.1 is read as some and 0.25 as large shift.
 */
export function populationStability(expected: ArrayLike<number>, actual: ArrayLike<number>, bins = 10): number {
  const base = sorted(expected);
  const edges = [...new Set(Array.from({ length: bins - 1 }, (_, i) => quantileSorted(base, (i + 1) / bins)))];
  const shares = (values: Float64Array): number[] => {
    const count = Array.from({ length: edges.length + 1 }, () => 0);
    for (const v of values) count[edges.filter((edge) => edge < v).length]! += 1;
    return count.map((k) => Math.max(1e-4, k / values.length));
  };
  const e = shares(base);
  return shares(sorted(actual)).reduce((sum, a, i) => sum + (a - e[i]!) * Math.log(a / e[i]!), 0);
}

/** (mean of first - mean of second) / root of the mean of the two variances; 0 where both are the same constant. */
export function standardizedMeanDifference(first: ArrayLike<number>, second: ArrayLike<number>): number {
  sorted(first);
  sorted(second);
  const gap = mean(first) - mean(second);
  const pooled = Math.sqrt(((variance(first) || 0) + (variance(second) || 0)) / 2);
  return gap === 0 ? 0 : gap / pooled;
}

/** Total variation distance of two vectors of counts over the same categories: half the sum of |p - q|, 0 to 1. */
export function totalVariation(first: readonly number[], second: readonly number[]): number {
  const sum = (x: readonly number[]): number => x.reduce((a, b) => a + b, 0);
  if (first.length !== second.length || !(sum(first) > 0 && sum(second) > 0)) {
    throw new MarauderError(
      "NOT_ENOUGH_DATA",
      "total variation needs two vectors of counts of the same length, neither empty",
    );
  }
  return sum(first.map((k, i) => Math.abs(k / sum(first) - second[i]! / sum(second)))) / 2;
}

function sorted(values: ArrayLike<number>): Float64Array {
  const out = Float64Array.from(values).sort();
  if (out.length === 0 || Number.isNaN(out.at(-1))) {
    throw new MarauderError("NOT_ENOUGH_DATA", "a comparison of two samples needs numbers in both, without NaN");
  }
  return out;
}
