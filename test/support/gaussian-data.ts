import type { Dataset } from "../../src/data/dataset.ts";
import type { Rng } from "../../src/random/index.ts";
import { float32 } from "../../src/tensor/index.ts";

/** A data set from rows in memory, with row ids "r0", "r1", ... */
export function datasetOf(
  features: Float32Array,
  labels: readonly number[],
  shape: readonly number[],
  classes: number,
  groups: Record<string, string[]> = {},
): Dataset {
  return {
    name: "test data",
    size: labels.length,
    features: float32([labels.length, ...shape], features),
    labels: Int32Array.from(labels),
    classNames: Array.from({ length: classes }, (_, c) => `class ${c}`),
    rowIds: labels.map((_, i) => `r${i}`),
    groups,
    storedAs: "float32",
    schema: null,
    table: null,
  };
}

/** Classes in turn, class c around `distance` on axis c, unit normal noise. */
export function gaussianData(rng: Rng, n: number, width: number, classes: number, distance: number): Dataset {
  const features = new Float32Array(n * width);
  rng.fillNormal(features);
  const labels = Array.from({ length: n }, (_, i) => i % classes);
  labels.forEach((y, i) => {
    features[i * width + y]! += distance;
  });
  return datasetOf(features, labels, [width], classes);
}
