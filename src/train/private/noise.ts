import { MarauderError } from "../../errors.ts";
import { mechanisms } from "../../privacy/index.ts";
import { GRID_DELTA, type PrivatePlan } from "./plan.ts";

/**
 * Noise has a parameter of 2^37 to 2^38 grid steps: whole numbers in doubles, as fine as the exact sampler goes.
 */
const FINEST = 2 ** 38;
const LARGEST = 2 ** 51;

/** Sums of clipped gradients as whole numbers on a grid that is fixed before any data are seen. */
export interface GridSum {
  /** Adds the sum of one group of clipped gradients. */
  add(values: ArrayLike<number>): void;
  /** The sum with noise, over `divisor`; clears it. */
  release(divisor: number): Float32Array;
}

export interface PrivateNoise {
  /** Noise over clip norm as added. */
  readonly sigma: number;
  /** A sum of `dimension` numbers, of which one record contributes at most `norm`; noise of `sigma` times `norm` is added. */
  open(norm: number): GridSum;
}

/**
 * Exact discrete Gaussian noise (Canonne, Kamath and Steinke 2020) for a plan's steps. The accountant's Gaussian is
 * continuous; `gridCost` is what the difference costs, and the plan's noise is wider than accounted to pay for it.
 * Throws OPTION_RANGE where it does not.
 */
export function openNoise(plan: PrivatePlan, source: mechanisms.NoiseSource, dimension: number): PrivateNoise {
  if (!(gridCost(plan, dimension) <= plan.gridEpsilon)) {
    throw new MarauderError(
      "OPTION_RANGE",
      `a private training of ${dimension} parameters in ${plan.steps} steps needs a finer noise grid than there is; train ` +
        "fewer parameters (the last layers), or take fewer steps",
    );
  }
  return noiseOf(gradientSigma(plan, plan.addedSigma), source, dimension, plan);
}

/**
 * Epsilon that the noise's grid costs. Discrete noise of parameter s, spread over its cell, has at y (in grid steps, u from
 * the middle of its cell) the log-density ratio (2 y u - u^2) / (2 s^2) to the continuous one, up to exp(-s^2); its mean is
 * 1 / (24 s^2), and where |y| <= k s it is at most (k + 1) / (2 s). By Azuma and Hoeffding the sum over all coordinates of
 * all steps is within eta but for a probability beta, under either noise; so (epsilon, delta) for the continuous noise is
 * (epsilon + 2 eta, exp(eta) delta + 2 exp(epsilon + eta) beta) for the discrete one. beta is set to the share of delta that
 * the plan keeps for it.
 */
export function gridCost({ steps, delta, targetEpsilon }: PrivatePlan, dimension: number): number {
  const s = FINEST / 2;
  const m = (steps + 1) * (dimension + 1); // one more for a mean that was released before
  const logBeta = Math.log((delta * GRID_DELTA) / 8) - targetEpsilon - 1;
  const k = Math.sqrt(2 * (Math.log(4 * m) - logBeta));
  const eta = ((k + 1) / (2 * s)) * Math.sqrt(2 * m * (Math.log(4) - logBeta)) + m / (24 * s ** 2);
  return Math.expm1(eta) <= GRID_DELTA / 2 ? 2 * eta : Infinity;
}

/** With an adaptive clip a part of the privacy goes to the noisy count (Andrew et al. 2021, theorem 1). */
function gradientSigma({ adaptiveClip }: PrivatePlan, sigma: number): number {
  return adaptiveClip === null ? sigma : (sigma ** -2 - (2 * adaptiveClip.countNoise) ** -2) ** -0.5;
}

/** The grid for noise of a deviation: a power of two. */
export const gridOf = (deviation: number): number => 2 ** Math.ceil(Math.log2(deviation / FINEST));

function noiseOf(
  sigma: number,
  source: mechanisms.NoiseSource,
  dimension: number,
  { order, stepsPerEvent }: PrivatePlan,
): PrivateNoise {
  return {
    sigma,
    open(norm) {
      const deviation = sigma * norm;
      const grid = gridOf(deviation);
      const draw = mechanisms.discreteGaussianSampler(source, Math.ceil(deviation / grid));
      const noise = order === "poisson" ? draw : treeNoise(draw, dimension, stepsPerEvent);
      const sum = new Float64Array(dimension);
      return {
        add(values) {
          for (let i = 0; i < dimension; i++) {
            const steps = Math.round(values[i]! / grid);
            sum[i]! += Number.isNaN(steps) ? 0 : steps;
          }
        },
        release(divisor) {
          const out = new Float32Array(dimension);
          for (let i = 0; i < dimension; i++) {
            const kept = Math.min(LARGEST, Math.max(-LARGEST, sum[i]!));
            out[i] = ((kept + noise(i)) * grid) / divisor;
          }
          sum.fill(0);
          return out;
        },
      };
    },
  };
}

/**
 * Noise of prefix sums by the binary tree (Dwork, Naor, Pitassi and Rothblum 2010), as what each step adds to it: step t
 * closes the node of its lowest set bit, which takes the place of the smaller nodes before it. Each epoch has a tree of
 * its own. Coordinates are asked in order, all of them in each step.
 */
function treeNoise(draw: () => number, dimension: number, steps: number): (coordinate: number) => number {
  const levels: Float64Array[] = [];
  let t = 0;
  let level = 0;
  return (i) => {
    if (i === 0) {
      if (t === steps) {
        t = 0;
        levels.length = 0;
      }
      t++;
      level = Math.clz32(t & -t) ^ 31;
      while (levels.length <= level) levels.push(new Float64Array(dimension));
    }
    let change = draw();
    const fresh = change;
    for (let l = 0; l < level; l++) {
      change -= levels[l]![i]!;
      levels[l]![i] = 0;
    }
    levels[level]![i] = fresh;
    return change;
  };
}
