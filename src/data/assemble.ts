import { MarauderError } from "../errors.ts";
import { float32, sizeOf } from "../tensor/index.ts";
import type { Dataset } from "./dataset.ts";

/** From the values of a file to those that the model takes: `from` is mapped onto `to` linearly. */
export interface Scale {
  readonly from: readonly [number, number];
  readonly to: readonly [number, number];
}

export interface Parts extends Omit<Dataset, "features" | "size" | "rowIds" | "groups" | "schema" | "table"> {
  readonly dims: readonly number[];
  readonly values: Float32Array;
  readonly rowIds?: readonly string[];
  readonly groups?: Dataset["groups"];
  readonly schema?: Dataset["schema"];
  readonly table?: Dataset["table"];
  /** New shape of one example. */
  readonly shape?: readonly number[] | undefined;
  readonly scale?: Scale | undefined;
}

/**
 * Checks what a reader found and makes the data set of it. Throws DATA_INVALID for empty data, NaN and infinities (which
 * row and value), duplicate ids; DATA_LABELS for missing or impossible labels; SHAPE_MISMATCH for a shape that does not fit.
 */
export function assemble(parts: Parts): Dataset {
  const { name, dims, values, labels, classNames } = parts;
  const size = dims[0] ?? 0;
  const given = dims.length === 1 ? [1] : dims.slice(1);
  const width = sizeOf(given);
  if (size === 0 || width === 0) {
    throw new MarauderError(
      "DATA_INVALID",
      `${name} is empty: shape [${dims.join(", ")}]; expected at least one example`,
    );
  }
  const shape = parts.shape ?? given;
  if (sizeOf(shape) !== width) {
    throw new MarauderError(
      "SHAPE_MISMATCH",
      `${name} has examples of shape [${given.join(", ")}], ${width} values, which cannot be read as [${shape.join(", ")}]`,
    );
  }
  const bad = values.findIndex((v) => !Number.isFinite(v));
  if (bad >= 0) {
    throw new MarauderError(
      "DATA_INVALID",
      `${name} holds ${values[bad]} in row ${Math.floor(bad / width)} (counted from 0), value ${bad % width} of the row; ` +
        `expected finite numbers: repair or drop the row`,
      { details: { row: Math.floor(bad / width), value: bad % width } },
    );
  }
  if (labels !== null) checkLabels(name, labels, size, classNames);
  const rowIds = parts.rowIds ?? Array.from({ length: size }, (_, i) => String(i));
  checkIds(name, rowIds, size);
  return Object.freeze({
    name,
    size,
    features: float32([size, ...shape], parts.scale === undefined ? values : scaled(values, parts.scale)),
    labels,
    classNames,
    rowIds,
    groups: parts.groups ?? {},
    storedAs: parts.storedAs,
    schema: parts.schema ?? null,
    table: parts.table ?? null,
  });
}

function scaled(values: Float32Array, { from, to }: Scale): Float32Array {
  const factor = (to[1] - to[0]) / (from[1] - from[0]);
  if (!Number.isFinite(factor)) {
    throw new MarauderError(
      "OPTION_RANGE",
      `scale needs two different ends to map from, got ${from[0]} and ${from[1]}`,
    );
  }
  return values.map((v) => to[0] + (v - from[0]) * factor);
}

export function checkLabels(name: string, labels: Int32Array, size: number, classNames: readonly string[]): void {
  if (labels.length !== size) {
    throw new MarauderError(
      "DATA_LABELS",
      `${name} has ${size} examples but ${labels.length} labels; expected one for each`,
    );
  }
  const bad = labels.findIndex((y) => y < 0 || y >= classNames.length);
  if (bad >= 0) {
    throw new MarauderError(
      "DATA_LABELS",
      `${name}: row ${bad} has label ${labels[bad]}; expected 0 to ${classNames.length - 1} (${classNames.length} class names)`,
    );
  }
}

export function checkIds(name: string, rowIds: readonly string[], size: number): void {
  if (rowIds.length !== size) {
    throw new MarauderError("DATA_INVALID", `${name} has ${size} examples but ${rowIds.length} row ids`);
  }
  const seen = new Map<string, number>();
  rowIds.forEach((id, i) => {
    const before = seen.get(id);
    if (before !== undefined) {
      throw new MarauderError(
        "DATA_INVALID",
        `${name}: rows ${before + 1} and ${i + 1} have the same id ${JSON.stringify(id)}; expected different ids: choose another id column`,
      );
    }
    seen.set(id, i);
  });
}

/** Names "0", "1", … up to the largest label, or the given names. */
export function namesFor(labels: Int32Array | null, given: readonly string[] | undefined): readonly string[] {
  if (given !== undefined || labels === null) return given ?? [];
  const most = labels.reduce((max, y) => Math.max(max, y), -1);
  if (most > 100_000) {
    throw new MarauderError("DATA_LABELS", `a label is ${most}; expected class numbers, so at most some thousands`);
  }
  return Array.from({ length: most + 1 }, (_, i) => String(i));
}
