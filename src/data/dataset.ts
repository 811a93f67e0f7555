import type { Tensor } from "../tensor/index.ts";

/** One column of a table as the file has it. */
export interface Column {
  readonly name: string;
  readonly kind: "number" | "integer" | "boolean" | "category";
  /** Range of the numbers in the data that the schema was fitted on. */
  readonly min?: number;
  readonly max?: number;
  /** The values of a category, in the order of their one-hot positions. */
  readonly categories?: readonly string[];
  /** The cell that stands in for a missing one, where imputing was asked for: the median, or the most frequent value. */
  readonly fill?: string;
  readonly role: "feature" | "label" | "group" | "id" | "ignored";
}

/** How a table's columns become model inputs: numbers as they are, categories one-hot. */
export interface Schema {
  readonly columns: readonly Column[];
  /** For each model input position: the column it comes from and, for one-hot positions, which value it stands for. */
  readonly inputs: readonly { readonly column: string; readonly category?: string }[];
}

/** The original cells of a table, kept so that a sanitized file has the very text of the rows that were kept. */
export interface RawTable {
  readonly header: readonly string[];
  /** One array of cells for each row. */
  readonly rows: readonly (readonly string[])[];
}

/**
 * Examples with stable row ids that survive every filter and shuffle. A value; `take` makes another one.
 * `features` has shape [size, ...exampleShape] and is what a model is fed with.
 */
export interface Dataset {
  readonly name: string;
  readonly size: number;
  readonly features: Tensor<"float32">;
  /** Class index of each row; null when the data has no labels. */
  readonly labels: Int32Array | null;
  readonly classNames: readonly string[];
  /** Unique, stable; by default the position in the file. */
  readonly rowIds: readonly string[];
  /** For each declared group column, the value of each row. */
  readonly groups: Readonly<Record<string, readonly string[]>>;
  /** Element type in the file; uint8 images are checked again after rounding to it. */
  readonly storedAs: "uint8" | "float32" | "float64" | "text";
  /** Set for tables. */
  readonly schema: Schema | null;
  readonly table: RawTable | null;
}
