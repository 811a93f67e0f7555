import { MarauderError } from "../../errors.ts";
import { discreteGaussian, discreteLaplace, unsupported, type DpEvent } from "../events.ts";
import { discreteGaussianSampler, discreteLaplaceOfRatio, discreteLaplaceSample, ratioOf } from "./exact.ts";
import { NOT_PRIVATE, secureSource, type NoiseSource } from "./source.ts";

/** A mechanism that adds noise to numbers. */
export interface Additive {
  /** What one release costs. With seeded noise an event that no accountant knows. */
  readonly event: DpEvent;
  /** "system", or "NOT PRIVATE: seeded noise". */
  readonly noise: string;
  /** Distance of the grid that values and noise lie on, fixed before any data are seen. */
  readonly grid: number;
  /** Values with noise. NaN counts as 0 and what is too large for the grid is clipped: no error may tell about data. */
  release(values: ArrayLike<number>): Float64Array;
}

export interface AdditiveSpec {
  /** Standard deviation (Gaussian) or scale b (Laplace) of the noise, in the units of the values. */
  readonly noise: number;
  /** L2 (Gaussian) or L1 (Laplace) norm of one record's contribution. */
  readonly sensitivity: number;
  /** Number of values of one release. */
  readonly dimension?: number;
  /** The system's generator unless given. */
  readonly source?: NoiseSource;
}

/** Grid steps in the noise: fine enough that rounding costs next to nothing, coarse enough for exact whole numbers. */
const STEPS = 2 ** 30;
const LARGEST = 2 ** 50;

/** Values are rounded to a grid and get discrete Gaussian noise, exact; rounding is part of the sensitivity. Throws OPTION_RANGE. */
export function gaussianMechanism(spec: AdditiveSpec): Additive {
  const { grid, scale, dimension, source } = gridOf(spec);
  const sensitivity = spec.sensitivity / grid + Math.sqrt(dimension);
  const event = discreteGaussian(scale, sensitivity, dimension);
  return additive(event, grid, dimension, source, discreteGaussianSampler(source, scale));
}

/** The same with discrete Laplace noise. */
export function laplaceMechanism(spec: AdditiveSpec): Additive {
  const { grid, scale, dimension, source } = gridOf(spec);
  const sensitivity = Math.ceil(spec.sensitivity / grid) + dimension;
  const event = discreteLaplace(1 / scale, sensitivity);
  return additive(event, grid, dimension, source, () => discreteLaplaceSample(source, scale));
}

/** Whole numbers with two-sided geometric noise of scale b = `noise`; a contribution changes them by at most `sensitivity` in all. Throws OPTION_RANGE. */
export function geometricMechanism(spec: AdditiveSpec): Additive {
  check(Number.isInteger(spec.sensitivity), "a whole sensitivity", spec.sensitivity);
  const { dimension, source } = gridOf(spec);
  const scale = ratioOf(spec.noise);
  // 1 / b as a double, rounded up: the event never claims less than the noise gives.
  const event = discreteLaplace((1 / spec.noise) * (1 + 2 ** -52), spec.sensitivity);
  return additive(event, 1, dimension, source, () => Number(discreteLaplaceOfRatio(source, scale)));
}

function gridOf({ noise, sensitivity, dimension = 1, source = secureSource() }: AdditiveSpec): {
  grid: number;
  scale: number;
  dimension: number;
  source: NoiseSource;
} {
  check(noise > 0 && Number.isFinite(noise), "noise above 0", noise);
  check(sensitivity > 0 && Number.isFinite(sensitivity), "a sensitivity above 0", sensitivity);
  check(Number.isSafeInteger(dimension) && dimension > 0, "a whole dimension from 1", dimension);
  const grid = 2 ** Math.floor(Math.log2(noise / STEPS));
  check(grid > 2 ** -1000, "noise that is not tiny", noise);
  return { grid, scale: Math.ceil(noise / grid), dimension, source };
}

function additive(event: DpEvent, grid: number, dimension: number, source: NoiseSource, draw: () => number): Additive {
  return {
    event: source.secure ? event : unsupported(NOT_PRIVATE),
    noise: source.label,
    grid,
    release(values) {
      check(values.length === dimension, `${dimension} values`, values.length);
      return Float64Array.from(values, (value) => {
        const steps = Math.round(value / grid);
        const clipped = Number.isNaN(steps) ? 0 : Math.min(LARGEST, Math.max(-LARGEST, steps));
        return (clipped + draw()) * grid;
      });
    },
  };
}

function check(holds: boolean, expected: string, got: number): void {
  if (!holds) throw new MarauderError("OPTION_RANGE", `a noise mechanism needs ${expected}, got ${got}`);
}
