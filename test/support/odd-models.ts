import { ortEngine } from "../../src/engine/index.ts";
import { MarauderError } from "../../src/errors.ts";
import { decodeModel, validate, type Model } from "../../src/ir/index.ts";
import { inspectRunning } from "../../src/target/index.ts";

export type OddOutcome =
  /** Loads; gradients and everything else. */
  | "with gradients"
  /** Loads; attacks that need scores or labels. */
  | "scores only"
  /** Loads; an option says which input, output or shape is meant. */
  | "after a choice"
  /** Loads; without inputs of floats, or without scores of classes. */
  | "nothing to attack"
  /** ONNX Runtime does not load it. */
  | "does not run"
  /** No model. */
  | "not read";

/** What becomes of a file, with the words that the user gets. */
export async function outcomeOf(bytes: Uint8Array): Promise<readonly [OddOutcome, string]> {
  let model: Model;
  try {
    model = validate(decodeModel(bytes));
  } catch (error) {
    return ["not read", wordsOf(error)];
  }
  const i = await inspectRunning(model, ortEngine);
  if (i.attacks === "with gradients") return [i.attacks, ""];
  if (i.attacks === "scores only") return [i.attacks, i.gradient.reason!];
  const words = i.problems.join("; and ");
  if (/ONNX Runtime (refused|failed|cannot)/.test(words)) return ["does not run", words];
  return [
    /--(input|output|shape) /.test(words) && !words.includes("regression") ? "after a choice" : "nothing to attack",
    words,
  ];
}

const wordsOf = (error: unknown): string => {
  if (error instanceof MarauderError && error.code !== "INTERNAL") return error.message;
  throw error;
};
