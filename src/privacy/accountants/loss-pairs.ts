import { tailGap, upperNormal } from "../normal.ts";

/**
 * One direction of a dominating pair (P, Q) of a mechanism, for epsilon >= 0: the hockey-stick divergence
 * delta(eps) = sup over events S of P(S) - exp(eps) Q(S), and Q(log(P/Q) > eps).
 */
export interface Side {
  delta(epsilon: number): number;
  second(epsilon: number): number;
}

/** A dominating pair in both directions: (P, Q) and (Q, P). Composition of dominating pairs dominates the composition (Zhu, Dong and Wang 2022, "Optimal accounting of differential privacy via characteristic function", theorem 10). */
export interface LossPair {
  readonly forward: Side;
  readonly reverse: Side;
}

/** exp(e) x for x >= 0, without overflow where the product is small. */
export const expTimes = (e: number, x: number): number => (x === 0 ? 0 : Math.exp(e + Math.log(x)));

/** log(exp(e) - 1), without overflow. */
const logExpm1 = (e: number): number => (e > 30 ? e + Math.log1p(-Math.exp(-e)) : Math.log(Math.expm1(e)));

const symmetric = (side: Side): LossPair => ({ forward: side, reverse: side });

/** Normal distributions of standard deviation one, `gap` apart. */
export const gaussianPair = (gap: number): LossPair =>
  symmetric({
    delta: (e) => Math.max(0, tailGap(e / gap - gap / 2, gap)),
    second: (e) => upperNormal(e / gap + gap / 2),
  });

/** Laplace distributions of scale one, `gap` apart. */
export const laplacePair = (gap: number): LossPair =>
  symmetric({
    delta: (e) => (e >= gap ? 0 : -Math.expm1((e - gap) / 2)),
    second: (e) => (e >= gap ? 0 : Math.exp(-(gap + e) / 2) / 2),
  });

/** Two answers with probabilities exp(epsilon) : 1, the worst that pure epsilon-DP allows (Kairouz, Oh and Viswanath 2015). */
export const responsePair = (high: number, low: number): LossPair =>
  symmetric({
    delta: (e) => Math.max(0, high - expTimes(e, low)),
    second: (e) => (high > expTimes(e, low) ? low : 0),
  });

/** Discrete Laplace distributions of parameter `decay`, `shift` integers apart. */
export function discreteLaplacePair(decay: number, shift: number): LossPair {
  const cdf = (k: number): number =>
    k < 0 ? Math.exp(decay * k) / (1 + Math.exp(-decay)) : 1 - Math.exp(-decay * (k + 1)) / (1 + Math.exp(-decay));
  const last = (e: number): number => Math.ceil((shift - e / decay) / 2) - 1; // losses are above e up to here
  return symmetric({
    delta: (e) => (e >= decay * shift ? 0 : Math.max(0, cdf(last(e)) - expTimes(e, cdf(last(e) - shift)))),
    second: (e) => (e >= decay * shift ? 0 : cdf(last(e) - shift)),
  });
}

/** Discrete Gaussian distributions of parameter `sigma`, `shift` integers apart. Keeps a table of 80 sigma numbers. */
export function discreteGaussianPair(sigma: number, shift: number): LossPair {
  const reach = Math.ceil(40 * sigma) + shift + 2;
  const below = new Float64Array(2 * reach + 2); // below[i]: unnormalized mass of z <= i - reach - 1
  for (let i = 1; i < below.length; i++) {
    const z = i - 1 - reach;
    below[i] = below[i - 1]! + Math.exp((-z * z) / (2 * sigma * sigma));
  }
  const total = below[below.length - 1]!;
  const cdf = (k: number): number => below[Math.min(Math.max(k + reach + 1, 0), below.length - 1)]! / total;
  const last = (e: number): number => Math.ceil((shift * shift - 2 * sigma * sigma * e) / (2 * shift)) - 1;
  return symmetric({
    delta: (e) => Math.max(0, cdf(last(e)) - expTimes(e, cdf(last(e) - shift))),
    second: (e) => cdf(last(e) - shift),
  });
}

