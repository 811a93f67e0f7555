/** The q-quantile of sorted numbers by linear interpolation (type 7 of Hyndman and Fan 1996); NaN for no numbers. */
export function quantileSorted(sorted: ArrayLike<number>, q: number): number {
  const n = sorted.length;
  if (n === 0 || !(q >= 0 && q <= 1)) return NaN;
  const at = (n - 1) * q;
  const low = Math.floor(at);
  const value = sorted[low]!;
  return low === at ? value : value + (at - low) * (sorted[low + 1]! - value);
}

/** Quantiles of unsorted numbers, one for each q. NaN among the numbers gives NaN. */
export function quantiles(values: ArrayLike<number>, qs: readonly number[]): number[] {
  const sorted = Float64Array.from(values).sort();
  const spoilt = Number.isNaN(sorted.at(-1) ?? 0);
  return qs.map((q) => (spoilt ? NaN : quantileSorted(sorted, q)));
}

export const median = (values: ArrayLike<number>): number => quantiles(values, [0.5])[0]!;

/** Arithmetic mean; NaN for no numbers. */
export function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return sum / values.length;
}

/** Sample variance (n - 1), in two passes; NaN for fewer than two numbers. */
export function variance(values: ArrayLike<number>): number {
  if (values.length < 2) return NaN;
  const centre = mean(values);
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += (values[i]! - centre) ** 2;
  return sum / (values.length - 1);
}
