import { MarauderError } from "../../errors.ts";
import * as dp from "../../privacy/index.ts";
import { seeded } from "../../random/index.ts";

/** Follows the norm of the gradients: Andrew, Thakkar, McMahan and Ramaswamy 2021, algorithm 1. */
export interface AdaptiveClip {
  /** Share of the gradients that should stay whole. */
  readonly quantile: number;
  /** How fast the bound moves: C <- C exp(-rate (share below C - quantile)). */
  readonly rate: number;
  /** Standard deviation of the noise on the count, in records. */
  readonly countNoise: number;
}

export interface PrivatePlanSpec {
  /** Number of training records; taken as public. */
  readonly records: number;
  /** Expected number of records in a step. */
  readonly batch: number;
  /** Number of steps, or `epochs` expected passes over the data. */
  readonly steps?: number;
  readonly epochs?: number;
  readonly targetEpsilon: number;
  /** Default: 1 / records^1.1, at most 1e-5. */
  readonly delta?: number;
  /** L2 norm that one record's gradient is cut to. */
  readonly clip: number;
  /** Default "add-or-remove"; "zero-out" for a shuffled order, where the number of records is public. */
  readonly adjacency?: dp.Adjacency;
  /**
   * "poisson" (the default): each step draws its records anew, which hides who took part. "shuffled": batches of equal size
   * go through a shuffled epoch, as loaders do; shuffling proves next to nothing, so the noise is that of tree aggregation
   * (Kairouz, McMahan, Song, Thakkar, Thakurta and Xu 2021, "DP-FTRL"), which needs no sampling.
   */
  readonly order?: "poisson" | "shuffled";
  /** Most records of one step; default the expected number and six of its standard deviations, which costs nothing. */
  readonly cap?: number;
  readonly adaptiveClip?: Partial<AdaptiveClip>;
  /** What is spent on these data beside the steps and counted in the same target: the event of a `privateMean`, say. */
  readonly also?: readonly dp.DpEvent[];
  /** Repeatable batches and noise, for tests and teaching: such a plan is NOT PRIVATE, and its events cost what nobody knows. */
  readonly seed?: number | string;
}

/**
 * All that sampling, clipping, noise and account of one training have in common, so that they cannot disagree. Only
 * `calibratePlan` makes one; the trainer refuses anything else.
 */
export interface PrivatePlan {
  readonly order: "poisson" | "shuffled";
  readonly records: number;
  /** Probability that a record takes part in a step: a multiple of 2^-32, drawn exactly. */
  readonly rate: number;
  /** rate times records: what the noisy sum is divided by, whatever the number of records in the batch. */
  readonly expectedBatch: number;
  readonly cap: number;
  readonly steps: number;
  /** Standard deviation of the noise over the clip norm, as accounted. */
  readonly sigma: number;
  /** The same as added, a little more. */
  readonly addedSigma: number;
  /** The epsilon that the difference of the two leaves for the grid of the noise (`openNoise`). */
  readonly gridEpsilon: number;
  readonly clip: number;
  readonly adaptiveClip: AdaptiveClip | null;
  readonly delta: number;
  readonly adjacency: dp.Adjacency;
  /** Steps that one event covers: 1, or those of a shuffled epoch. */
  readonly stepsPerEvent: number;
  /** What the sampler emits: in each step, or at the beginning of a shuffled epoch. */
  readonly event: dp.DpEvent;
  /** What else is counted in the target. */
  readonly also: readonly dp.DpEvent[];
  readonly targetEpsilon: number;
  /** What the account of all events says: at most the target. */
  readonly epsilon: number;
  /** "system", or "NOT PRIVATE: seeded noise". */
  readonly noise: string;
}

const made = new WeakMap<PrivatePlan, (run: number) => dp.mechanisms.NoiseSource>();

/** Sampling rates are whole numbers of these. */
export const RATE_STEPS = 2 ** 32;
const SIGMAS = [0.15, 1000] as const;
/** Noise that is added beyond what is accounted, and the share of delta that is kept: both pay for the noise's grid. */
const EXTRA = 2 ** -10;
export const GRID_DELTA = 2 ** -10;

/**
 * Finds the least noise that keeps a training within its target (loss distributions, rounded towards more privacy) and
 * fixes it in a plan. Throws OPTION_RANGE where a number makes no sense, the batch is larger than the data or the target
 * cannot be reached.
 */
