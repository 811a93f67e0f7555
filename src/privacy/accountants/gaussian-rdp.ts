import { lgamma } from "../../stats/special.ts";

/** log(exp(a) + exp(b)). */
export const logAdd = (a: number, b: number): number => {
  const [high, low] = a > b ? [a, b] : [b, a];
  return low === -Infinity ? high : high + Math.log1p(Math.exp(low - high));
};

export const logBinomial = (n: number, k: number): number => lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1);

/** log(exp(x) - 1), x > 0. */
export const logExpm1 = (x: number): number => (x > 30 ? x + Math.log1p(-Math.exp(-x)) : Math.log(Math.expm1(x)));

/** log(1 + exp(x)). */
const softplus = (x: number): number => (x > 36 ? x : Math.log1p(Math.exp(x)));

/**
 * Rényi divergence of order `alpha` > 1 between (1 - q) N(0, sigma²) + q N(1, sigma²) and N(0, sigma²), the larger of
 * the two directions: what one step of the Poisson-sampled Gaussian mechanism costs (Mironov, Talwar and Zhang 2019,
 * "Rényi differential privacy of the sampled Gaussian mechanism", section 3.3).
 *
 * Whole orders by their finite sum. Other orders by the trapezoid rule for E[(1 + u)^alpha - 1 - alpha u] with
 * u = q (exp((2 x - 1) / (2 sigma²)) - 1), E[u] = 0: all terms are positive, so nothing cancels, and the rule converges
 * exponentially since the integrand is analytic in a strip of half width pi sigma². It equals the paper's signed series;
 * tests compare the two.
 */
export function sampledGaussianRdp(q: number, sigma: number, alpha: number): number {
  if (q === 0) return 0;
  if (sigma === 0) return Infinity;
  if (q === 1) return alpha / (2 * sigma * sigma);
  const whole = Math.round(alpha);
  if (whole === alpha) return wholeOrder(q, sigma, alpha) / (alpha - 1);
  if (sigma < 0.02) return interpolated(q, sigma, alpha);
  return softplus(logExcess(q, sigma, alpha)) / (alpha - 1);
}

/** log A_alpha = log(1 + sum over k >= 2 of C(alpha, k) (1 - q)^(alpha - k) q^k (exp((k² - k) / (2 sigma²)) - 1)). */
export function wholeOrder(q: number, sigma: number, alpha: number): number {
  let sum = -Infinity;
  for (let k = 2; k <= alpha; k++) {
    const weight = logBinomial(alpha, k) + (alpha - k) * Math.log1p(-q) + k * Math.log(q);
    sum = logAdd(sum, weight + logExpm1((k * k - k) / (2 * sigma * sigma)));
  }
  return softplus(sum);
}

/** log A_alpha is convex in alpha, so a chord between whole orders is an upper bound. */
export function interpolated(q: number, sigma: number, alpha: number): number {
  const low = Math.floor(alpha);
  const t = alpha - low;
  const at = (a: number): number => (a < 2 ? 0 : wholeOrder(q, sigma, a));
  return ((1 - t) * at(low) + t * at(low + 1)) / (alpha - 1);
}

/** log E[(1 + u)^alpha - 1 - alpha u]. */
function logExcess(q: number, sigma: number, alpha: number): number {
  const variance = sigma * sigma;
  const step = Math.min(sigma, variance) / 4;
  const from = Math.floor((-14 * sigma) / step);
  const to = Math.ceil((alpha + 14 * sigma) / step);
  const logScale = Math.log(step / sigma) - 0.9189385332046728;
  let top = -Infinity;
  let sum = 0;
  for (let i = from; i <= to; i++) {
    const x = i * step;
    const term = logBregman(q, (2 * x - 1) / (2 * variance), alpha) - (x * x) / (2 * variance);
    if (term <= top) sum += Math.exp(term - top);
    else {
      sum = sum * Math.exp(top - term) + 1;
      top = term;
    }
  }
  return logScale + top + Math.log(sum);
}

/** log((1 + u)^a - 1 - a u) with u = q (exp(t) - 1). */
function logBregman(q: number, t: number, a: number): number {
  if (t > 600) return a * (Math.log(q) + t); // u is near the largest double: an upper bound up to rounding
  const u = q * Math.expm1(t);
  if (Math.abs(u) < 0.02) {
    let series = 1;
    for (let k = 10; k >= 3; k--) series = 1 + (((a - k + 1) * u) / k) * series;
    return Math.log((a * (a - 1)) / 2) + 2 * Math.log(Math.abs(u)) + Math.log(series);
  }
  const power = a * Math.log1p(u);
  if (power > 30) return power + Math.log1p(-Math.exp(Math.log1p(a * u) - power));
  return Math.log(Math.expm1(power) - a * u);
}

/**
 * The same for exactly size-of-records sampling without replacement, q their ratio, and data sets in which one record
 * is replaced; `sigma` relative to the distance of the two. Upper bound for whole orders (Wang, Balle and
 * Kasiviswanathan 2019, "Subsampled Rényi differential privacy and analytical moments accountant", theorems 9 and 27),
 * chords between them. Gives the curve as a function of the order.
 */
export function fixedSizeGaussianRdp(q: number, sigma: number): (alpha: number) => number {
  if (q === 0) return () => 0;
  if (sigma === 0) return () => Infinity;
  const logMoment = (k: number): number => (k * k - k) / (2 * sigma * sigma); // log E_Q[(P/Q)^k]
  const central = memo((m) => logCentral(m, logMoment));
  // The factor of the j-th term: log of min(2 E[(P/Q)^j], 4 sqrt(E[(P/Q - 1)^l] E[(P/Q - 1)^h])), l and h even around j.
  const factor = memo((j) => {
    const low = 2 * Math.floor(j / 2);
    return Math.min(Math.LN2 + logMoment(j), 2 * Math.LN2 + (central(low) + central(low === j ? low : low + 2)) / 2);
  });
  const at = (alpha: number): number => {
    let sum = -Infinity;
    for (let j = 2; j <= alpha; j++) sum = logAdd(sum, j * Math.log(q) + logBinomial(alpha, j) + factor(j));
    return softplus(sum);
  };
  return (alpha) => {
    const unsampled = alpha / (2 * sigma * sigma);
    if (q === 1) return unsampled;
    const low = Math.floor(alpha);
    const t = alpha - low;
    return Math.min(unsampled, (t === 0 ? at(low) : (1 - t) * at(low) + t * at(low + 1)) / (alpha - 1));
  };
}

function memo(compute: (k: number) => number): (k: number) => number {
  const known = new Map<number, number>();
  return (k) => {
    let value = known.get(k);
    if (value === undefined) known.set(k, (value = compute(k)));
    return value;
  };
}

/** log E_Q[(P/Q - 1)^m] for even m: an alternating sum of moments, Infinity where rounding would spoil it. */
function logCentral(m: number, logMoment: (k: number) => number): number {
  if (m === 2) return logExpm1(logMoment(2));
  let top = -Infinity;
  for (let k = 0; k <= m; k++) top = Math.max(top, logBinomial(m, k) + logMoment(k));
  let sum = 0;
  for (let k = 0; k <= m; k++) sum += (k % 2 === 0 ? 1 : -1) * Math.exp(logBinomial(m, k) + logMoment(k) - top);
  return sum > 1e-6 ? top + Math.log(sum) + 1e-8 : Infinity;
}
