import { MarauderError } from "../errors.ts";
import { losses } from "./losses.ts";
import type { Arch, LossId, StepOptions, TrainOptions } from "./trainer.ts";

export const architectures: readonly Arch[] = ["logistic", "mlp", "cnn", "resnet"];
/** Architectures that take images [C, H, W]. */
export const ofImages = (arch: Arch): boolean => arch === "cnn" || arch === "resnet";

/** Defaults that reach good accuracy fast; `steps` is how many steps the architecture wants at least. */
const defaults = {
  logistic: { learningRate: 0.05, weightDecay: 1e-4, batch: 128, steps: 300, minEpochs: 5, maxEpochs: 300, hidden: [] },
  mlp: {
    learningRate: 0.01,
    weightDecay: 1e-3,
    batch: 128,
    steps: 500,
    minEpochs: 5,
    maxEpochs: 200,
    hidden: [64, 64],
  },
  cnn: { learningRate: 5e-3, weightDecay: 0.01, batch: 32, steps: 500, minEpochs: 3, maxEpochs: 60, hidden: [64] },
  resnet: { learningRate: 5e-3, weightDecay: 0.01, batch: 64, steps: 500, minEpochs: 5, maxEpochs: 60, hidden: [] },
} as const;

/** What is trained already needs small steps. */
const furtherDefaults = { learningRate: 1e-3, batch: 32, steps: 300, minEpochs: 1 } as const;

/** Tables of up to so many rows are trained in one batch, in so many steps. */
const WHOLE_ROWS = 256;
const WHOLE_STEPS = 150;

/**
 * Fills in what was left out, for a data set of `size` rows, and checks every value. Throws UNKNOWN_ID for an unknown
 * architecture, OPTION_UNKNOWN and OPTION_RANGE. Default architecture: mlp for tables, cnn for [C, H, W].
 * `further`: a given model is trained, which has an architecture and weights.
 */
export function resolveTrainOptions(
  given: Partial<TrainOptions>,
  size: number,
  inputShape: readonly number[],
  further = false,
): TrainOptions {
  if (further) refuseArchitecture(given, ["arch", "hidden", "channels", "blocks"]);
  const arch = given.arch ?? (inputShape.length === 3 ? "cnn" : "mlp");
  if (!architectures.includes(arch)) {
    throw new MarauderError(
      "UNKNOWN_ID",
      `no architecture has the id ${JSON.stringify(arch)}; expected one of ${architectures.join(", ")}`,
    );
  }
  const d = further ? { ...defaults[arch], ...furtherDefaults } : defaults[arch];
  // Few rows of a table are one batch: the step then costs little more than the call, and its gradient is exact.
  const whole = !further && !ofImages(arch) && size <= WHOLE_ROWS;
  const batch = Math.min(given.batch ?? (whole ? size : d.batch), size);
  const steps = batch === size && whole ? WHOLE_STEPS : d.steps;
  const epochs = Math.ceil(steps / Math.ceil(size / Math.max(1, batch)));
  const options: TrainOptions = {
    epochs: Math.min(d.maxEpochs, Math.max(d.minEpochs, epochs)),
    learningRate: given.optimizer === "sgd" ? (further ? 0.005 : 0.05) : d.learningRate,
    weightDecay: given.optimizer === "sgd" ? 1e-4 : d.weightDecay,
    optimizer: "adam",
    momentum: 0.9,
    nesterov: false,
    decay: null,
    decayed: "all",
    schedule: "cosine",
    warmUp: null,
    stepEvery: 1 / 3,
    stepFactor: 0.1,
    clipNorm: null,
    ema: 0,
    loss: "cross-entropy",
    augment: null,
    labelSmoothing: 0,
    hidden: d.hidden,
    channels: arch === "resnet" ? [16, 32, 64] : [16, 32],
    blocks: 2,
    emptyClasses: "refuse",
    rowWeights: null,
    ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
    arch,
    batch,
  };
  check(options, size, inputShape);
  return options;
}

/** A given model is trained, which has an architecture. Throws OPTION_RANGE. */
export function refuseArchitecture<O extends object>(given: O, names: readonly (keyof O & string)[]): void {
  const built = names.find((name) => given[name] !== undefined);
  if (built === undefined) return;
  throw new MarauderError(
    "OPTION_RANGE",
    `training option ${built} must be left out: a given model is trained, and keeps its architecture`,
  );
}

