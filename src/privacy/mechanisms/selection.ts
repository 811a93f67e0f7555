import { MarauderError } from "../../errors.ts";
import {
  exponentialMechanism as exponentialEvent,
  pure,
  randomizedResponse,
  unsupported,
  type DpEvent,
} from "../events.ts";
import { bernoulli, bernoulliExp, discreteLaplaceSample, ratioOf, uniformBelow } from "./exact.ts";
import { NOT_PRIVATE, secureSource, type NoiseSource } from "./source.ts";

export interface Released<T> {
  readonly value: T;
  readonly event: DpEvent;
  /** "system", or "NOT PRIVATE: seeded noise". */
  readonly noise: string;
}

export interface SelectionSpec {
  /** The guarantee of the whole selection for a change of one contribution. */
  readonly epsilon: number;
  /** The most that one contribution changes any score. */
  readonly sensitivity: number;
  readonly source?: NoiseSource;
}

/** Scores are rounded to this share of the sensitivity, so that all that follows is exact. */
const STEPS = 2 ** 20;
const LARGEST = 2 ** 50;

const marked = <T>(value: T, event: DpEvent, source: NoiseSource): Released<T> => ({
  value,
  event: source.secure ? event : unsupported(NOT_PRIVATE),
  noise: source.label,
});

/** The index of a high score, with probability proportional to exp(epsilon score / (2 sensitivity)): McSherry and Talwar 2007. Rejection from the uniform choice. */
export function exponentialMechanism(scores: ArrayLike<number>, spec: SelectionSpec): Released<number> {
  const { source, accept, count } = prepare(scores, spec);
  for (;;) {
    const i = uniformBelow(source, count);
    if (accept(i)) return marked(i, exponentialEvent(spec.epsilon), source);
  }
}

/** Never worse than the exponential mechanism at the same epsilon: McKenna and Sheldon 2020, "Permute-and-flip", algorithm 1. It is report-noisy-max with exponential noise. */
export function permuteAndFlip(scores: ArrayLike<number>, spec: SelectionSpec): Released<number> {
  const { source, accept, count } = prepare(scores, spec);
  for (const i of permutation(source, count)) if (accept(i)) return marked(i, pure(spec.epsilon), source);
  throw new MarauderError("INTERNAL", "internal: permute-and-flip must accept the best score");
}

/** The index of the largest score after discrete Laplace noise; only the index is released (Dwork and Roth 2014, claim 3.9). Ties go by a random order. */
export function reportNoisyMax(scores: ArrayLike<number>, spec: SelectionSpec): Released<number> {
  const { source, steps, count } = prepare(scores, spec);
  const scale = Math.ceil((2 * (STEPS + 1)) / spec.epsilon);
  let best = -Infinity;
  let at = 0;
  for (const i of permutation(source, count)) {
    const noisy = steps[i]! + discreteLaplaceSample(source, scale);
    if (noisy > best) [best, at] = [noisy, i];
  }
  return marked(at, pure(spec.epsilon), source);
}

export interface Threshold {
  /** True for the first score that seems to be above, after which it is spent; the cost is that of the whole sequence. */
  ask(score: number): boolean;
  readonly spent: boolean;
  readonly event: DpEvent;
  readonly noise: string;
}

/** Answers "below" any number of times and "above" once: the sparse vector technique (Dwork and Roth 2014, algorithm 1), with discrete Laplace noise. */
export function aboveThreshold(threshold: number, spec: SelectionSpec): Threshold {
  const { source = secureSource(), epsilon } = spec;
  check(spec);
  const toSteps = stepsOf(spec.sensitivity);
  const bar = toSteps(threshold) + discreteLaplaceSample(source, Math.ceil((2 * (STEPS + 1)) / epsilon));
  let spent = false;
  return {
    ask(score) {
      if (spent)
        throw new MarauderError("BUDGET_SPENT", "this threshold has answered above; make a new one, at its own cost");
      spent = toSteps(score) + discreteLaplaceSample(source, Math.ceil((4 * (STEPS + 1)) / epsilon)) >= bar;
      return spent;
    },
    get spent() {
      return spent;
    },
    event: source.secure ? pure(epsilon) : unsupported(NOT_PRIVATE),
    noise: source.label,
  };
}

/** The true answer, or with probability `noise` a uniform one of `buckets` (Warner 1965). */
export function randomizeResponse(
  answer: number,
  { noise, buckets, source = secureSource() }: { noise: number; buckets: number; source?: NoiseSource },
): Released<number> {
  const event = randomizedResponse(noise, buckets);
  if (!Number.isInteger(answer) || answer < 0 || answer >= buckets)
    throw new MarauderError("OPTION_RANGE", `an answer must be a whole number from 0 to ${buckets - 1}, got ${answer}`);
  const uniform = bernoulli(source, ratioOf(noise));
  return marked(uniform ? uniformBelow(source, buckets) : answer, event, source);
}

function prepare(scores: ArrayLike<number>, spec: SelectionSpec) {
  check(spec);
  const count = scores.length;
  if (count === 0) throw new MarauderError("OPTION_RANGE", "a selection needs at least one score, got none");
  const source = spec.source ?? secureSource();
  const steps = Array.from(scores, stepsOf(spec.sensitivity));
  const top = steps.reduce((a, b) => Math.max(a, b), -Infinity);
  const { n, d } = ratioOf(spec.epsilon);
  const denominator = d * BigInt(2 * (STEPS + 1));
  /** True with probability exp(-epsilon (top - score) / (2 sensitivity)). */
  const accept = (i: number): boolean => {
    const gap = top - steps[i]!;
    const near = (spec.epsilon * gap) / (2 * (STEPS + 1));
    return bernoulliExp(source, near, near * 2 ** -49, () => ({ n: n * BigInt(gap), d: denominator }));
  };
  return { source, accept, count, steps };
}

function stepsOf(sensitivity: number): (score: number) => number {
  return (score) => {
    const steps = Math.round((score / sensitivity) * STEPS);
    return Number.isNaN(steps) ? -LARGEST : Math.min(LARGEST, Math.max(-LARGEST, steps));
  };
}

function permutation(source: NoiseSource, n: number): number[] {
  const order = Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = uniformBelow(source, i + 1);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}

function check({ epsilon, sensitivity }: SelectionSpec): void {
  if (!(epsilon >= 1e-6 && epsilon <= 1e3 && sensitivity > 0 && Number.isFinite(sensitivity)))
    throw new MarauderError(
      "OPTION_RANGE",
      `a selection needs an epsilon from 1e-6 to 1000 and a sensitivity above 0, got ${epsilon} and ${sensitivity}`,
    );
}
