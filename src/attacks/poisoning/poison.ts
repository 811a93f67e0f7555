import type { Dataset } from "../../data/dataset.ts";
import { MarauderError } from "../../errors.ts";
import { tensor } from "../../tensor/index.ts";
import type { TrainedModel } from "../../train/trainer.ts";

/** What a poisoning attack works on: clean training data and, for worst-case flips, a model trained on them. */
export interface PoisonSubject {
  readonly data: Dataset;
  /** Legal range of the inputs; the range of the data when absent. */
  readonly bounds?: { readonly low: number; readonly high: number };
  readonly cleanModel?: TrainedModel;
}

/** "Poison rate" has several meanings in the literature, so all are given. */
export interface PoisonCounts {
  readonly rows: number;
  readonly shareOfSet: number;
  /** Share of the rows that carry the target label after poisoning; null where there is no single target. */
  readonly shareOfTargetClass: number | null;
}

export interface Poisoned {
  /** A copy in which only the poisoned rows differ; row ids stay. */
  readonly data: Dataset;
  /** Positions of the poisoned rows, ascending, and their ids. */
  readonly rows: readonly number[];
  readonly rowIds: readonly string[];
  readonly counts: PoisonCounts;
  /** The class that the attacker wants; null for attacks on accuracy. */
  readonly target: number | null;
  /** The only class whose test rows are attacked; null means every class but the target. */
  readonly source: number | null;
  /** Plants the trigger in every row, as the attacker does at prediction; leaves data as they are where there is none. */
  plant(data: Dataset): Dataset;
  /** What was done, for a reader. */
  readonly description: string;
}

/** The labels, checked. Throws DATA_LABELS. */
export function labelsOf(data: Dataset, what: string): Int32Array {
  const { labels, classNames, size } = data;
  if (labels === null || labels.length !== size) {
    throw new MarauderError(
      "DATA_LABELS",
      `${what} needs a label for each of ${size} rows of ${data.name}, got ${labels?.length ?? "none"}`,
    );
  }
  if (classNames.length < 2) {
    throw new MarauderError("DATA_LABELS", `${what} needs at least 2 classes, ${data.name} has ${classNames.length}`);
  }
  const bad = labels.findIndex((y) => y < 0 || y >= classNames.length);
  if (bad >= 0) {
    throw new MarauderError(
      "DATA_LABELS",
      `label ${labels[bad]} of row ${data.rowIds[bad]} is out of range; expected 0 to ${classNames.length - 1}`,
    );
  }
  return labels;
}

/** A class index from an option; -1 means "none given". Throws OPTION_RANGE. */
export function classOption(value: number, data: Dataset, name: string): number {
  if (value >= data.classNames.length) {
    throw new MarauderError(
      "OPTION_RANGE",
      `option ${name} must be a class from 0 to ${data.classNames.length - 1}, got ${value}`,
    );
  }
  return value;
}

/** How many rows to poison: `rows` when above 0, else `fraction` of the set, at least one and at most what there is. */
export function wantedRows(options: { rows: number; fraction: number }, size: number, available: number): number {
  const wanted = options.rows > 0 ? options.rows : Math.max(1, Math.round(options.fraction * size));
  if (available === 0)
    throw new MarauderError(
      "NOT_ENOUGH_DATA",
      "no row can be poisoned: every row belongs to the target class or there is no row of the source class",
    );
  if (wanted > available) {
    throw new MarauderError(
      "NOT_ENOUGH_DATA",
      `cannot poison ${wanted} rows; only ${available} rows qualify; ask for fewer`,
    );
  }
  return wanted;
}

/** Copies the set with other labels in some rows and, where `features` is given, other inputs. */
export function replaced(data: Dataset, labels: Int32Array, features?: Float32Array): Dataset {
  return Object.freeze({
    ...data,
    name: `${data.name} (poisoned)`,
    labels,
    features: features === undefined ? data.features : tensor("float32", data.features.dims, features),
    // The original cells no longer describe the poisoned rows.
    table: features === undefined ? data.table : null,
  });
}

export function countsOf(labels: Int32Array, rows: readonly number[], target: number | null): PoisonCounts {
  const ofTarget = target === null ? 0 : labels.reduce((sum, y) => sum + (y === target ? 1 : 0), 0);
  return {
    rows: rows.length,
    shareOfSet: rows.length / labels.length,
    shareOfTargetClass: target === null ? null : ofTarget === 0 ? 0 : rows.length / ofTarget,
  };
}

/** "20 rows, 1.0 % of the set, 9.1 % of the rows labelled 7". */
export function describeCounts(counts: PoisonCounts, targetName: string | null): string {
  const percent = (x: number): string => `${(100 * x).toFixed(1)} %`;
  const own =
    counts.shareOfTargetClass === null || targetName === null
      ? ""
      : `, ${percent(counts.shareOfTargetClass)} of the rows labelled ${targetName}`;
  return `${counts.rows} rows, ${percent(counts.shareOfSet)} of the set${own}`;
}