function check(options: TrainOptions, size: number, inputShape: readonly number[]): void {
  checkStepOptions(options, [
    "arch",
    "hidden",
    "channels",
    "blocks",
    "rowWeights",
    "augment",
    "labelSmoothing",
    "emptyClasses",
    "loss",
  ]);
  const { labelSmoothing, emptyClasses, loss } = options;
  if (!(labelSmoothing >= 0 && labelSmoothing <= 0.9999)) {
    throw refuse("labelSmoothing", "a number from 0 to 0.9999", labelSmoothing);
  }
  if (emptyClasses !== "refuse" && emptyClasses !== "allow")
    throw refuse("emptyClasses", "one of refuse, allow", emptyClasses);
  if (!rowLosses.includes(loss)) throw refuse("loss", `one of ${rowLosses.join(", ")}`, loss);
  for (const name of ["hidden", "channels"] as const) {
    const value = options[name];
    const good = Array.isArray(value) && value.every((w) => Number.isInteger(w) && w >= 1 && w <= 8192);
    if (!good) throw refuse(name, "a list of whole numbers from 1 to 8192", value);
  }
  checkAugmentation(options, inputShape);
  if (options.arch === "logistic" && options.hidden.length > 0) {
    throw refuse("hidden", "empty for logistic, which has no hidden layer", options.hidden);
  }
  if (options.channels.length < 1 || options.channels.length > 6) {
    throw refuse("channels", "one to six numbers", options.channels);
  }
  const { blocks } = options;
  if (!Number.isInteger(blocks) || blocks < 1 || blocks > 64)
    throw refuse("blocks", "a whole number from 1 to 64", blocks);
  const weights = options.rowWeights;
  if (weights !== null && (weights.length !== size || !weights.every((w) => w >= 0 && w < Infinity))) {
    throw refuse("rowWeights", `${size} finite weights of at least 0, one for each row`, `${weights.length} weights`);
  }
}

/**
 * Checks the options of the steps, and that there is no option beside them and `others`. Throws OPTION_UNKNOWN and
 * OPTION_RANGE.
 */
export function checkStepOptions(options: Omit<StepOptions, "loss">, others: readonly string[]): void {
  const known = new Set([...Object.keys(ranges), ...Object.keys(choices), "nesterov", ...others]);
  for (const name of Object.keys(options)) {
    if (!known.has(name)) {
      const names = [...known].join(", ");
      throw new MarauderError(
        "OPTION_UNKNOWN",
        `training has no option ${JSON.stringify(name)}; expected one of ${names}`,
      );
    }
  }
  for (const [name, [low, high, whole]] of Object.entries(ranges)) {
    const value = options[name as keyof typeof ranges];
    if (value === null && (name === "warmUp" || name === "clipNorm")) continue;
    if (typeof value !== "number" || !(value >= low && value <= high) || (whole && !Number.isInteger(value))) {
      throw refuse(name, `a ${whole ? "whole " : ""}number from ${low} to ${high}`, value);
    }
  }
  for (const [name, allowed] of Object.entries(choices)) {
    const value = options[name as keyof typeof choices];
    if (!allowed.includes(value!) && !(value === null && name === "decay"))
      throw refuse(name, `one of ${allowed.join(", ")}`, value);
  }
  if (typeof options.nesterov !== "boolean") throw refuse("nesterov", "true or false", options.nesterov);
}

function checkAugmentation({ augment }: TrainOptions, inputShape: readonly number[]): void {
  if (augment === null) return;
  const good = Number.isInteger(augment.shift) && augment.shift >= 0 && typeof augment.flip === "boolean";
  if (!good) throw refuse("augment", "a whole shift of at least 0 and flip true or false", augment);
  if (inputShape.length !== 3) throw refuse("augment", `null for inputs that are no images [C, H, W]`, augment);
}

const ranges = {
  epochs: [1, 100_000, true],
  batch: [1, 1_000_000_000, true],
  learningRate: [0, 100, false],
  weightDecay: [0, 100, false],
  momentum: [0, 0.9999, false],
  warmUp: [0, 1, false],
  stepEvery: [1e-6, 1, false],
  stepFactor: [0, 1, false],
  clipNorm: [1e-30, 1e30, false],
  ema: [0, 0.999999, false],
} as const;

type Choice = "optimizer" | "schedule" | "decay" | "decayed";

const choices: Readonly<Record<Choice, readonly string[]>> = {
  optimizer: ["sgd", "adam"],
  schedule: ["constant", "cosine", "step", "one-cycle"],
  decay: ["l2", "decoupled"],
  decayed: ["all", "weights"],
};

/** The losses of one label a row. */
export const rowLosses = (Object.keys(losses) as LossId[]).filter((id) => losses[id].rank === 2);

export const refuse = (name: string, expected: string, got: unknown): MarauderError =>
  new MarauderError("OPTION_RANGE", `training option ${name} must be ${expected}, got ${JSON.stringify(got)}`);
