import { erfcx } from "../../src/privacy/normal.ts";
import { erfc } from "../../src/stats/special.ts";

/**
 * Rényi divergence of the Poisson-sampled Gaussian by the series of Mironov, Talwar and Zhang 2019 for fractional orders:
 * slow, and independent of the accountant's quadrature. With signed binomial coefficients it is exact; with absolute ones it
 * is the upper bound that some libraries publish.
 */
export function series(q: number, sigma: number, alpha: number, absolute = false): number {
  const z0 = sigma * sigma * Math.log(1 / q - 1) + 0.5;
  let sum = 0;
  let binomial = 1;
  for (let i = 0; i < 60_000; i++) {
    const j = alpha - i;
    const a = j * Math.log1p(-q) + i * Math.log(q) + (i * i - i) / (2 * sigma * sigma);
    const b = i * Math.log1p(-q) + j * Math.log(q) + (j * j - j) / (2 * sigma * sigma);
    const tail = (x: number, log: number): number => {
      const z = x / (Math.SQRT2 * sigma);
      return z > 0 ? 0.5 * Math.exp(log - z * z) * erfcx(z) : 0.5 * Math.exp(log) * erfc(z);
    };
    const term = (absolute ? Math.abs(binomial) : binomial) * (tail(i - z0, a) + tail(z0 - j, b));
    sum += term;
    if (i > alpha && Math.abs(term) < 1e-15 * sum) break;
    binomial *= (alpha - i) / (i + 1);
  }
  return Math.log(sum) / (alpha - 1);
}
