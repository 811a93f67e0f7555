/** How far a sample lies from a distribution, and how likely so far or farther is if it was drawn from it. */
export interface KolmogorovSmirnov {
  /** Largest distance between the two distribution functions. */
  readonly distance: number;
  readonly p: number;
}

/**
 * The Kolmogorov-Smirnov test of a sample against a distribution that was fixed without it. `cdf` holds the distribution
 * function at the points of the sample in ascending order. The p-value is the asymptotic one with Stephens' correction
 * (1970), good to about 1 % from 20 points on.
 */
export function kolmogorovSmirnov(cdf: ArrayLike<number>): KolmogorovSmirnov {
  const n = cdf.length;
  let distance = 0;
  for (let i = 0; i < n; i++) distance = Math.max(distance, (i + 1) / n - cdf[i]!, cdf[i]! - i / n);
  const root = Math.sqrt(n);
  return { distance, p: kolmogorovTail((root + 0.12 + 0.11 / root) * distance) };
}

/** P(K > x) of Kolmogorov's distribution. */
export function kolmogorovTail(x: number): number {
  if (!(x > 0)) return 1;
  if (x < 1.18) {
    // The series that converges fast near 0 (Jacobi's theta function).
    let sum = 0;
    for (let k = 1; k <= 7; k += 2) sum += Math.exp((-k * k * Math.PI * Math.PI) / (8 * x * x));
    return Math.max(0, 1 - (Math.sqrt(2 * Math.PI) / x) * sum);
  }
  let sum = 0;
  for (let k = 1; k <= 8; k++) sum += (k % 2 === 1 ? 1 : -1) * Math.exp(-2 * k * k * x * x);
  return Math.min(1, 2 * sum);
}
