import { MarauderError } from "../../errors.ts";
import { losses } from "../losses.ts";
import type { Augmentation, LossId, OptimizerId, ScheduleId } from "../trainer.ts";

/** How the noisy gradients are used: all of it is post-processing and free, but tuning it on the data is not. */
export interface PrivateTrainOptions {
  readonly loss: LossId;
  readonly optimizer: OptimizerId;
  readonly learningRate: number;
  readonly momentum: number;
  readonly nesterov: boolean;
  readonly weightDecay: number;
  readonly schedule: ScheduleId;
  readonly warmUp: number | null;
  readonly stepEvery: number;
  readonly stepFactor: number;
  /** Decay of the moving average of the weights that the training ends with; 0 ends with the last weights. */
  readonly ema: number;
  /** Random changes of images; null uses records as they are. */
  readonly augment: Augmentation | null;
  /**
   * Changed views of each record in a step, whose gradients are averaged before the clipping: free in privacy (De, Berrada,
   * Hayes, Smith and Balle 2022, section 3.2).
   */
  readonly multiplicity: number;
  /** Most records that are computed together. */
  readonly rows: number;
}

const defaults: PrivateTrainOptions = {
  loss: "cross-entropy",
  optimizer: "sgd",
  learningRate: 0.5,
  momentum: 0.9,
  nesterov: false,
  weightDecay: 0,
  schedule: "constant",
  warmUp: null,
  stepEvery: 1 / 3,
  stepFactor: 0.1,
  ema: 0,
  augment: null,
  multiplicity: 1,
  rows: 64,
};
const ranges: Readonly<Record<string, readonly [low: number, high: number]>> = {
  learningRate: [0, 1000],
  momentum: [0, 0.9999],
  weightDecay: [0, 100],
  warmUp: [0, 1],
  stepEvery: [1e-6, 1],
  stepFactor: [0, 1],
  ema: [0, 0.999999],
  rows: [1, 256],
  multiplicity: [1, 64],
};
const choices: Readonly<Record<string, readonly unknown[]>> = {
  loss: Object.keys(losses),
  optimizer: ["sgd", "adam"],
  schedule: ["constant", "cosine", "step", "one-cycle"],
  nesterov: [true, false],
};

/** Fills in defaults and checks. Throws OPTION_UNKNOWN and OPTION_RANGE. */
export function resolvePrivateOptions(given: Partial<PrivateTrainOptions>): PrivateTrainOptions {
  const set = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const options = { ...defaults, ...set } as PrivateTrainOptions;
  for (const [name, value] of Object.entries(options)) {
    const refuse = (expected: string): never => {
      throw new MarauderError(
        "OPTION_RANGE",
        `private training: ${name} must be ${expected}, got ${JSON.stringify(value)}`,
      );
    };
    const [low, high] = ranges[name] ?? [];
    if (low !== undefined && !(value === null && name === "warmUp")) {
      if (typeof value !== "number" || !(value >= low && value <= high!)) refuse(`a number from ${low} to ${high}`);
      if ((name === "rows" || name === "multiplicity") && !Number.isInteger(value)) refuse("a whole number");
    } else if (name in choices) {
      if (!choices[name]!.includes(value)) refuse(`one of ${choices[name]!.join(", ")}`);
    } else if (name === "augment") {
      const { shift, flip } = options.augment ?? { shift: 0, flip: false };
      if (!(Number.isInteger(shift) && shift >= 0 && typeof flip === "boolean"))
        refuse("a whole shift from 0 and flip true or false");
    } else if (low === undefined) {
      const known = Object.keys(defaults).join(", ");
      throw new MarauderError(
        "OPTION_UNKNOWN",
        `private training has no option ${JSON.stringify(name)}; expected one of ${known}`,
      );
    }
  }
  return options;
}

/** The same as options of the shared optimizers and schedules. */
export const updateOptionsOf = (options: PrivateTrainOptions) => ({
  ...options,
  decay: null,
  decayed: "all" as const,
  // The clipping that counts is that of each example; a second one of the noisy sum would be free, and useless.
  clipNorm: null,
});
