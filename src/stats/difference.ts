import { wilson, type Interval } from "./intervals.ts";

/**
 * Interval of the difference of two independent proportions, a/m - b/n: Newcombe 1998, method 10 (hybrid score), which
 * stays within [-1, 1] and does not collapse at 0 and 1.
 */
export function differenceInterval(a: number, m: number, b: number, n: number, level = 0.95): Interval {
  const first = wilson(a, m, level);
  const second = wilson(b, n, level);
  const value = first.value - second.value;
  return {
    value,
    low: value - Math.hypot(first.value - first.low, second.high - second.value),
    high: value + Math.hypot(first.high - first.value, second.value - second.low),
    level,
  };
}
