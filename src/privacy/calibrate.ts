import { MarauderError } from "../errors.ts";

export interface CalibrateSpec {
  /** Epsilon of the event with the parameter at `x`: rising or falling in x, not both. */
  readonly epsilonAt: (x: number) => number;
  readonly target: number;
  readonly low: number;
  readonly high: number;
  /** The parameter is a whole number (steps). */
  readonly whole?: boolean;
  /** Relative accuracy of the parameter. */
  readonly tolerance?: number;
}

export interface Calibrated {
  readonly value: number;
  /** What the account says at `value`: never above the target. */
  readonly epsilon: number;
  readonly evaluations: number;
}

/**
 * The least private value of one parameter that still keeps epsilon at or below the target: noise as low, steps or rate
 * as high as possible. The search keeps a value known to be within the target and gives that one, so the target is never
 * exceeded. Throws OPTION_RANGE when no value in [low, high] reaches it.
 */
export function calibrate(spec: CalibrateSpec): Calibrated {
  const { target, low, high, whole = false, tolerance = 1e-5 } = spec;
  if (!(target > 0 && low > 0 && high > low))
    throw new MarauderError(
      "OPTION_RANGE",
      `calibration needs a target epsilon above 0 and a range of positive numbers, got ${target} and ${low} to ${high}`,
    );
  let evaluations = 0;
  const at = (x: number): { x: number; epsilon: number } => {
    evaluations++;
    return { x, epsilon: spec.epsilonAt(x) };
  };
  const ends = [at(low), at(high)] as const;
  const private_ = ends[0].epsilon <= ends[1].epsilon ? 0 : 1;
  let inside = ends[private_];
  let outside = ends[1 - private_]!;
  if (inside.epsilon > target)
    throw new MarauderError(
      "OPTION_RANGE",
      `no value from ${low} to ${high} keeps epsilon at or below ${target}: the most private one gives ${inside.epsilon.toPrecision(5)}; ` +
        `ask for a larger epsilon, or change what else is given`,
    );
  if (outside.epsilon <= target) return { value: outside.x, epsilon: outside.epsilon, evaluations };
  // Regula falsi on logarithms with the Illinois rule, and bisection where epsilon is infinite or zero.
  let [fi, fo] = [score(inside.epsilon, target), score(outside.epsilon, target)];
  for (let i = 0; i < 100 && Math.abs(outside.x - inside.x) > (whole ? 1 : tolerance * inside.x); i++) {
    const [a, b] = [Math.log(inside.x), Math.log(outside.x)];
    const straight = Number.isFinite(fi) && Number.isFinite(fo) ? a + ((b - a) * fi) / (fi - fo) : NaN;
    // Every third step halves the bracket, so that a bent curve cannot stall the search.
    const guess = Number.isFinite(straight) && i % 3 !== 2 ? nudged(straight, a, b, tolerance) : (a + b) / 2;
    let x = Math.exp(guess);
    if (whole)
      x = Math.min(Math.max(Math.round(x), Math.min(inside.x, outside.x) + 1), Math.max(inside.x, outside.x) - 1);
    const next = at(x);
    if (next.epsilon <= target) {
      inside = next;
      fi = score(next.epsilon, target);
      fo /= 2;
    } else {
      outside = next;
      fo = score(next.epsilon, target);
      fi /= 2;
    }
  }
  return { value: inside.x, epsilon: inside.epsilon, evaluations };
}

const score = (epsilon: number, target: number): number => Math.log(epsilon / target) - 1e-13;

/** Keeps a guess inside the bracket, and a little to the private side so that the bracket closes from both ends. */
function nudged(guess: number, inside: number, outside: number, tolerance: number): number {
  const step = Math.min(tolerance / 2, Math.abs(outside - inside) / 2) * Math.sign(inside - outside);
  const [low, high] = [Math.min(inside, outside), Math.max(inside, outside)];
  const margin = (high - low) * 1e-3;
  return Math.min(high - margin, Math.max(low + margin, guess + step));
}
