import { take } from "../../data/subset.ts";
import type { Dataset } from "../../data/dataset.ts";
import type { TrainedModel } from "../../train/trainer.ts";
import { labelsOf, type Poisoned } from "./poison.ts";

export interface Counted {
  readonly hits: number;
  readonly of: number;
}

/** Class with the largest logit, the lowest index on ties. */
export function predictions(logits: Float32Array, classes: number): Int32Array {
  return Int32Array.from({ length: logits.length / classes }, (_, i) => {
    let best = 0;
    for (let c = 1; c < classes; c++) if (logits[i * classes + c]! > logits[i * classes + best]!) best = c;
    return best;
  });
}

/** Which rows the model gets right. */
export async function correctness(model: TrainedModel, test: Dataset): Promise<Uint8Array> {
  const labels = labelsOf(test, "accuracy");
  return Uint8Array.from(predictions(await model.logits(test), model.classes), (p, i) => (p === labels[i] ? 1 : 0));
}

/**
 * Clean accuracy, and attack success: the share of attacked test rows that get the target class. Rows whose true class is
 * the target never count; with a source class only its rows do. null where the attack has no target.
 */
export async function measureModel(
  model: TrainedModel,
  test: Dataset,
  attack: Pick<Poisoned, "target" | "source" | "plant">,
): Promise<{ accuracy: Counted; success: Counted | null }> {
  const labels = labelsOf(test, "attack success");
  const right = await correctness(model, test);
  const accuracy = { hits: right.reduce((sum, r) => sum + r, 0), of: right.length };
  const { target, source } = attack;
  if (target === null) return { accuracy, success: null };
  const rows: number[] = [];
  labels.forEach((y, i) => {
    if (y !== target && (source === null || y === source)) rows.push(i);
  });
  const predicted = predictions(await model.logits(attack.plant(take(test, rows))), model.classes);
  return {
    accuracy,
    success: { hits: predicted.reduce((sum, p) => sum + (p === target ? 1 : 0), 0), of: rows.length },
  };
}
