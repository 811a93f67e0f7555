import { gunzipIfNeeded } from "./idx.ts";
import { readBytes } from "../files.ts";
import { MarauderError } from "../errors.ts";
import { assemble, type Scale } from "./assemble.ts";
import { isMissing } from "./cells.ts";
import { parseCsv, type CsvOptions } from "./csv.ts";
import type { Dataset, RawTable, Schema } from "./dataset.ts";
import { classesOf, encode, fitSchema, type Roles } from "./schema.ts";

export interface TableOptions extends Roles, CsvOptions {
  /** Of the training data: test data must be read by it, so that its columns mean the same. */
  readonly schema?: Schema | undefined;
  /** What to do with missing cells in model inputs: refuse the file (the default), drop the row, or fill in. */
  readonly missing?: "refuse" | "drop" | "impute";
  /** Reads the first rows only. */
  readonly samples?: number;
  readonly shape?: readonly number[] | undefined;
  readonly scale?: Scale | undefined;
}

/** Reads the cells of a csv, tsv, parquet or JSON-lines file as text. */
export async function readRawTable(path: string, options: TableOptions = {}): Promise<RawTable> {
  if (/\.(parquet|jsonl|ndjson)$/i.test(path)) {
    await readable(path);
    const { queryTable } = await import("./duckdb.ts");
    return queryTable(path, options.samples);
  }
  const bytes = gunzipIfNeeded(await readBytes(path, "data file"), path);
  if (bytes.subarray(0, 4096).includes(0)) {
    throw new MarauderError(
      "DATA_CORRUPT",
      `${path} is not text: it has zero bytes; check that it is the file you mean`,
    );
  }
  return parseCsv(utf8(bytes, path), path, { ...options, ...(/\.tsv(\.gz)?$/i.test(path) && { delimiter: "\t" }) });
}

function utf8(bytes: Uint8Array, path: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    const message = `${path} is not UTF-8 text, or too long for one string; convert or cut it (iconv -t utf-8)`;
    throw new MarauderError("DATA_CORRUPT", message, { cause: error });
  }
}

async function readable(path: string): Promise<void> {
  const { access } = await import("node:fs/promises");
  try {
    await access(path);
  } catch (error) {
    throw new MarauderError("FILE_NOT_FOUND", `cannot read the data file ${path}; check the path`, { cause: error });
  }
}

/** Reads a table as a data set, encoded by the given schema or by one fitted on it. */
export async function readTable(path: string, options: TableOptions = {}): Promise<Dataset> {
  const raw = await readRawTable(path, options);
  return tableDataset(
    options.samples === undefined ? raw : { ...raw, rows: raw.rows.slice(0, options.samples) },
    path,
    options,
  );
}

/** Encodes rows of text. Row ids are those of the id column, else positions in the file from 0, which dropped rows keep. */
export function tableDataset(raw: RawTable, name: string, options: TableOptions = {}): Dataset {
  if (raw.rows.length === 0) throw new MarauderError("DATA_INVALID", `${name} has no rows; expected at least one`);
  const schema = options.schema ?? fitSchema(raw, options, name, options.missing === "impute");
  const rows = options.missing === "drop" ? complete(raw, schema) : raw.rows.map((_, i) => i);
  if (rows.length === 0) {
    throw new MarauderError(
      "NOT_ENOUGH_DATA",
      `${name}: each of its ${raw.rows.length} rows has a missing cell, so dropping them leaves none; impute instead`,
    );
  }
  const table: RawTable = { header: raw.header, rows: rows.map((i) => raw.rows[i]!) };
  const { features, labels } = encode(table, schema, name);
  const column = (of: string): string[] => table.rows.map((row) => row[table.header.indexOf(of)]!.trim());
  const there = schema.columns.filter((c) => table.header.includes(c.name));
  const id = there.find((c) => c.role === "id");
  const groups = there.filter((c) => c.role === "group").map((c) => [c.name, column(c.name)] as const);
  return assemble({
    name,
    dims: [rows.length, schema.inputs.length],
    values: features,
    labels,
    classNames: classesOf(schema),
    rowIds: id === undefined ? rows.map(String) : column(id.name),
    groups: Object.fromEntries(groups),
    storedAs: "text",
    schema,
    table,
    shape: options.shape,
    scale: options.scale,
  });
}

/** Positions of the rows that have every cell that the schema needs. */
function complete(raw: RawTable, schema: Schema): number[] {
  const needed = new Set(schema.inputs.map((input) => input.column));
  for (const column of schema.columns) if (column.role === "label") needed.add(column.name);
  const at = raw.header.flatMap((name, j) => (needed.has(name) ? [j] : []));
  return raw.rows.flatMap((row, i) => (at.some((j) => isMissing(row[j]!)) ? [] : [i]));
}
