import { MarauderError } from "../errors.ts";
import { writeAtomically } from "../files.ts";
import { csvText } from "./csv.ts";
import type { Dataset } from "./dataset.ts";
import { npzBytes } from "./npz.ts";

/**
 * Writes a data set whole or not at all. .csv: the header and the very cells of its rows, for data sets that came from a
 * table. .npz: x in the element type of the file (uint8 where all values are whole and in range, else float32), y, ids and
 * class_names. Throws USAGE for other endings and FILE_WRITE.
 */
export async function writeTable(data: Dataset, path: string): Promise<void> {
  if (/\.npz$/i.test(path)) return writeAtomically(path, npzBytes(arraysOf(data)));
  if (!/\.csv$/i.test(path)) {
    throw new MarauderError("USAGE", `cannot write ${path}: expected a name that ends in .csv or .npz`);
  }
  if (data.table === null) {
    throw new MarauderError(
      "USAGE",
      `cannot write ${data.name} as csv, since it was not read from a table; write .npz`,
    );
  }
  return writeAtomically(path, csvText(data.table));
}

function arraysOf(data: Dataset) {
  const { dims, data: values } = data.features;
  const bytes = data.storedAs === "uint8" && values.every((v) => Number.isInteger(v) && v >= 0 && v <= 255);
  const rows = [data.size];
  return {
    x: { dims, data: bytes ? Uint8Array.from(values) : values },
    ...(data.labels && { y: { dims: rows, data: BigInt64Array.from(data.labels, BigInt) } }),
    ids: { dims: rows, data: data.rowIds },
    ...(data.classNames.length > 0 && { class_names: { dims: [data.classNames.length], data: data.classNames } }),
  };
}
