import { MarauderError } from "../errors.ts";
import { erfcFast } from "./normal.ts";

/**
 * A lower bound of epsilon at `delta` of ONE epoch of shuffled batches (`batches` of them) with the Gaussian mechanism, zero-out:
 * what a worst data set proves (Chua, Ghazi, Kamath, Kumar, Manurangsi, Sinha and Zhang 2024, "How private are DP-SGD
 * implementations?", section 4). Shuffling is not Poisson sampling and has no such good upper bound. Events
 * {max of the batch sums >= C} for a grid of C. Throws OPTION_RANGE.
 */
export function shuffleLowerBound(sigma: number, batches: number, delta: number): number {
  if (!(sigma > 0) || !(batches >= 1) || !(delta > 0 && delta < 1))
    throw new MarauderError(
      "OPTION_RANGE",
      `the shuffling bound needs noise above 0, at least one batch and delta in (0, 1), got ${sigma}, ${batches}, ${delta}`,
    );
  let best = 0;
  for (let z = -2; z <= 12; z += 0.005) {
    const threshold = 2 + sigma * z;
    const p = anyAbove(threshold, 2, sigma, batches);
    const q = anyAbove(threshold, 1, sigma, batches);
    if (p > delta && q > 0) best = Math.max(best, Math.log((p - delta) / q));
  }
  return best;
}

/** P(max >= C) when one batch sum is N(mean, sigma²) and the others are N(0, sigma²), without cancellation. */
function anyAbove(threshold: number, mean: number, sigma: number, batches: number): number {
  const tail = (x: number): number => erfcFast(x / (sigma * Math.SQRT2)) / 2;
  return -Math.expm1(Math.log1p(-tail(threshold - mean)) + (batches - 1) * Math.log1p(-tail(threshold)));
}
