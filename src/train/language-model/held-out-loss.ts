import { MarauderError } from "../../errors.ts";
import { mean, variance } from "../../stats/index.ts";
import type { LanguageModel } from "./language-model.ts";

export interface HeldOutLoss {
  /** Mean of -log P(token | what stands before it), in nats. */
  readonly nats: number;
  /** Standard error of that mean over runs of the text (neighbouring tokens are not independent). */
  readonly standardError: number;
  readonly tokens: number;
}

/**
 * Loss on a text that the model was not trained on. The text is read in runs of `run` tokens (default the longest that the
 * model takes, at most 512), of which the first `overlap` (default half) only serve as what stands before: each counted
 * token is predicted from at least so many. Throws NOT_ENOUGH_DATA where the text is shorter than a run.
 */
export async function heldOutLoss(
  model: Pick<LanguageModel, "longest" | "logProbabilities">,
  tokens: Int32Array,
  options: { readonly run?: number; readonly overlap?: number } = {},
): Promise<HeldOutLoss> {
  const run = options.run ?? Math.min(model.longest, 512);
  const overlap = options.overlap ?? Math.floor(run / 2);
  if (!(Number.isInteger(run) && run >= 2 && Number.isInteger(overlap) && overlap >= 0 && overlap < run - 1)) {
    throw new MarauderError("OPTION_RANGE", `a run of ${run} tokens cannot have an overlap of ${overlap}`);
  }
  const starts: number[] = [];
  for (let start = 0; start + run <= tokens.length; start += run - 1 - overlap) starts.push(start);
  if (starts.length === 0) {
    throw new MarauderError("NOT_ENOUGH_DATA", `the text has ${tokens.length} tokens; a run needs ${run}`);
  }
  const losses: number[] = [];
  for (let from = 0; from < starts.length; from += 64) {
    const some = starts.slice(from, from + 64).map((start) => tokens.subarray(start, start + run));
    for (const logs of await model.logProbabilities(some)) {
      losses.push(-logs.subarray(overlap).reduce((a, b) => a + b, 0) / (run - 1 - overlap));
    }
  }
  const spread = losses.length < 2 ? 0 : variance(losses);
  return {
    nats: mean(losses),
    standardError: Math.sqrt(spread / losses.length),
    tokens: losses.length * (run - 1 - overlap),
  };
}
