import { MarauderError } from "../errors.ts";
import type { Rng } from "../random/index.ts";
import { float32, sizeOf, type Tensor } from "../tensor/index.ts";
import { checkIds, checkLabels } from "./assemble.ts";
import type { Dataset } from "./dataset.ts";

/** The rows at the given positions, in that order, with their ids, labels, groups and table rows. Throws OPTION_RANGE. */
export function take(data: Dataset, positions: ArrayLike<number>): Dataset {
  const rows = Array.from(positions);
  const bad = rows.find((i) => !Number.isInteger(i) || i < 0 || i >= data.size);
  if (bad !== undefined) {
    throw new MarauderError("OPTION_RANGE", `cannot take row ${bad} of ${data.name}; expected 0 to ${data.size - 1}`);
  }
  const width = sizeOf(data.features.dims.slice(1));
  const values = new Float32Array(rows.length * width);
  rows.forEach((from, to) => values.set(data.features.data.subarray(from * width, (from + 1) * width), to * width));
  const pick = <T>(all: readonly T[]): T[] => rows.map((i) => all[i]!);
  return Object.freeze({
    ...data,
    size: rows.length,
    features: float32([rows.length, ...data.features.dims.slice(1)], values),
    labels: data.labels && Int32Array.from(rows, (i) => data.labels![i]!),
    rowIds: pick(data.rowIds),
    groups: Object.fromEntries(Object.entries(data.groups).map(([name, all]) => [name, pick(all)])),
    table: data.table && { header: data.table.header, rows: pick(data.table.rows) },
  });
}

/** The rows of both, first then second. Throws SHAPE_MISMATCH and DATA_INVALID where they do not fit or share ids. */
export function concat(first: Dataset, second: Dataset): Dataset {
  const shape = (d: Dataset): string => d.features.dims.slice(1).join(", ");
  if (shape(first) !== shape(second)) {
    throw new MarauderError(
      "SHAPE_MISMATCH",
      `cannot join ${first.name} and ${second.name}: examples of [${shape(first)}] and [${shape(second)}]`,
    );
  }
  const sameClasses = first.classNames.join("\0") === second.classNames.join("\0");
  if ((first.labels === null) !== (second.labels === null) || !sameClasses) {
    throw new MarauderError(
      "DATA_LABELS",
      `cannot join ${first.name} and ${second.name}: they do not have the same classes`,
    );
  }
  const size = first.size + second.size;
  const values = new Float32Array(first.features.data.length + second.features.data.length);
  values.set(first.features.data);
  values.set(second.features.data, first.features.data.length);
  const rowIds = [...first.rowIds, ...second.rowIds];
  checkIds(`${first.name} with ${second.name}`, rowIds, size);
  const groups = Object.keys(first.groups).filter((name) => Object.hasOwn(second.groups, name));
  const sameTable = first.table && second.table && first.table.header.join("\0") === second.table.header.join("\0");
  return Object.freeze({
    ...first,
    size,
    features: float32([size, ...first.features.dims.slice(1)], values),
    labels: first.labels && joinLabels(first.labels, second.labels!),
    rowIds,
    groups: Object.fromEntries(groups.map((name) => [name, [...first.groups[name]!, ...second.groups[name]!]])),
    table: sameTable ? { header: first.table.header, rows: [...first.table.rows, ...second.table!.rows] } : null,
  });
}

function joinLabels(first: Int32Array, second: Int32Array): Int32Array {
  const out = new Int32Array(first.length + second.length);
  out.set(first);
  out.set(second, first.length);
  return out;
}

/**
 * Splits the rows at random into parts of the given fractions (which add up to at most 1), class by class, so that each
 * part has each class in the same share, to one row. Rows keep their order. Without labels: one class.
 */
export function split(data: Dataset, fractions: readonly number[], rng: Rng): Dataset[] {
  const sum = fractions.reduce((a, b) => a + b, 0);
  if (fractions.some((f) => !(f >= 0)) || sum > 1 + 1e-9) {
    throw new MarauderError(
      "OPTION_RANGE",
      `fractions must not be negative and add up to at most 1, got ${fractions.join(", ")}`,
    );
  }
  const classes = new Map<number, number[]>();
  for (let i = 0; i < data.size; i++) {
    const y = data.labels?.[i] ?? 0;
    if (!classes.has(y)) classes.set(y, []);
    classes.get(y)!.push(i);
  }
  const parts: number[][] = fractions.map(() => []);
  for (const [y, rows] of classes) {
    const order = rng.child("split").child(y).permutation(rows.length);
    let share = 0;
    let from = 0;
    fractions.forEach((fraction, p) => {
      share += fraction;
      const to = Math.min(rows.length, Math.round(share * rows.length));
      for (let k = from; k < to; k++) parts[p]!.push(rows[order[k]!]!);
      from = to;
    });
  }
  return parts.map((rows) =>
    take(
      data,
      rows.sort((a, b) => a - b),
    ),
  );
}

/**
 * The same rows with other labels. In the table of a data set whose schema has a label column, the label cells of the rows
 * that changed say so too. Throws DATA_LABELS.
 */
export function withLabels(data: Dataset, labels: Int32Array, classNames = data.classNames): Dataset {
  checkLabels(data.name, labels, data.size, classNames);
  const name = data.schema?.columns.find((c) => c.role === "label")?.name;
  const column = name === undefined || data.table === null ? -1 : data.table.header.indexOf(name);
  const table = column < 0 ? data.table : relabelled(data, labels, classNames, column);
  return Object.freeze({ ...data, labels, classNames, table });
}

function relabelled(
  data: Dataset,
  labels: Int32Array,
  classNames: readonly string[],
  column: number,
): Dataset["table"] {
  const rows = data.table!.rows.map((row, i) => {
    const now = classNames[labels[i]!]!;
    const before = data.labels && data.classNames[data.labels[i]!];
    return now === before ? row : row.with(column, now);
  });
  return { header: data.table!.header, rows };
}

/**
 * The same rows with other features, of the same number; the shape of an example may change. The table is dropped, since
 * its text would no longer say what the features are. Throws SHAPE_MISMATCH.
 */
export function withFeatures(data: Dataset, features: Tensor<"float32">): Dataset {
  if (features.dims[0] !== data.size) {
    throw new MarauderError(
      "SHAPE_MISMATCH",
      `${data.name} has ${data.size} rows, got features for ${features.dims[0]}`,
    );
  }
  return Object.freeze({ ...data, features, table: null });
}
