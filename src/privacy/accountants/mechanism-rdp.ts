/** Rényi divergences of the unsampled mechanisms, order alpha > 1. `distance`: contributions between neighbours. */
import { logAdd } from "./gaussian-rdp.ts";

/** Laplace noise of scale b: Mironov 2017, "Rényi differential privacy", table II. */
export function laplaceRdp(scale: number, alpha: number): number {
  if (scale === 0) return Infinity;
  const a = Math.log(alpha / (2 * alpha - 1)) + (alpha - 1) / scale;
  const b = Math.log((alpha - 1) / (2 * alpha - 1)) - alpha / scale;
  const value = logAdd(a, b) / (alpha - 1);
  // For large scales the logarithm of a number near 1 loses digits; twice the order-one bound alpha eps² / 2 is safe.
  return Math.max(0, Math.min(1 / scale, value + 4e-16 / (alpha - 1)));
}

/** Probability mass tanh(a / 2) exp(-a |z|) on the integers, against itself moved by `shift`: sums of geometric series. */
export function discreteLaplaceRdp(decay: number, shift: number, alpha: number): number {
  const outside = logAdd(decay * (alpha - 1) * shift, -decay * alpha * shift) - Math.log(-Math.expm1(-decay));
  const ratio = decay * (2 * alpha - 1);
  // Sum over 0 < z < shift of exp(-a (alpha z + (1 - alpha) (shift - z))).
  const inside =
    shift <= 1
      ? -Infinity
      : decay * (alpha - 1) * shift -
        ratio +
        Math.log(-Math.expm1(-ratio * (shift - 1))) -
        Math.log(-Math.expm1(-ratio));
  const value = (Math.log(Math.tanh(decay / 2)) + logAdd(outside, inside)) / (alpha - 1);
  return Math.max(0, Math.min(decay * shift, value + 4e-16 / (alpha - 1)));
}

/** Discrete Gaussian: the Gaussian's curve is an upper bound (Canonne, Kamath and Steinke 2020, theorem 4). */
export const discreteGaussianRdp = (sigma: number, shift: number, alpha: number): number =>
  sigma === 0 ? Infinity : (alpha * shift * shift) / (2 * sigma * sigma);

/** Randomized response: two answers swap their probabilities, the others stay. */
export function randomizedResponseRdp(noise: number, buckets: number, alpha: number): number {
  if (noise === 0) return Infinity;
  const low = noise / buckets;
  const high = 1 - noise + low;
  const swap = logAdd(
    alpha * Math.log(high) + (1 - alpha) * Math.log(low),
    alpha * Math.log(low) + (1 - alpha) * Math.log(high),
  );
  const rest = buckets > 2 ? Math.log((buckets - 2) * low) : -Infinity;
  return Math.max(0, logAdd(swap, rest) / (alpha - 1));
}

/** Any epsilon-DP mechanism: randomized response on two answers is the worst (Kairouz, Oh and Viswanath 2015). */
export const pureRdp = (epsilon: number, alpha: number): number =>
  epsilon === 0 ? 0 : Math.min(epsilon, randomizedResponseRdp(2 / (1 + Math.exp(epsilon)), 2, alpha));

/**
 * The exponential mechanism, of bounded range epsilon: Dong, Durfee and Rogers 2020, "Optimal differential privacy
 * composition for exponential mechanisms", lemma 3.2 gives its worst pair of Bernoulli variables, whose offset t is
 * taken where the divergence is largest.
 */
export function exponentialMechanismRdp(epsilon: number, alpha: number): number {
  if (epsilon === 0 || epsilon > 500) return epsilon;
  const at = (t: number): number => {
    // Losses t - epsilon and t; masses q = P(loss t) under the second distribution, so that both sum to one.
    const q = Math.expm1(epsilon - t) / Math.expm1(epsilon);
    return logAdd(Math.log(q) + alpha * t, Math.log1p(-q) + alpha * (t - epsilon)) / (alpha - 1);
  };
  let [low, high] = [0, epsilon];
  for (let i = 0; i < 200; i++) {
    const [a, b] = [low + (high - low) / 3, high - (high - low) / 3];
    if (at(a) < at(b)) low = a;
    else high = b;
  }
  return Math.min(epsilon, Math.max(0, at((low + high) / 2)));
}
