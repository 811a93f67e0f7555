import type { Dataset } from "../data/dataset.ts";
import type { Rng } from "../random/rng.ts";
import type { Tensor } from "../tensor/index.ts";
import { augmentImage } from "./augment.ts";
import { digestOf } from "./checkpoints/checkpoint.ts";
import type { Course } from "./descend.ts";
import { predictions } from "./predictions.ts";
import type { Batch, TrainOptions } from "./trainer.ts";

/** A batch of rows with the weight of each. */
type RowBatch = Batch & { readonly weights: Float32Array };

/** The rows of a labelled data set as what a training learns from. */
export function rowsCourse(
  data: Dataset,
  labels: Int32Array,
  classes: number,
  options: TrainOptions,
  rng: Rng,
): Course<RowBatch> {
  const { rowWeights, hidden, channels, augment } = options;
  return {
    size: data.size,
    batches: batchesOf(data, labels, classes, options, rng),
    correct: (logits, { rows }) => predictions(logits, classes).filter((best, i) => best === labels[rows[i]!]).length,
    identity: {
      hidden: hidden.join(" "),
      channels: channels.join(" "),
      augment: JSON.stringify(augment),
      rowWeights: rowWeights === null ? null : digestOf(rowWeights),
      shape: data.features.dims.join(" "),
      data: digestOf(data.features.data, labels),
    },
  };
}

/**
 * The batches of one epoch: a fresh permutation for each epoch, from the generator's child "epoch" / e alone; the last
 * batch is kept when it is smaller. Buffers are used again: a batch is valid until the next one is asked for.
 * Targets are probabilities with label smoothing; `weights` holds the weight of each row over the number of rows, so that
 * the weighted sum of losses is their weighted mean. `from` is the number of batches of the epoch to leave out.
 */
export function batchesOf(
  data: Dataset,
  labels: Int32Array,
  classes: number,
  options: TrainOptions,
  rng: Rng,
): (epoch: number, from?: number) => Generator<RowBatch> {
  const { size, features } = data;
  const shape = features.dims.slice(1);
  const width = features.data.length / size;
  const { batch, epochs, labelSmoothing, rowWeights, augment } = options;
  const perEpoch = Math.ceil(size / batch);
  const whole = batch >= size && augment === null;
  const x = new Float32Array(whole ? 0 : batch * width);
  const t = new Float32Array(batch * classes);
  const w = new Float32Array(batch);
  const off = labelSmoothing / classes;

  return function* (epoch, skip = 0) {
    // With one batch the order changes nothing but the rounding, so the data are used as they lie.
    const order = whole
      ? Uint32Array.from({ length: size }, (_, i) => i)
      : rng.child("epoch").child(epoch).permutation(size);
    const changes = rng.child("augment").child(epoch);
    for (let from = skip * batch, i = skip; from < size; from += batch, i++) {
      const rows = order.subarray(from, Math.min(from + batch, size));
      t.fill(off);
      rows.forEach((row, k) => {
        if (augment !== null) {
          augmentImage(
            features.data,
            row * width,
            x,
            k * width,
            shape as [number, number, number],
            augment,
            changes.child(row),
          );
        } else if (!whole) copyRow(features.data, row * width, x, k * width, width);
        t[k * classes + labels[row]!]! += 1 - labelSmoothing;
        w[k] = (rowWeights === null ? 1 : rowWeights[row]!) / rows.length;
      });
      yield {
        features: whole ? features : view(x, rows.length, shape),
        targets: view(t, rows.length, [classes]),
        weights: w.subarray(0, rows.length),
        rows,
        epoch,
        step: epoch * perEpoch + i,
        steps: epochs * perEpoch,
      };
    }
  };
}

function copyRow(from: Float32Array, start: number, to: Float32Array, at: number, width: number): void {
  if (width > 32) to.set(from.subarray(start, start + width), at);
  else for (let j = 0; j < width; j++) to[at + j] = from[start + j]!;
}

function view(data: Float32Array, n: number, shape: readonly number[]): Tensor<"float32"> {
  const dims = [n, ...shape];
  return {
    dtype: "float32",
    dims,
    data: data.subarray(
      0,
      dims.reduce((a, b) => a * b, 1),
    ),
  };
}
