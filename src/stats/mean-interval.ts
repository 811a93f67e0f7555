import type { Interval } from "./intervals.ts";
import { mean, variance } from "./quantiles.ts";
import { betaQuantile } from "./special.ts";

/** The two-sided quantile of Student's t distribution at confidence `level`. */
export function studentQuantile(level: number, degrees: number): number {
  const x = betaQuantile(1 - level, degrees / 2, 0.5); // degrees / (degrees + t²) is beta distributed
  return Math.sqrt((degrees * (1 - x)) / x);
}

/** Mean of independent measurements and Student's interval for it; of a single one the interval is unbounded. */
export function meanInterval(values: ArrayLike<number>, level = 0.95): Interval {
  const n = values.length;
  const value = mean(values);
  if (n < 2) return { value, low: -Infinity, high: Infinity, level };
  const half = studentQuantile(level, n - 1) * Math.sqrt(variance(values) / n);
  return { value, low: value - half, high: value + half, level };
}
