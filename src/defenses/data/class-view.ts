import { topDirections, type TopDirection } from "./top-direction.ts";
import { whitenedWithin } from "./whitening.ts";

/** A class as the tests of spectral signatures see it. */
export interface ClassView {
  /** Positions of its rows: the first `own` are suspects, the others trusted. */
  readonly rows: readonly number[];
  readonly own: number;
  /** Their whitened features, shape [rows.length, width]. */
  readonly white: Float32Array;
  readonly directions: readonly TopDirection[];
  /** False where there are too few rows. */
  readonly judged: boolean;
}

/** What a test says about a class. */
export interface ClassTest {
  readonly p: number | null;
  readonly adjusted: number | null;
  /** Where each row of the class lies on the direction that was judged; a group that was found is at the upper end. */
  readonly coordinates: Float64Array;
  /** Suspects from here on are flagged; null where nothing was found. */
  readonly beyond: number | null;
}

/** Whitens rows of features, shape [n, width], and finds the leading directions of each class. */
export function viewClasses(
  features: Float32Array,
  width: number,
  rows: readonly (readonly number[])[],
  count: number,
  about: (label: number) => { readonly own: number; readonly judged: boolean },
): ClassView[] {
  return whitenedWithin(features, width, rows).map((white, label) => {
    const all = rows[label]!.map((_, i) => i);
    return { rows: rows[label]!, white, directions: topDirections(white, width, all, count), ...about(label) };
  });
}