/**
 * Poisson sampling of rate q: forward is (1 - q) Q + q P against Q, a record removed. Its profile follows from that of
 * the pair (Li, Qardaji and Su 2012; Balle, Barthe and Gaboardi 2018, theorem 8).
 */
export const sampledPair = (q: number, { forward, reverse }: LossPair): LossPair => ({
  forward: sampledSide(q, forward),
  reverse: {
    delta(e) {
      const rest = q - (1 - q) * Math.expm1(e);
      return rest <= 0 ? 0 : rest * reverse.delta(e + Math.log(q / rest));
    },
    second(e) {
      const rest = q - (1 - q) * Math.expm1(e);
      if (rest <= 0) return 0;
      const at = e + Math.log(q / rest);
      const first = reverse.delta(at) + expTimes(at, reverse.second(at));
      return (1 - q) * first + q * reverse.second(at);
    },
  },
});

/** log(1 + (exp(e) - 1) / q): the loss of the whole mechanism at which the sampled one has loss e. */
const unsampled = (q: number, e: number): number =>
  e > 30 ? e - Math.log(q) + Math.log1p((q - 1) * Math.exp(-e)) : Math.log1p(Math.expm1(e) / q);

const sampledSide = (q: number, side: Side): Side => ({
  delta: (e) => q * side.delta(unsampled(q, e)),
  second: (e) => side.second(unsampled(q, e)),
});

/**
 * Sampling a fixed number without replacement, q its share, one record replaced by another: the profile is that of the
 * forward Poisson pair for epsilon >= 0 in both directions (Zhu, Dong and Wang 2022, theorem 11), and convex where the two
 * meet, so that one dominating pair has it.
 */
export const fixedSizePair = (q: number, { forward }: LossPair): LossPair => symmetric(sampledSide(q, forward));

/**
 * Poisson sampling with one record replaced: (1 - q) N(0, 1) + q N(m, 1) against (1 - q) N(0, 1) + q N(-m, 1), m the
 * inverse of the noise multiplier; contributions that point in opposite directions (Lebeda, Regehr, Kamath and Steinke
 * 2024, "Avoiding pitfalls for privacy accounting of subsampled mechanisms under composition", section 7).
 */
export function replacedPair(q: number, m: number): LossPair {
  const logQc = Math.log(q) - (m * m) / 2;
  /** m z at the point z where the loss is e: the logarithm of the positive root of a quadratic in exp(m z). */
  const root = (e: number): number => {
    const a = Math.log1p(-q) + logExpm1(e);
    const b = Math.LN2 + logQc + e / 2;
    const top = Math.max(a, b);
    return top + Math.log(Math.exp(a - top) + Math.hypot(Math.exp(a - top), Math.exp(b - top))) - Math.LN2 - logQc;
  };
  return symmetric({
    delta(e) {
      const mz = root(e);
      const z = mz / m;
      return q * tailGap(z - m, m) + expTimes(logQc - mz + e, tailGap(z, m));
    },
    second(e) {
      const z = root(e) / m;
      return (1 - q) * upperNormal(z) + q * upperNormal(z + m);
    },
  });
}

/**
 * Truncated Poisson sampling, one record added: when the others alone fill the batch (probability `full`), the record
 * gets in with probability `rate * cap / (cap + 1)` at most and another one leaves for it, two contributions; else it is
 * as in Poisson sampling. Both cases are shown to the adversary, which the joint convexity of the divergence allows.
 */
export function truncatedPair(rate: number, cap: number, full: number, m: number): LossPair {
  const free = sampledPair(rate, gaussianPair(m));
  if (full === 0) return free;
  const displacing = sampledPair((rate * cap) / (cap + 1), gaussianPair(2 * m));
  const mix = (a: Side, b: Side): Side => ({
    delta: (e) => (1 - full) * a.delta(e) + full * b.delta(e),
    second: (e) => (1 - full) * a.second(e) + full * b.second(e),
  });
  return { forward: mix(free.forward, displacing.forward), reverse: mix(free.reverse, displacing.reverse) };
}
