import { MarauderError } from "../errors.ts";
import { sizeOf } from "../tensor/index.ts";

/** A numeric array out of a file: values as doubles would lose int64, so they stay in the typed array of the file. */
export interface NumberArray {
  readonly dims: readonly number[];
  /** Element type in the file, such as "uint8" or "float64". */
  readonly dtype: string;
  /** Row-major. */
  readonly data:
    | Float32Array
    | Float64Array
    | Int8Array
    | Int16Array
    | Int32Array
    | Uint8Array
    | Uint16Array
    | Uint32Array
    | BigInt64Array
    | BigUint64Array;
}

/**
 * Checks dims from a file and gives their product. Throws DATA_CORRUPT when it does not fit the bytes that are there,
 * before anything is allocated.
 */
export function checkedSize(dims: readonly number[], bytesEach: number, bytesThere: number, path: string): number {
  const legal = dims.length <= 32 && dims.every((d) => Number.isSafeInteger(d) && d >= 0);
  const size = legal ? sizeOf(dims) : NaN;
  if (!(size * bytesEach <= bytesThere)) {
    throw new MarauderError(
      "DATA_CORRUPT",
      `${path} says that it holds an array of shape [${dims.join(", ")}], ${size * bytesEach} bytes, but has ${bytesThere} ` +
        `bytes for it; the file is truncated or not what its header says: get it again`,
    );
  }
  return size;
}

/** Values as float32; int64 within ±2^53 exactly representable as doubles, beyond DATA_INVALID. */
export function toFloat32(array: NumberArray, path: string): Float32Array {
  if (array.data instanceof Float32Array) return array.data;
  const out = new Float32Array(array.data.length);
  for (let i = 0; i < out.length; i++) out[i] = Number(array.data[i]!);
  if (array.data instanceof Float64Array) {
    const bad = out.findIndex((v, i) => !Number.isFinite(v) && Number.isFinite(array.data[i]!));
    if (bad >= 0) {
      throw new MarauderError(
        "DATA_INVALID",
        `${path}: value ${array.data[bad]} at position ${bad} is beyond the range of float32, which models take; scale the data`,
      );
    }
  }
  return out;
}

/** Class labels: whole numbers from 0, as a vector, a column or one-hot rows of numbers. Throws DATA_LABELS. */
export function toLabels(array: NumberArray, path: string): Int32Array {
  const { dims, data } = array;
  const rows = dims[0] ?? 0;
  const width = dims.length === 1 ? 1 : sizeOf(dims.slice(1));
  if (dims.length === 0 || (width !== 1 && dims.length !== 2)) {
    throw new MarauderError(
      "DATA_LABELS",
      `${path}: labels must be a vector of class numbers or one-hot rows, got shape [${dims.join(", ")}]`,
    );
  }
  const out = new Int32Array(rows);
  for (let i = 0; i < rows; i++) out[i] = width === 1 ? classNumber(Number(data[i]!), i, path) : hot(array, i, path);
  return out;
}

function classNumber(value: number, row: number, path: string): number {
  if (!Number.isInteger(value) || value < 0 || value >= 2 ** 31) {
    throw new MarauderError(
      "DATA_LABELS",
      `${path}: row ${row} has label ${value}; expected a class number 0, 1, 2, …`,
    );
  }
  return value;
}

function hot(array: NumberArray, row: number, path: string): number {
  const width = array.dims[1]!;
  let found = -1;
  for (let j = 0; j < width; j++) {
    const value = Number(array.data[row * width + j]!);
    if (value === 0) continue;
    if (value !== 1 || found >= 0) {
      found = -1;
      break;
    }
    found = j;
  }
  if (found >= 0) return found;
  throw new MarauderError(
    "DATA_LABELS",
    `${path}: row ${row} of the labels, which have ${width} columns, is not one-hot; expected one 1 and zeros, or one class number`,
  );
}
