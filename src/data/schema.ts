import { MarauderError } from "../errors.ts";
import { isMissing, kindOf, sortedValues, truthOf } from "./cells.ts";
import type { Column, RawTable, Schema } from "./dataset.ts";

/** Most values of a category column, and most classes of a label column: beyond it is a number, a name or an id. */
const MOST_VALUES = 1000;

export interface Roles {
  /** Label column: its name, its number from 1, or "last". */
  readonly label?: string;
  /** Columns whose values declare groups of people or things. They stay model inputs unless ignored as well. */
  readonly groups?: readonly string[];
  readonly id?: string;
  readonly ignore?: readonly string[];
}

/** Works out kinds, ranges, categories and one-hot positions from training rows. Throws USAGE for unknown columns. */
export function fitSchema(table: RawTable, roles: Roles, path: string, impute = false): Schema {
  const find = (name: string): string => findColumn(table.header, name, path);
  const label = roles.label === undefined ? null : find(roles.label);
  const id = roles.id === undefined ? null : find(roles.id);
  const groups = new Set((roles.groups ?? []).map(find));
  const ignored = new Set((roles.ignore ?? []).map(find));
  const columns = table.header.map((name, j): Column => {
    const cells = table.rows.map((row) => row[j]!);
    const role =
      name === label
        ? "label"
        : name === id
          ? "id"
          : groups.has(name)
            ? "group"
            : ignored.has(name)
              ? "ignored"
              : "feature";
    return fitColumn(name, cells, role, role === "feature" || (role === "group" && !ignored.has(name)), impute, path);
  });
  const inputs = columns
    .filter((c) => c.role === "feature" || (c.role === "group" && !ignored.has(c.name)))
    .flatMap((c) =>
      c.kind === "category" ? c.categories!.map((category) => ({ column: c.name, category })) : [{ column: c.name }],
    );
  if (inputs.length === 0) {
    throw new MarauderError("DATA_INVALID", `${path} has no feature column besides label, id and ignored ones`);
  }
  return { columns, inputs };
}

function findColumn(header: readonly string[], name: string, path: string): string {
  if (header.includes(name)) return name;
  const position = name === "last" ? header.length : /^\d+$/.test(name) ? Number(name) : 0;
  const found = header[position - 1];
  if (found !== undefined) return found;
  const names = header.length > 40 ? `${header.slice(0, 40).join(", ")}, …` : header.join(", ");
  throw new MarauderError("USAGE", `${path} has no column ${JSON.stringify(name)}; it has ${names}`);
}

function fitColumn(
  name: string,
  cells: readonly string[],
  role: Column["role"],
  input: boolean,
  impute: boolean,
  path: string,
): Column {
  if (role === "label") return { name, kind: "category", role, categories: classValues(cells, name, path) };
  if (!input) return { name, kind: role === "id" ? "category" : kindOf(cells), role };
  const kind = kindOf(cells);
  const there = cells.filter((cell) => !isMissing(cell));
  if (there.length === 0) {
    throw new MarauderError("DATA_INVALID", `${path}, column ${name}: every cell is missing; ignore the column`);
  }
  if (kind === "category") {
    const categories = sortedValues(there);
    if (categories.length > MOST_VALUES) {
      throw new MarauderError(
        "DATA_INVALID",
        `${path}, column ${name}: ${categories.length} different texts, more than ${MOST_VALUES}; name it as id or ignore it`,
      );
    }
    return { name, kind, role, categories, ...(impute && { fill: mostFrequent(there) }) };
  }
  const values = Float64Array.from(there, kind === "boolean" ? truthOf : Number).sort();
  const range = { min: values[0]!, max: values.at(-1)! };
  return { name, kind, role, ...range, ...(impute && { fill: String(values[(values.length - 1) >> 1]!) }) };
}

/** The classes in the order of their numbers. Whole numbers from 0 keep their own value as class number. */
function classValues(cells: readonly string[], name: string, path: string): string[] {
  const values = sortedValues(cells.filter((cell) => !isMissing(cell)));
  const whole = values.every((v) => /^\d+$/.test(v));
  const count = whole && values[0] === "0" ? Number(values.at(-1)) + 1 : values.length;
  if (count > MOST_VALUES) {
    throw new MarauderError(
      "DATA_LABELS",
      `${path}, column ${name}: ${count} classes, more than ${MOST_VALUES}; choose a column that holds classes as label`,
    );
  }
  return count === values.length ? values : Array.from({ length: count }, (_, i) => String(i));
}