export function calibratePlan(spec: PrivatePlanSpec): PrivatePlan {
  const { records, batch, targetEpsilon, clip, order = "poisson" } = spec;
  const adjacency = spec.adjacency ?? (order === "poisson" ? "add-or-remove" : "zero-out");
  if (order !== "poisson" && order !== "shuffled") refuse("order", "poisson or shuffled", order);
  whole("records", records, 2);
  range("clip", clip, 1e-30, 1e30);
  if (!(batch > 0 && batch <= records)) {
    throw new MarauderError(
      "OPTION_RANGE",
      `a private training needs an expected batch above 0 and of at most the ${records} records, got ${batch}; lower the batch`,
    );
  }
  if (!dp.adjacencies.includes(adjacency)) refuse("adjacency", `one of ${dp.adjacencies.join(", ")}`, adjacency);
  const delta = spec.delta ?? Math.min(1e-5, records ** -1.1);
  range("delta", delta, dp.DELTA_FLOOR, 0.999);
  if (delta >= 1 / records) {
    throw new MarauderError(
      "OPTION_RANGE",
      `delta ${delta} is not below 1/${records}: publishing one record at random would satisfy it; give at most ${(0.1 / records).toPrecision(2)}`,
    );
  }
  if ((spec.steps === undefined) === (spec.epochs === undefined)) {
    throw new MarauderError("OPTION_RANGE", "a private training needs either steps or epochs");
  }
  const sizes = order === "poisson" ? poissonSizes(spec) : shuffledSizes(spec);
  const { rate, cap, steps, stepsPerEvent } = sizes;
  whole("cap", cap, 1);
  whole("steps", steps, 1);
  const adaptiveClip = adaptiveOf(spec.adaptiveClip, rate * records);
  if (adaptiveClip !== null && order === "shuffled") refuse("adaptiveClip", "left out with a shuffled order", "it");
  const also = Object.freeze((spec.also ?? []).map((event, i) => dp.parseEvent(event, `also[${i}]`)));
  const eventWith = (sigma: number): dp.DpEvent => eventOf({ ...sizes, order, records, sigma });
  const all = (sigma: number): dp.DpEvent => wholeOf(also, eventWith(sigma), steps / stepsPerEvent);
  range("targetEpsilon", targetEpsilon, 1e-6, 1e6);
  const culprit = dp.unsupportedByPld(all(1), adjacency);
  if (culprit !== null) throw new MarauderError("USAGE", `no account for this training: ${culprit.reason}`);
  const epsilonAt = (sigma: number, d: number): number => dp.pldOf(all(sigma), adjacency).epsilon(d);
  const found = once(JSON.stringify([all(1), adjacency, delta, steps, targetEpsilon]), () => {
    const least = lowestSigma((sigma) => epsilonAt(sigma, delta), rdpSigma(), steps, targetEpsilon);
    const gridEpsilon = least.epsilon - epsilonAt(least.value * (1 + EXTRA), delta * (1 - GRID_DELTA));
    return { ...least, gridEpsilon };
  });
  if (adaptiveClip !== null && adaptiveClip.countNoise <= found.value / 2) {
    refuse("countNoise", `above ${found.value / 2}, so that noise is left for the gradient`, adaptiveClip.countNoise);
  }
  /** The Rényi account is quick, and never below the other one. */
  function rdpSigma(): number | null {
    if (dp.unsupportedByRdp(all(1), adjacency) !== null) return null;
    const at = (sigma: number): number => dp.epsilonFromRdp(dp.rdpOf(all(sigma), adjacency), delta).epsilon;
    try {
      return dp.calibrate({ epsilonAt: at, target: targetEpsilon, low: SIGMAS[0], high: SIGMAS[1], tolerance: 1e-3 })
        .value;
    } catch {
      return null;
    }
  }
  const source =
    spec.seed === undefined
      ? dp.mechanisms.secureSource
      : (run: number) => dp.mechanisms.seededSource(seeded(spec.seed!).child("private").child(run));
  const plan: PrivatePlan = Object.freeze({
    order,
    records,
    rate,
    expectedBatch: order === "poisson" ? rate * records : cap,
    cap,
    steps,
    stepsPerEvent,
    sigma: found.value,
    addedSigma: found.value * (1 + EXTRA),
    gridEpsilon: found.gridEpsilon,
    clip,
    adaptiveClip,
    delta,
    adjacency,
    event: spec.seed === undefined ? eventWith(found.value) : dp.unsupported(dp.mechanisms.NOT_PRIVATE),
    also,
    targetEpsilon,
    epsilon: spec.seed === undefined ? found.epsilon : Infinity,
    noise: source(0).label,
  });
  // The seed stays out of the plan: plans are printed and written, and who knows the seed subtracts the noise.
  made.set(plan, source);
  return plan;
}

interface Least extends dp.Calibrated {
  readonly gridEpsilon: number;
}
const KEPT = 32;
const leasts = new Map<string, Least>();

/** The least noise for a target takes seconds to find: plans that differ in their clip norm or seed alone share it. */
function once(key: string, find: () => Least): Least {
  const known = leasts.get(key);
  if (known !== undefined) return known;
  const found = find();
  if (leasts.size >= KEPT) leasts.delete(leasts.keys().next().value!);
  leasts.set(key, found);
  return found;
}

/** All events of a plan as one. */
export const wholeOf = (also: readonly dp.DpEvent[], event: dp.DpEvent, count: number): dp.DpEvent =>
  dp.composed([...also, dp.repeated(event, count)]);

