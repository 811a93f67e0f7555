import { take } from "../../data/subset.ts";
import type { Dataset } from "../../data/dataset.ts";
import { correctness, predictions } from "../../train/predictions.ts";
import type { TrainedModel } from "../../train/trainer.ts";
import { labelsOf, type Poisoned } from "./poison.ts";

export interface Counted {
  readonly hits: number;
  readonly of: number;
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
