import { mechanisms } from "../../privacy/index.ts";
import { gridOf, type GridSum, type PrivateNoise } from "./noise.ts";
import type { PrivatePlan } from "./plan.ts";

/** The clip norm from step to step: fixed, or after a noisy count of the gradients below it. */
export interface Bound {
  readonly norm: number;
  /** The sum of this step, whose noise goes with the norm. */
  sum(): GridSum;
  see(norms: Float32Array): void;
  /** The norm of the next step. */
  move(): void;
  /** What a checkpoint keeps. */
  state(): Float32Array[];
}

/**
 * Andrew et al. 2021, algorithm 1. Each record adds 1/2 to the count when its norm is below C and -1/2 when not, which a
 * record more or less changes by 1/2; noise of countNoise on it and a little more noise on the gradient cost together
 * what the plan accounts for (theorem 1).
 */
export function adaptiveBound(
  plan: PrivatePlan,
  noise: PrivateNoise,
  source: mechanisms.NoiseSource,
  left?: Float32Array,
): Bound {
  const { adaptiveClip, expectedBatch } = plan;
  let norm = left?.[0] ?? Math.fround(plan.clip);
  if (adaptiveClip === null) {
    const sum = noise.open(plan.clip);
    return { norm: plan.clip, sum: () => sum, see: () => {}, move: () => {}, state: () => [] };
  }
  const { quantile, rate, countNoise } = adaptiveClip;
  // Halves lie on the grid, so the count itself is exact.
  const deviation = countNoise * (plan.addedSigma / plan.sigma);
  const grid = gridOf(deviation);
  const draw = mechanisms.discreteGaussianSampler(source, Math.ceil(deviation / grid));
  let count = 0;
  return {
    get norm() {
      return norm;
    },
    sum: () => noise.open(norm),
    see(norms) {
      for (const n of norms) count += n <= norm ? 0.5 : -0.5;
    },
    move() {
      const noisy = count + draw() * grid;
      const share = Math.min(1, Math.max(0, noisy / expectedBatch + 0.5));
      norm = Math.fround(norm * Math.exp(-rate * (share - quantile)));
      count = 0;
    },
    state: () => [Float32Array.of(norm)],
  };
}
