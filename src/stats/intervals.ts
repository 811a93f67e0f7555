import { MarauderError } from "../errors.ts";
import { betaQuantile, normalQuantile } from "./special.ts";

/** An estimate and its confidence interval. */
export interface Interval {
  readonly value: number;
  readonly low: number;
  readonly high: number;
  /** Confidence level, such as 0.95. */
  readonly level: number;
}

/**
 * Score interval of a proportion, `successes` of `trials` (Wilson 1927): right coverage on average, good for rates that
 * are compared. Throws NOT_ENOUGH_DATA without trials, OPTION_RANGE for impossible counts.
 */
export function wilson(successes: number, trials: number, level = 0.95): Interval {
  checkCounts(successes, trials, level);
  const z = -normalQuantile((1 - level) / 2);
  const p = successes / trials;
  const scale = 1 + (z * z) / trials;
  const centre = (p + (z * z) / (2 * trials)) / scale;
  const half = (z / scale) * Math.sqrt((p * (1 - p)) / trials + (z * z) / (4 * trials * trials));
  return {
    value: p,
    low: successes === 0 ? 0 : Math.max(0, centre - half),
    high: successes === trials ? 1 : Math.min(1, centre + half),
    level,
  };
}

/**
 * Exact interval of a proportion (Clopper and Pearson 1934): covers at least with the given level, whatever the true
 * rate; for claims that must hold. Errors as `wilson`.
 */
export function clopperPearson(successes: number, trials: number, level = 0.95): Interval {
  checkCounts(successes, trials, level);
  const tail = (1 - level) / 2;
  return {
    value: successes / trials,
    low: binomialLower(successes, trials, tail),
    high: binomialUpper(successes, trials, tail),
    level,
  };
}

/** One-sided exact lower bound of a proportion: the true rate is below it with probability at most `alpha`. */
export function binomialLower(successes: number, trials: number, alpha: number): number {
  checkCounts(successes, trials, 1 - alpha);
  if (successes === 0) return 0;
  if (successes === trials) return Math.exp(Math.log(alpha) / trials);
  return betaQuantile(alpha, successes, trials - successes + 1);
}

/** One-sided exact upper bound of a proportion. */
export function binomialUpper(successes: number, trials: number, alpha: number): number {
  checkCounts(successes, trials, 1 - alpha);
  if (successes === trials) return 1;
  if (successes === 0) return -Math.expm1(Math.log(alpha) / trials);
  return 1 - betaQuantile(alpha, trials - successes, successes + 1);
}

function checkCounts(successes: number, trials: number, level: number): void {
  if (trials === 0) {
    throw new MarauderError("NOT_ENOUGH_DATA", "a rate needs at least one trial, got 0; give more data");
  }
  const whole = Number.isSafeInteger(successes) && Number.isSafeInteger(trials);
  if (!whole || successes < 0 || successes > trials || !(level > 0 && level < 1)) {
    throw new MarauderError(
      "OPTION_RANGE",
      `an interval of a rate needs whole numbers 0 <= successes <= trials and a level between 0 and 1, ` +
        `got ${successes} of ${trials} at level ${level}`,
    );
  }
}
