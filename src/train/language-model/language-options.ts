import { MarauderError } from "../../errors.ts";
import { checkStepOptions, refuse, refuseArchitecture } from "../train-options.ts";
import type { StepOptions } from "../trainer.ts";
import type { LanguageArch, LanguageSpec } from "./architectures.ts";

export const languageArchitectures: readonly LanguageArch[] = ["char-lstm", "gpt"];

/** How to train a language model; the loss is next-token, the context that of the examples. */
export interface LanguageOptions
  extends Omit<StepOptions, "loss">, Pick<LanguageSpec, "width" | "layers" | "heads" | "embedding" | "tied"> {
  readonly arch: LanguageArch;
  /** Moves windows over a text by up to T tokens, by another number in each epoch; records never move. */
  readonly moveWindows: boolean;
}

const defaults = {
  "char-lstm": { width: 256, layers: 1, embedding: 64, learningRate: 4e-3, weightDecay: 0, clipNorm: 1 },
  gpt: { width: 128, layers: 4, embedding: 128, learningRate: 1e-3, weightDecay: 0.1, clipNorm: 1 },
} as const;

/** What is trained already needs small steps, and few of them. */
const furtherDefaults = { learningRate: 1e-3, weightDecay: 0 };

const ofArchitecture = ["arch", "width", "layers", "heads", "embedding", "tied"] as const;

/** Steps that a training should have at least, where the number of epochs is left out. */
const STEPS = 1500;
const FURTHER_STEPS = 300;

/**
 * Fills in what was left out for `size` examples, and checks every value. Throws UNKNOWN_ID, OPTION_UNKNOWN, OPTION_RANGE.
 * `further`: a given model is trained, which has an architecture and weights.
 */
export function resolveLanguageOptions(
  given: Partial<LanguageOptions>,
  size: number,
  further = false,
): LanguageOptions {
  if (further) refuseArchitecture(given, ofArchitecture);
  const arch = given.arch ?? "char-lstm";
  if (!languageArchitectures.includes(arch)) {
    throw new MarauderError(
      "UNKNOWN_ID",
      `no language model has the architecture ${JSON.stringify(arch)}; expected one of ${languageArchitectures.join(", ")}`,
    );
  }
  const d = { ...defaults[arch], ...(further && furtherDefaults) };
  const steps = further ? FURTHER_STEPS : STEPS;
  const batch = Math.min(given.batch ?? 32, size);
  const options: LanguageOptions = {
    epochs: Math.min(100, Math.max(further ? 1 : 3, Math.ceil(steps / Math.ceil(size / Math.max(1, batch))))),
    learningRate: given.optimizer === "sgd" ? (further ? 0.05 : 0.5) : d.learningRate,
    weightDecay: d.weightDecay,
    optimizer: "adam",
    momentum: 0.9,
    nesterov: false,
    decay: null,
    decayed: "weights",
    schedule: "cosine",
    warmUp: null,
    stepEvery: 1 / 3,
    stepFactor: 0.1,
    clipNorm: d.clipNorm,
    ema: 0,
    width: d.width,
    layers: d.layers,
    heads: (given.width ?? d.width) % 4 === 0 ? 4 : 1,
    embedding: d.embedding,
    tied: false,
    moveWindows: true,
    ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
    arch,
    batch,
  };
  checkStepOptions(options, [...ofArchitecture, "moveWindows"]);
  for (const [name, most] of [
    ["width", 4096],
    ["layers", 64],
    ["heads", 256],
    ["embedding", 4096],
  ] as const) {
    const value = options[name];
    if (!Number.isInteger(value) || value < 1 || value > most)
      throw refuse(name, `a whole number from 1 to ${most}`, value);
  }
  for (const name of ["tied", "moveWindows"] as const) {
    if (typeof options[name] !== "boolean") throw refuse(name, "true or false", options[name]);
  }
  if (arch === "gpt" && options.width % options.heads !== 0) {
    throw refuse("heads", `a divisor of the width ${options.width}`, options.heads);
  }
  return options;
}
