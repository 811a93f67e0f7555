import type { Interval } from "../../../src/contract/index.ts";

/** A fraction of so many rows with its Wilson interval at 95 %. */
export function fraction(value: number, rows: number): Interval {
  const z = 1.959964;
  const centre = (value + (z * z) / (2 * rows)) / (1 + (z * z) / rows);
  const half = (z / (1 + (z * z) / rows)) * Math.sqrt((value * (1 - value)) / rows + (z * z) / (4 * rows * rows));
  const round = (number: number) => Math.round(number * 1e4) / 1e4;
  return { value, low: round(Math.max(0, centre - half)), high: round(Math.min(1, centre + half)) };
}

/** Points of a curve of fractions, each of so many rows, with the band. */
export function curve(points: readonly (readonly [number, number])[], rows: number) {
  return points.map(([x, y]) => {
    const { low, high } = fraction(y, rows);
    return { x, y, low, high };
  });
}
