import type { RunContext } from "../../context.ts";
import { take, type Dataset } from "../../data/index.ts";
import { MarauderError, throwIfCancelled } from "../../errors.ts";
import { tensor } from "../../tensor/index.ts";
import type { Target } from "../../target/target.ts";
import type { Attack } from "../attack.ts";

/** What a membership attack works on: a target and rows whose label is known. It is not told who is a member. */
export interface MembershipSubject {
  readonly target: Target;
  readonly data: Dataset;
}

/** One score for each row; higher means "member". */
export type MembershipAttack<O = object> = Attack<O, MembershipSubject, Float64Array>;

/**
 * Calls `each` with the scores (logits or log-probabilities, float64) of every row, in chunks.
 * Throws DATA_LABELS when rows have no label.
 */
export async function forEachScore(
  context: RunContext,
  { target, data }: MembershipSubject,
  each: (row: number, scores: Float64Array, label: number) => void,
  chunk = 256,
): Promise<void> {
  const { labels } = data;
  if (labels === null) {
    throw new MarauderError(
      "DATA_LABELS",
      "membership inference needs the label of every row; give --labels or --label",
    );
  }
  const width = target.inputShape.reduce((a, b) => a * b, 1);
  const row = new Float64Array(target.classes);
  for (let start = 0; start < data.size; start += chunk) {
    throwIfCancelled(context.signal);
    const n = Math.min(chunk, data.size - start);
    const x = data.features.data.subarray(start * width, (start + n) * width);
    const scores = await target.scores(tensor("float32", [n, ...target.inputShape], x));
    for (let i = 0; i < n; i++) {
      for (let k = 0; k < target.classes; k++) row[k] = scores[i * target.classes + k]!;
      each(start + i, row, labels[start + i]!);
    }
    context.step(start + n, data.size);
  }
}

/** Up to `count` rows, chosen by the generator, in row order. */
export function sampleRows(context: RunContext, data: Dataset, count: number, label: string): Dataset {
  if (data.size <= count) return data;
  return take(data, context.rng.child(label).choose(data.size, count).toSorted());
}
