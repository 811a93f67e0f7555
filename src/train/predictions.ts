import type { Dataset } from "../data/dataset.ts";
import { MarauderError } from "../errors.ts";
import type { TrainedModel } from "./trainer.ts";

/** Class with the largest logit, the lowest index on ties. Logits have shape [n, classes]. */
export function predictions(logits: Float32Array, classes: number): Int32Array {
  return Int32Array.from({ length: logits.length / classes }, (_, i) => {
    let best = 0;
    for (let c = 1; c < classes; c++) if (logits[i * classes + c]! > logits[i * classes + best]!) best = c;
    return best;
  });
}

/** 1 for each row that the model gets right, else 0. Throws DATA_LABELS without labels. */
export async function correctness(model: TrainedModel, test: Dataset): Promise<Uint8Array> {
  const { labels } = test;
  if (labels === null)
    throw new MarauderError("DATA_LABELS", `data set ${test.name} has no labels; accuracy needs one for each row`);
  return Uint8Array.from(predictions(await model.logits(test), model.classes), (p, i) => (p === labels[i] ? 1 : 0));
}
