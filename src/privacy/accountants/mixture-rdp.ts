/** Parts of a mixture of normal distributions of one standard deviation. */
export interface Mixture {
  readonly means: readonly number[];
  readonly weights: readonly number[];
}

/**
 * Rényi divergence of order alpha > 1 of two mixtures of normals with standard deviation sigma, by the trapezoid rule
 * (analytic integrand, so that it converges exponentially in the step).
 */
export function mixtureRdp(p: Mixture, q: Mixture, sigma: number, alpha: number): number {
  const reach = Math.max(...p.means.map(Math.abs), ...q.means.map(Math.abs));
  const step = Math.min(sigma, sigma * sigma) / 5;
  const edge = 2 * alpha * reach + 14 * sigma;
  const to = Math.min(4e6, Math.ceil(edge / step));
  let top = -Infinity;
  let sum = 0;
  for (let i = -to; i <= to; i++) {
    const x = i * step;
    const term = alpha * logDensity(p, x, sigma) - (alpha - 1) * logDensity(q, x, sigma);
    if (term <= top) sum += Math.exp(term - top);
    else {
      sum = sum * Math.exp(top - term) + 1;
      top = term;
    }
  }
  const logMoment = top + Math.log(sum) + Math.log(step / sigma) - 0.9189385332046728;
  return Math.max(0, logMoment + 1e-15) / (alpha - 1);
}

/** log of the density times sigma sqrt(2 pi). */
function logDensity({ means, weights }: Mixture, x: number, sigma: number): number {
  let top = -Infinity;
  let sum = 0;
  for (let i = 0; i < means.length; i++) {
    if (weights[i]! <= 0) continue;
    const term = Math.log(weights[i]!) - (x - means[i]!) ** 2 / (2 * sigma * sigma);
    if (term <= top) sum += Math.exp(term - top);
    else {
      sum = sum * Math.exp(top - term) + 1;
      top = term;
    }
  }
  return top + Math.log(sum);
}