type Sizes = Pick<PrivatePlan, "rate" | "cap" | "steps" | "stepsPerEvent">;

function poissonSizes({ records, batch, cap, steps, epochs }: PrivatePlanSpec): Sizes {
  const rate = Math.max(1, Math.floor((batch / records) * RATE_STEPS)) / RATE_STEPS;
  return {
    rate,
    cap: cap ?? Math.min(records, Math.ceil(batch + 6 * Math.sqrt(batch) + 1)),
    steps: steps ?? Math.max(1, Math.round(epochs! / rate)),
    stepsPerEvent: 1,
  };
}

/** Whole epochs of whole batches: what is left over of an epoch is left out. */
function shuffledSizes({ records, batch, cap, steps, epochs }: PrivatePlanSpec): Sizes {
  whole("batch of a shuffled order", batch, 1);
  if (cap !== undefined) refuse("cap", "left out with a shuffled order", cap);
  const perEpoch = Math.floor(records / batch);
  const passes = epochs ?? Math.max(1, Math.round(steps! / perEpoch));
  whole("epochs of a shuffled order", passes, 1);
  return { rate: batch / records, cap: batch, steps: passes * perEpoch, stepsPerEvent: perEpoch };
}

/** What a plan of these sizes emits. */
function eventOf(plan: Pick<PrivatePlan, keyof Sizes | "order" | "records" | "sigma">): dp.DpEvent {
  const { order, rate, cap, records, sigma, stepsPerEvent } = plan;
  return order === "poisson"
    ? dp.truncatedPoissonSampled(rate, cap, records, dp.gaussian(sigma))
    : dp.treeAggregation(sigma, stepsPerEvent);
}

/** `guess` is a value that is known to be enough, or null: the search for the least one begins below it. */
function lowestSigma(
  epsilonAt: (sigma: number) => number,
  guess: number | null,
  steps: number,
  target: number,
): dp.Calibrated {
  const [low, high] = SIGMAS;
  if (guess !== null && guess > 2 * low && guess < high) {
    const near = guess * 0.75;
    const found = dp.calibrate({ epsilonAt, target, low: near, high: guess * 1.001, tolerance: 1e-4 });
    if (found.value > near) return found;
  }
  try {
    return dp.calibrate({ epsilonAt, target, low, high, tolerance: 1e-4 });
  } catch (error) {
    if (!(error instanceof MarauderError) || error.code !== "OPTION_RANGE") throw error;
    throw new MarauderError(
      "OPTION_RANGE",
      `epsilon ${target} cannot be reached in ${steps} steps: even noise of ${high} times the clip norm gives ` +
        `${epsilonAt(high).toPrecision(3)}; take fewer steps, a smaller batch, a larger cap or a larger epsilon`,
      { cause: error },
    );
  }
}

function adaptiveOf(given: Partial<AdaptiveClip> | undefined, expected: number): AdaptiveClip | null {
  if (given === undefined) return null;
  const { quantile = 0.5, rate = 0.2, countNoise = Math.max(5, expected / 20) } = given;
  range("quantile", quantile, 0.001, 0.999);
  range("rate of the adaptive clip", rate, 1e-6, 10);
  range("countNoise", countNoise, 1e-3, 1e9);
  return Object.freeze({ quantile, rate, countNoise });
}

/** A fresh noise source of a plan; a seeded one is another for each number of steps that are spent already. Throws PLAN_INVALID for anything that `calibratePlan` did not make. */
export function sourceOf(plan: PrivatePlan, spent = 0): dp.mechanisms.NoiseSource {
  const source = made.get(plan);
  if (source !== undefined) return source(spent);
  throw new MarauderError(
    "PLAN_INVALID",
    `the private plan is refused: ${whyNot(plan)}; make plans with calibratePlan, and do not change them`,
  );
}

function whyNot(plan: PrivatePlan): string {
  try {
    const { rate, sigma, steps, stepsPerEvent, adjacency, delta, epsilon, also } = plan;
    const event = wholeOf(also, eventOf(plan), steps / stepsPerEvent);
    const true_ = dp.pldOf(event, adjacency).epsilon(delta);
    if (true_ > epsilon * (1 + 1e-9)) {
      return `its ${steps} steps at rate ${rate} with sigma ${sigma} cost epsilon ${true_.toPrecision(6)}, it claims ${epsilon}`;
    }
  } catch {
    // Not even the fields of a plan.
  }
  return "it was not made by calibratePlan, or was copied and changed";
}

const refuse = (name: string, expected: string, got: unknown): never => {
  throw new MarauderError("OPTION_RANGE", `private training: ${name} must be ${expected}, got ${String(got)}`);
};
function whole(name: string, value: number, least: number): void {
  if (!Number.isSafeInteger(value) || value < least) refuse(name, `a whole number from ${least}`, value);
}
function range(name: string, value: number, low: number, high: number): void {
  if (!(value >= low && value <= high)) refuse(name, `a number from ${low} to ${high}`, value);
}
