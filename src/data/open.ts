import { existsSync, statSync } from "node:fs";
import { MarauderError } from "../errors.ts";
import { readBytes } from "../files.ts";
import { sizeOf } from "../tensor/index.ts";
import { toFloat32, toLabels, type NumberArray } from "./arrays.ts";
import { assemble, checkLabels, namesFor } from "./assemble.ts";
import type { Dataset } from "./dataset.ts";
import { gunzipIfNeeded, labelsBeside, parseIdx } from "./idx.ts";
import { readImageFolder } from "./image-folder.ts";
import { parseNpy, type TextArray } from "./npy.ts";
import { openNpz } from "./npz.ts";
import { readTable, type TableOptions } from "./table.ts";

export interface OpenOptions extends TableOptions {
  /** File of labels (idx, npy or npz) for idx and npy files; in a npz file the key of the labels. */
  readonly labels?: string;
  /** In a npz file the key of the features. */
  readonly features?: string;
  readonly classNames?: readonly string[];
}

/**
 * Opens a data set: idx (.gz) with the labels file beside it, npz, npy, csv, tsv, parquet, JSON lines or a folder of images.
 * uint8 data keep their values 0 to 255 unless `scale` says otherwise. Row ids are positions in the file unless it has ids.
 * Throws FILE_NOT_FOUND, DATA_CORRUPT, DATA_INVALID, DATA_LABELS, SHAPE_MISMATCH and USAGE, each with what to do.
 */
export async function openDataset(path: string, options: OpenOptions = {}): Promise<Dataset> {
  if (options.samples !== undefined && !(Number.isInteger(options.samples) && options.samples > 0)) {
    throw new MarauderError("OPTION_RANGE", `samples must be a whole number above 0, got ${options.samples}`);
  }
  if (!existsSync(path)) {
    throw new MarauderError("FILE_NOT_FOUND", `cannot read the data file ${path}: it does not exist; check the path`);
  }
  if (statSync(path).isDirectory()) return readImageFolder(path, options);
  if (/\.(csv|tsv|txt|data|parquet|jsonl|ndjson)(\.gz)?$/i.test(path)) return readTable(path, options);
  const bytes = gunzipIfNeeded(await readBytes(path, "data file"), path);
  if (bytes[0] === 0x50 && bytes[1] === 0x4b) return fromNpz(bytes, path, options);
  const isNpy = bytes[0] === 0x93;
  if (!isNpy && !(bytes[0] === 0 && bytes[1] === 0)) {
    throw new MarauderError(
      "DATA_CORRUPT",
      `${path} is of no known format; expected idx, npy, npz, csv, tsv, parquet, jsonl or a folder of images (tables by the name's ending)`,
    );
  }
  const features = numeric(isNpy ? parseNpy(bytes, path) : parseIdx(bytes, path), path);
  const beside = isNpy ? null : labelsBeside(path);
  const labelsPath = options.labels ?? (beside !== null && existsSync(beside) ? beside : null);
  const labels = labelsPath === null ? null : toLabels(await readArray(labelsPath), labelsPath);
  return build(features, labels, null, path, options);
}

/** Reads one numeric array from an idx or npy file. */
export async function readArray(path: string): Promise<NumberArray> {
  const bytes = gunzipIfNeeded(await readBytes(path, "data file"), path);
  return numeric(bytes[0] === 0x93 ? parseNpy(bytes, path) : parseIdx(bytes, path), path);
}

function numeric(array: NumberArray | TextArray, path: string): NumberArray {
  if (array.dtype !== "text") return array as NumberArray;
  throw new MarauderError("DATA_INVALID", `${path} holds text; expected numbers`);
}

const featureKeys = ["x", "X", "images", "features", "data"];
const labelKeys = ["y", "labels", "label"];

function fromNpz(bytes: Uint8Array, path: string, options: OpenOptions): Dataset {
  const npz = openNpz(bytes, path);
  const choose = (wanted: string | undefined, usual: readonly string[]): string | null => {
    if (wanted !== undefined && npz.keys.includes(wanted)) return wanted;
    if (wanted !== undefined) throw noKey(path, npz.keys, JSON.stringify(wanted));
    return usual.find((key) => npz.keys.includes(key)) ?? null;
  };
  const key = choose(options.features, featureKeys) ?? (npz.keys.length === 1 ? npz.keys[0]! : null);
  if (key === null) throw noKey(path, npz.keys, `features (${featureKeys.join(", ")})`);
  const features = numeric(npz.array(key), `${path}, array ${key}`);
  const labelKey = choose(options.labels ?? options.label, labelKeys);
  const labels =
    labelKey === null || labelKey === key
      ? null
      : toLabels(numeric(npz.array(labelKey), path), `${path}, array ${labelKey}`);
  const texts = (name: string): readonly string[] | null => {
    const array = npz.keys.includes(name) ? npz.array(name) : null;
    return array?.dtype === "text" ? (array as TextArray).data : null;
  };
  const names = options.classNames ?? texts("class_names") ?? undefined;
  return build(features, labels, texts("ids"), path, { ...options, ...(names && { classNames: names }) });
}

function noKey(path: string, keys: readonly string[], wanted: string): MarauderError {
  return new MarauderError(
    "DATA_INVALID",
    `${path} has no array for ${wanted}; it has ${keys.join(", ") || "none"}; choose with the options features and labels`,
  );
}

function build(
  features: NumberArray,
  labels: Int32Array | null,
  ids: readonly string[] | null,
  path: string,
  options: OpenOptions,
): Dataset {
  const dtype = features.dtype;
  const classNames = namesFor(labels, options.classNames);
  if (labels !== null) checkLabels(path, labels, features.dims[0] ?? 0, classNames);
  const first = options.samples;
  const kept = first === undefined ? features : firstRows(features, first);
  return assemble({
    name: path,
    dims: kept.dims,
    values: toFloat32(kept, path),
    labels: labels !== null && first !== undefined ? labels.slice(0, first) : labels,
    classNames,
    ...(ids !== null && { rowIds: first === undefined ? ids : ids.slice(0, first) }),
    storedAs: dtype === "uint8" ? "uint8" : dtype === "float32" || dtype === "float16" ? "float32" : "float64",
    shape: options.shape,
    scale: options.scale,
  });
}

function firstRows(array: NumberArray, count: number): NumberArray {
  const rows = Math.min(count, array.dims[0] ?? 0);
  const dims = [rows, ...array.dims.slice(1)];
  return { ...array, dims, data: array.data.slice(0, sizeOf(dims)) };
}
