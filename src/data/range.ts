import type { Dataset } from "./dataset.ts";

/** Smallest and largest value of the features. */
export function valueRange(data: Dataset): { low: number; high: number } {
  let low = Infinity;
  let high = -Infinity;
  for (const v of data.features.data) {
    if (v < low) low = v;
    if (v > high) high = v;
  }
  return { low, high };
}
