import type { Tensor } from "../tensor/index.ts";

/** What a model does to raw inputs first: (input - mean) * scale, broadcast over the batch. */
export interface Normalization {
  readonly mean: Tensor<"float32">;
  readonly scale: Tensor<"float32">;
}

/**
 * Statistics of the training inputs, shape [n, ...exampleShape]. A table (one axis) is standardized per column; an image
 * [C, H, W] per channel; any other shape by one mean and one deviation, since single pixels that are nearly constant
 * would get a huge scale. What is constant gets scale 1, so that it becomes 0 and stays harmless when it moves.
 */
export function fitNormalization(features: Tensor<"float32">): Normalization {
  const [n = 0, ...shape] = features.dims;
  const groups = shape.length === 1 || shape.length === 3 ? shape[0]! : 1;
  const size = shape.reduce((a, b) => a * b, 1);
  const inner = groups === 0 ? 0 : size / groups;
  const mean = new Float64Array(groups);
  const square = new Float64Array(groups);
  const x = features.data;
  const count = Math.max(1, n * inner);
  for (let i = 0, k = 0; i < n; i++) {
    for (let g = 0; g < groups; g++) for (let j = 0; j < inner; j++) mean[g]! += x[k++]!;
  }
  for (let g = 0; g < groups; g++) mean[g]! /= count;
  for (let i = 0, k = 0; i < n; i++) {
    for (let g = 0; g < groups; g++) for (let j = 0; j < inner; j++) square[g]! += (x[k++]! - mean[g]!) ** 2;
  }
  const scale = Float32Array.from(square, (s, g) => {
    const sd = Math.sqrt(s / count);
    // Inputs are float32: a spread of a few units in the last place is rounding, not information.
    return sd > 1e-6 * Math.abs(mean[g]!) && sd > 1e-30 ? 1 / sd : 1;
  });
  const dims = shape.length === 1 ? [groups] : shape.length === 3 ? [groups, 1, 1] : [1];
  return {
    mean: { dtype: "float32", dims, data: Float32Array.from(mean) },
    scale: { dtype: "float32", dims, data: scale },
  };
}
