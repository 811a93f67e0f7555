import type { RunContext } from "../context.ts";
import type { Dataset } from "../data/index.ts";
import { MarauderError } from "../errors.ts";
import { sizeOf, tensor } from "../tensor/index.ts";
import type { TrainedModel, Trainer, TrainOptions } from "../train/index.ts";
import type { Model } from "../ir/index.ts";
import { boundsOf } from "./bounds.ts";
import { withNotes } from "./model-notes.ts";

/** Images as the cnn takes them, [channels, height, width]: a channel axis added, or moved first. Others as they are. */
export function asImages(data: Dataset): Dataset {
  const dims = data.features.dims.slice(1);
  if (dims.length === 2) return { ...data, features: tensor("float32", [data.size, 1, ...dims], data.features.data) };
  const [h = 0, w = 0, c = 0] = dims;
  if (dims.length !== 3 || c > 4 || h <= 4) return data;
  const from = data.features.data;
  const to = new Float32Array(sizeOf(data.features.dims));
  for (let i = 0; i < data.size; i++)
    for (let p = 0; p < h * w; p++)
      for (let k = 0; k < c; k++) to[(i * c + k) * h * w + p] = from[(i * h * w + p) * c + k]!;
  return { ...data, features: tensor("float32", [data.size, c, h, w], to) };
}

/** The model of a training, with notes that spare later commands their flags. */
export function annotated(trained: TrainedModel, data: Dataset, arch?: TrainOptions["arch"]): Model {
  const bounds = data.schema === null ? boundsOf(data) : null; // each column of a table has its own range
  const label = data.schema?.columns.find((c) => c.role === "label")?.name;
  return withNotes(trained.model, {
    ...(arch !== undefined && { arch }),
    classNames: data.classNames,
    ...(label !== undefined && { label }),
    ...(bounds !== null && { bounds }),
    ...(data.schema !== null && { schema: data.schema }),
  });
}

/** Trains and annotates; the trained model is closed before this returns. */
export async function trainAnnotated(
  trainer: Trainer,
  data: Dataset,
  options: Partial<TrainOptions> & Pick<TrainOptions, "arch">,
  context: RunContext,
): Promise<Model> {
  const trained = await trainer(data, options, context);
  try {
    return annotated(trained, data, options.arch);
  } finally {
    await trained.close();
  }
}

/** How many rows a trained model gets right. Throws DATA_LABELS without labels. */
export async function countCorrect(trained: TrainedModel, data: Dataset): Promise<number> {
  const { labels } = data;
  if (labels === null) throw new MarauderError("DATA_LABELS", `${data.name} has no labels; accuracy needs them`);
  const logits = await trained.logits(data);
  let correct = 0;
  for (let i = 0; i < data.size; i++) {
    let best = 0;
    for (let k = 1; k < trained.classes; k++) {
      if (logits[i * trained.classes + k]! > logits[i * trained.classes + best]!) best = k;
    }
    if (best === labels[i]) correct++;
  }
  return correct;
}