function mostFrequent(cells: readonly string[]): string {
  const count = new Map<string, number>();
  for (const cell of cells) count.set(cell.trim(), (count.get(cell.trim()) ?? 0) + 1);
  return sortedValues(count.keys()).reduce((best, v) => (count.get(v)! > count.get(best)! ? v : best));
}

/** The names of the classes, or none where the schema has no label column. */
export const classesOf = (schema: Schema): readonly string[] =>
  schema.columns.find((c) => c.role === "label")?.categories ?? [];

/**
 * Turns rows into model inputs by a schema fitted on other rows. Throws DATA_INVALID (missing cell, text where the schema
 * has a number, unknown category) and DATA_LABELS (unknown class), each with row, column and cell.
 */
export function encode(table: RawTable, schema: Schema, path: string) {
  const at = new Map(table.header.map((name, j) => [name, j]));
  const width = schema.inputs.length;
  const features = new Float32Array(table.rows.length * width);
  const start = new Map<string, number>();
  schema.inputs.forEach((input, i) => start.has(input.column) || start.set(input.column, i));
  let labels: Int32Array | null = null;
  for (const column of schema.columns) {
    const j = at.get(column.name);
    const first = start.get(column.name);
    if (j === undefined) {
      if (first === undefined) continue; // a label, id or group column that this file need not have
      throw new MarauderError(
        "DATA_INVALID",
        `${path} has no column ${column.name}, which the training data has; it has ${table.header.join(", ")}`,
      );
    }
    if (column.role === "label") labels = encodeLabels(table, j, column, path);
    if (first === undefined) continue;
    const places = new Map(column.categories?.map((c, i) => [c, i]));
    table.rows.forEach((row, i) => {
      const cell = isMissing(row[j]!) && column.fill !== undefined ? column.fill : row[j]!.trim();
      const where = i * width + first;
      if (column.kind !== "category") features[where] = numberIn(cell, column, i, path);
      else features[where + (places.get(cell) ?? unknown(cell, column, i, path))] = 1;
    });
  }
  return { features, labels };
}

function encodeLabels(table: RawTable, j: number, column: Column, path: string): Int32Array {
  const places = new Map(column.categories!.map((c, i) => [c, i]));
  return Int32Array.from(table.rows, (row, i) => {
    const cell = row[j]!.trim();
    const found = places.get(cell);
    if (found !== undefined) return found;
    const what = isMissing(cell) ? "has no label" : `has label ${JSON.stringify(cell)}`;
    throw new MarauderError(
      "DATA_LABELS",
      `${path}, row ${i + 1}, column ${column.name} ${what}; expected one of ${column.categories!.slice(0, 20).join(", ")}`,
    );
  });
}

function numberIn(cell: string, column: Column, row: number, path: string): number {
  const value = column.kind === "boolean" ? truthOf(cell) : isMissing(cell) ? NaN : Number(cell);
  if (Number.isFinite(Math.fround(value))) return value;
  throw badCell(
    cell,
    column,
    row,
    path,
    column.kind === "boolean" ? "true or false" : "a number that float32 can hold",
  );
}

function unknown(cell: string, column: Column, row: number, path: string): never {
  const known = column.categories!;
  throw badCell(
    cell,
    column,
    row,
    path,
    `one of the training data's ${known.slice(0, 20).join(", ")}${known.length > 20 ? ", …" : ""}`,
  );
}

function badCell(cell: string, column: Column, row: number, path: string, expected: string): MarauderError {
  const what = isMissing(cell) ? `is missing (${JSON.stringify(cell)})` : `is ${JSON.stringify(cell)}`;
  const advice = isMissing(cell)
    ? `fill it, or choose to drop or impute rows with missing cells`
    : "repair the cell, or fit the schema on data that have it";
  return new MarauderError(
    "DATA_INVALID",
    `${path}, row ${row + 1}, column ${column.name}: the cell ${what}; expected ${expected}; ${advice}`,
    {
      details: { row: row + 1, column: column.name, cell },
    },
  );
}
