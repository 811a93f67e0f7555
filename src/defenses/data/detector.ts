import type { Defense } from "../defense.ts";
import { MarauderError } from "../../errors.ts";
import type { Options } from "./detector-options.ts";

/** Rows as points: features [n, width] row-major, and the label that each row carries. */
export interface Points {
  readonly features: Float32Array;
  readonly labels: Int32Array;
}

/** What a detector looks at. */
export interface Suspects extends Points {
  readonly width: number;
  readonly classes: number;
  readonly rowIds: readonly string[];
  /**
   * Rows that are trusted to be clean and to come from the same source, seen through the same features: with them the
   * detector compares instead of assuming, and its false-alarm rate holds for any distribution of clean data.
   */
  readonly reference: Points | null;
}

export interface Flagged {
  /** Position in the data. */
  readonly row: number;
  readonly id: string;
  readonly score: number;
  readonly reason: string;
}

export interface ClassVerdict {
  readonly label: number;
  readonly rows: number;
  readonly flagged: number;
  /** p-value against clean data, and after Benjamini-Hochberg over the classes; null when there are too few rows. */
  readonly p: number | null;
  readonly adjusted: number | null;
  readonly verdict: "found" | "nothing found" | "too few rows";
}

export interface Detection {
  readonly detector: string;
  /** One score for each row, larger is more suspicious; comparable within a class only where the detector says so. */
  readonly scores: Float64Array;
  /** Empty means "nothing found at this false-alarm rate". */
  readonly flagged: readonly Flagged[];
  readonly classes: readonly ClassVerdict[];
  /** Probability of flagging anything in clean data. */
  readonly alpha: number;
  /** What the false-alarm rate rests on, for a reader. */
  readonly assumes: string;
}

export type Detector<O extends Options = Options> = Defense<O, Suspects, Detection>;

/** Throws SHAPE_MISMATCH, DATA_LABELS or DATA_INVALID. */
export function checkSuspects(s: Suspects, who: string): void {
  for (const [points, what] of [
    [s, "data"],
    [s.reference, "reference"],
  ] as const) {
    if (points === null) continue;
    const n = points.labels.length;
    if (points.features.length !== n * s.width) {
      throw new MarauderError(
        "SHAPE_MISMATCH",
        `${who}: the ${what} have ${points.features.length} feature values; expected ${n} rows of ${s.width}`,
      );
    }
    if (points.labels.some((y) => y < 0 || y >= s.classes)) {
      throw new MarauderError(
        "DATA_LABELS",
        `${who}: a label of the ${what} is out of range; expected 0 to ${s.classes - 1}`,
      );
    }
    if (!points.features.every((v) => Number.isFinite(v))) {
      throw new MarauderError(
        "DATA_INVALID",
        `${who}: a feature of the ${what} is not finite; fill in or drop such rows`,
      );
    }
  }
  if (s.rowIds.length !== s.labels.length) {
    throw new MarauderError("SHAPE_MISMATCH", `${who}: ${s.rowIds.length} row ids for ${s.labels.length} rows`);
  }
}

/** Positions of each class's rows. */
export function byClass(labels: Int32Array, classes: number): number[][] {
  const out: number[][] = Array.from({ length: classes }, () => []);
  labels.forEach((y, i) => out[y]!.push(i));
  return out;
}
