import { logNormalCdf } from "../stats/special.ts";

/**
 * The cost of noisy votes: Papernot, Song, Mironov, Raghunathan, Talwar and Erlingsson 2018, "Scalable private learning
 * with PATE" (ICLR; arXiv 1802.08908). One record is in one teacher's data, so it changes one vote: a histogram of votes
 * by sqrt(2) in L2, its largest count by 1. Orders alpha > 1; noise in votes.
 */

/** log P(Z > x), standard normal. */
export const logUpperNormal = (x: number): number => logNormalCdf(-x);

/** log(1 - exp(x)) for x <= 0. */
export const log1mExp = (x: number): number => (x < -1 ? Math.log1p(-Math.exp(x)) : Math.log(-Math.expm1(x)));

/** log(exp(a) + exp(b)). */
const logAdd = (a: number, b: number): number => {
  const [high, low] = a > b ? [a, b] : [b, a];
  return low === -Infinity ? high : high + Math.log1p(Math.exp(low - high));
};

/**
 * Upper bound of log P(the noisy vote has another winner than the votes), by the union over classes (proposition 7).
 * `slack` votes are taken from every gap: the step of the grid, for discrete noise.
 */
export function logNotPlurality(votes: ArrayLike<number>, sigma: number, slack = 0): number {
  const n = votes.length;
  let at = 0;
  for (let i = 1; i < n; i++) if (votes[i]! > votes[at]!) at = i;
  let sum = -Infinity;
  for (let i = 0; i < n; i++)
    if (i !== at) sum = logAdd(sum, logUpperNormal((votes[at]! - votes[i]! - slack) / (Math.SQRT2 * sigma)));
  return Math.min(sum, Math.log1p(-1 / n));
}

/** Rényi cost of one noisy vote that holds for all data (proposition 8). */
export const gnmaxRdpAnyData = (sigma: number, alpha: number): number => alpha / (sigma * sigma);

/** The bound of theorem 6 at the two orders of proposition 10, without its conditions. */
export function gnmaxBound(logQ: number, sigma: number, alpha: number): number {
  const variance = sigma * sigma;
  const mu2 = sigma * Math.sqrt(-logQ);
  const mu1 = mu2 + 1;
  const log1q = log1mExp(logQ);
  const a = (alpha - 1) * (log1q - log1mExp((logQ + mu2 / variance) * (1 - 1 / mu2)));
  const b = (alpha - 1) * (mu1 / variance - logQ / (mu1 - 1));
  return logAdd(log1q + a, logQ + b) / (alpha - 1);
}

/**
 * Rényi cost of one noisy vote on these votes (theorem 6): near nothing where the teachers agree. It depends on the data,
 * so it must not be shown as it is (see pate-smooth.ts). `logQ`: from `logNotPlurality`.
 */
export function gnmaxRdp(logQ: number, sigma: number, alpha: number): number {
  const anyData = gnmaxRdpAnyData(sigma, alpha);
  if (logQ === -Infinity) return 0;
  const mu2 = sigma * Math.sqrt(-logQ);
  const mu1 = mu2 + 1;
  if (!(mu1 > alpha && mu2 > 1)) return anyData;
  const eps2 = mu2 / (sigma * sigma);
  const limit = (mu2 - 1) * eps2 - mu2 * (Math.log1p(1 / (mu1 - 1)) + Math.log1p(1 / (mu2 - 1)));
  if (!(logQ <= limit && -logQ > eps2)) return anyData;
  return Math.max(0, Math.min(anyData, gnmaxBound(logQ, sigma, alpha)));
}

/** log P(largest count plus noise reaches the threshold). */
export const logAnswered = (largest: number, threshold: number, sigma: number): number =>
  logUpperNormal((threshold - largest) / sigma);

/** Rényi cost of asking whether the largest count reaches the threshold, for all data: paid for every question, also where no answer came. */
export const thresholdRdpAnyData = (sigma: number, alpha: number): number => gnmaxRdpAnyData(Math.SQRT2 * sigma, alpha);

/** The same on these votes: theorem 6 with the rarer of the two outcomes. `logP`: from `logAnswered`. */
export const thresholdRdp = (logP: number, sigma: number, alpha: number): number =>
  gnmaxRdp(Math.min(logP, log1mExp(logP)), Math.SQRT2 * sigma, alpha);

/** The older mechanism with Laplace noise of scale `lambda` on each count (Papernot et al. 2017, lemma 4): log of the same bound. */
export function logNotPluralityLaplace(votes: ArrayLike<number>, lambda: number): number {
  const n = votes.length;
  let at = 0;
  for (let i = 1; i < n; i++) if (votes[i]! > votes[at]!) at = i;
  let sum = -Infinity;
  for (let i = 0; i < n; i++) {
    const gap = (votes[at]! - votes[i]!) / lambda;
    if (i !== at) sum = logAdd(sum, Math.log(2 + gap) - Math.log(4) - gap);
  }
  return Math.min(sum, Math.log1p(-1 / n));
}

/** Rényi cost of that mechanism, `epsilon` = 2 / lambda (Papernot et al. 2017, theorem 3; the first term is Bun and Steinke 2016). */
export function lnmaxRdp(logQ: number, epsilon: number, alpha: number): number {
  const anyData = Math.min((epsilon * epsilon * alpha) / 2, epsilon);
  if (logQ > -Math.log1p(Math.exp(epsilon))) return anyData;
  const log1q = log1mExp(logQ);
  const one = log1q + (log1q - log1mExp(epsilon + logQ)) * (alpha - 1);
  return Math.min(anyData, logAdd(one, logQ + epsilon * (alpha - 1)) / (alpha - 1));
}
