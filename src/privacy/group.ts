import { MarauderError } from "../errors.ts";
import { checkDelta } from "./accountants/check.ts";
import { logBinomial, logExpm1 } from "./accountants/gaussian-rdp.ts";
import { mixtureOfGaussians, type DpEvent } from "./events.ts";

/**
 * One Poisson-sampled Gaussian step as a unit sees it that has up to `most` records, each drawn by its own coin and clipped
 * by itself: the number drawn is binomial. Use it in the place of the sampled event to state a guarantee for people.
 */
export function sampledUnit(rate: number, most: number, sigma: number): DpEvent {
  if (!(Number.isSafeInteger(most) && most >= 1 && most <= 1000))
    throw new MarauderError("OPTION_RANGE", `a unit has from 1 to 1000 records, got ${most}`);
  const shifts = Array.from({ length: most + 1 }, (_, k) => k);
  const weights = shifts.map((k) =>
    rate === 0 || rate === 1
      ? Number(k === rate * most)
      : Math.exp(logBinomial(most, k) + k * Math.log(rate) + (most - k) * Math.log1p(-rate)),
  );
  const sum = weights.reduce((a, b) => a + b, 0);
  return mixtureOfGaussians(
    sigma,
    shifts,
    weights.map((w) => w / sum),
  );
}

/**
 * Epsilon at `delta` for a group of `size` contributions, from the account of one: Vadhan 2017, "The complexity of
 * differential privacy", lemma 2.2. If one costs (e, d), a group costs (size e, d (exp(size e) - 1) / (exp(e) - 1)). Works
 * for any mechanism, and is loose: Infinity where no d is small enough.
 */
export function groupEpsilon(epsilonAt: (delta: number) => number, size: number, delta: number): number {
  checkDelta(delta);
  if (!(Number.isSafeInteger(size) && size >= 1))
    throw new MarauderError("OPTION_RANGE", `a group has a whole number of members from 1, got ${size}`);
  if (size === 1) return epsilonAt(delta);
  /** log of the group's delta over the wanted one, for log delta of one. */
  const excess = (logDelta: number): { over: number; epsilon: number } => {
    const e = epsilonAt(Math.exp(logDelta));
    if (e === 0) return { over: logDelta + Math.log(size) - Math.log(delta), epsilon: 0 };
    return { over: logDelta + logExpm1(size * e) - logExpm1(e) - Math.log(delta), epsilon: e };
  };
  // Down in steps until a delta of one is small enough; its epsilon grows on the way, and may outrun it.
  let high = Math.log(delta);
  let low = high;
  let inside = excess(low);
  while (!(inside.over <= 0)) {
    high = low;
    low -= Math.max(1, inside.over / 2);
    if (!(low > -600)) return Infinity;
    inside = excess(low);
  }
  for (let i = 0; i < 60 && high - low > 1e-9; i++) {
    const middle = (low + high) / 2;
    const next = excess(middle);
    if (next.over <= 0) [low, inside] = [middle, next];
    else high = middle;
  }
  return size * inside.epsilon;
}
