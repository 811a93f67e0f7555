import { MarauderError } from "../../errors.ts";
import type { Rng } from "../../random/rng.ts";
import { tensor, type Tensor } from "../../tensor/index.ts";
import { digestOf } from "../checkpoints/checkpoint.ts";
import type { Course, StepBatch } from "../descend.ts";
import { predictions } from "../predictions.ts";
import type { LanguageOptions } from "./language-options.ts";
import type { Sequences } from "./sequences.ts";

/** Tokens and their successors. */
export interface TokenBatch {
  /** [n, T]; behind the end of a short example 0. */
  readonly features: Tensor<"int64">;
  /** [n, T]: the token after each; -1 where nothing is to be predicted. */
  readonly targets: Tensor<"int64">;
}

/**
 * The examples `rows` as inputs and targets. `shift` moves windows by so many tokens, as far as the text goes. This is
 * what private training and audits take single examples from.
 */
export function tokensOf(data: Sequences, rows: ArrayLike<number>, shift = 0): TokenBatch {
  const { context, tokens, starts, lengths } = data;
  const dims = [rows.length, context];
  const x = new BigInt64Array(rows.length * context);
  const y = new BigInt64Array(rows.length * context).fill(-1n);
  for (let k = 0; k < rows.length; k++) {
    const length = lengths[rows[k]!]!;
    const start = Math.min(starts[rows[k]!]! + shift, tokens.length - length);
    for (let t = 0; t < length - 1; t++) {
      x[k * context + t] = BigInt(tokens[start + t]!);
      y[k * context + t] = BigInt(tokens[start + t + 1]!);
    }
  }
  return { features: tensor("int64", dims, x), targets: tensor("int64", dims, y) };
}

/** The examples as what a training learns from: another order, and other windows, in each epoch. */
export function tokenCourse(
  data: Sequences,
  { batch, moveWindows }: Pick<LanguageOptions, "batch" | "moveWindows">,
  rng: Rng,
): Course<StepBatch> {
  checkSequences(data);
  const size = data.starts.length;
  const perEpoch = Math.ceil(size / batch);
  const { vocabulary, context } = data;
  return {
    size,
    *batches(epoch, skip) {
      const order = rng.child("epoch").child(epoch).permutation(size);
      const shift = data.movable && moveWindows ? rng.child("shift").child(epoch).int(context) : 0;
      for (let from = skip * batch, i = skip; from < size; from += batch, i++) {
        const rows = order.subarray(from, Math.min(from + batch, size));
        const weights = new Float32Array(rows.length).fill(1 / rows.length);
        yield { ...tokensOf(data, rows, shift), weights, rows, step: epoch * perEpoch + i };
      }
    },
    correct: (logits, { targets }) => rightShare(logits, targets.data as BigInt64Array, context, vocabulary.size),
    identity: {
      data: digestOf(data.tokens, Int32Array.from(data.starts), Int32Array.from(data.lengths)),
      vocabulary: vocabulary.kind === "bytes" ? "bytes" : vocabulary.symbols.join(""),
      context,
    },
  };
}

/** Sum over examples of the share of their tokens that have the largest logit. */
function rightShare(logits: Float32Array, targets: BigInt64Array, context: number, size: number): number {
  const best = predictions(logits, size);
  let sum = 0;
  for (let from = 0; from < targets.length; from += context) {
    let [right, of] = [0, 0];
    for (let t = from; t < from + context; t++) {
      const target = Number(targets[t]);
      if (target < 0) continue;
      of++;
      if (best[t] === target) right++;
    }
    sum += of === 0 ? 0 : right / of;
  }
  return sum;
}

/** Throws NOT_ENOUGH_DATA, SHAPE_MISMATCH and DATA_LABELS for sequences that cannot be learned from. */
export function checkSequences({ name, tokens, starts, lengths, context, vocabulary }: Sequences): void {
  if (starts.length === 0) {
    throw new MarauderError("NOT_ENOUGH_DATA", `${name} has no sequences; expected at least one`);
  }
  starts.forEach((start, i) => {
    const length = lengths[i] ?? 0;
    if (length >= 2 && length <= context + 1 && start + length <= tokens.length) return;
    throw new MarauderError(
      "SHAPE_MISMATCH",
      `sequence ${i} of ${name} has ${length} tokens from place ${start} of ${tokens.length}; expected 2 to ${context + 1} ` +
        "tokens, inside the text",
      { details: { sequence: i } },
    );
  });
  const bad = tokens.findIndex((token) => token < 0 || token >= vocabulary.size);
  if (bad >= 0) {
    throw new MarauderError(
      "DATA_LABELS",
      `token ${tokens[bad]} at place ${bad} of ${name} is out of range; expected 0 to ${vocabulary.size - 1}, as the ` +
        "vocabulary has it",
      { details: { place: bad, token: tokens[bad] } },
    );
  }
}
