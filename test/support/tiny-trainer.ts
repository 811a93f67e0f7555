import type { Dataset } from "../../src/data/dataset.ts";
import { take } from "../../src/data/subset.ts";
import type { TrainedModel, Trainer } from "../../src/train/trainer.ts";

/** Softmax regression by full-batch gradient descent in plain JavaScript: a trainer for tests that need no engine. */
export const tinyTrainer: Trainer = async (data, options) => {
  const n = data.size;
  const d = data.features.data.length / n;
  const classes = data.classNames.length;
  const x = data.features.data;
  const w = new Float64Array((d + 1) * classes);
  const logitsOf = (values: Float32Array, rows: number): Float64Array => {
    const out = new Float64Array(rows * classes);
    for (let i = 0; i < rows; i++) {
      for (let c = 0; c < classes; c++) {
        let z = w[d * classes + c]!;
        for (let j = 0; j < d; j++) z += values[i * d + j]! * w[j * classes + c]!;
        out[i * classes + c] = z;
      }
    }
    return out;
  };
  const rate = options.learningRate ?? 0.5;
  for (let epoch = 0; epoch < (options.epochs ?? 60); epoch++) {
    const z = logitsOf(x, n);
    const g = new Float64Array(w.length);
    for (let i = 0; i < n; i++) {
      const row = z.subarray(i * classes, (i + 1) * classes);
      const top = Math.max(...row);
      let total = 0;
      for (let c = 0; c < classes; c++) total += row[c] = Math.exp(row[c]! - top);
      for (let c = 0; c < classes; c++) {
        const r = (row[c]! / total - (data.labels![i] === c ? 1 : 0)) / n;
        for (let j = 0; j < d; j++) g[j * classes + c]! += r * x[i * d + j]!;
        g[d * classes + c]! += r;
      }
    }
    for (let k = 0; k < w.length; k++) w[k]! -= rate * (g[k]! + 1e-3 * w[k]!);
  }
  const model: TrainedModel = {
    model: null as never, // softmax regression has no ONNX file; nobody here asks for one
    classes,
    logits: async (other: Dataset) => Float32Array.from(logitsOf(other.features.data, other.size)),
    features: async (other: Dataset) => ({
      values: take(other, [...Array(other.size).keys()]).features.data,
      width: d,
    }),
    close: async () => undefined,
  };
  return model;
};
