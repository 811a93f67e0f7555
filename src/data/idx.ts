import { gunzipSync } from "node:zlib";
import { readBytes } from "../files.ts";
import { MarauderError } from "../errors.ts";
import { checkedSize, type NumberArray } from "./arrays.ts";

/** Most bytes that a compressed file may unpack to. */
export const UNPACKED_LIMIT = 4 * 2 ** 30;

/** Reads an idx file (the format of MNIST), gzipped or not. Throws FILE_NOT_FOUND and DATA_CORRUPT. */
export async function readIdx(path: string): Promise<NumberArray> {
  return parseIdx(gunzipIfNeeded(await readBytes(path, "data file"), path), path);
}

/** Unpacks gzip, by its magic number; other bytes come back as they are. */
export function gunzipIfNeeded(bytes: Uint8Array, path: string): Uint8Array {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  // Deflate packs at most 1032 : 1, so more than that is a bomb or damage.
  const limit = Math.min(UNPACKED_LIMIT, bytes.length * 1040 + 64);
  try {
    return gunzipSync(bytes, { maxOutputLength: limit });
  } catch (error) {
    throw new MarauderError(
      "DATA_CORRUPT",
      `${path} cannot be unpacked as gzip (${error instanceof Error ? error.message : String(error)}); it is truncated, ` +
        `damaged, or unpacks to more than ${limit} bytes: get it again`,
      { cause: error },
    );
  }
}

const types: Readonly<Record<number, readonly [dtype: string, bytes: number]>> = {
  0x08: ["uint8", 1],
  0x09: ["int8", 1],
  0x0b: ["int16", 2],
  0x0c: ["int32", 4],
  0x0d: ["float32", 4],
  0x0e: ["float64", 8],
};

/** Parses an idx file: two zero bytes, type, rank, big-endian dims, big-endian values in row-major order. */
export function parseIdx(bytes: Uint8Array, path: string): NumberArray {
  const type = bytes[0] === 0 && bytes[1] === 0 ? types[bytes[2]!] : undefined;
  const rank = bytes[3] ?? 0;
  if (type === undefined || rank === 0 || bytes.length < 4 + 4 * rank) {
    const start = Buffer.from(bytes.subarray(0, 4)).toString("hex");
    throw new MarauderError(
      "DATA_CORRUPT",
      `${path} is not an idx file: expected it to start with 0000, a type 08 to 0e and a rank, got ${start || "nothing"}`,
    );
  }
  const [dtype, width] = type;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const dims = Array.from({ length: rank }, (_, i) => view.getUint32(4 + 4 * i));
  const start = 4 + 4 * rank;
  const size = checkedSize(dims, width, bytes.length - start, path);
  if (start + size * width !== bytes.length) {
    throw new MarauderError(
      "DATA_CORRUPT",
      `${path} has ${bytes.length - start - size * width} bytes after its array of shape [${dims.join(", ")}]; the file is damaged`,
    );
  }
  return { dims, dtype, data: valuesOf(dtype, view, start, size) };
}

function valuesOf(dtype: string, view: DataView, start: number, size: number): NumberArray["data"] {
  if (dtype === "uint8") return new Uint8Array(view.buffer, view.byteOffset + start, size).slice();
  if (dtype === "int8") return new Int8Array(view.buffer, view.byteOffset + start, size).slice();
  if (dtype === "int16") return Int16Array.from({ length: size }, (_, i) => view.getInt16(start + 2 * i));
  if (dtype === "int32") return Int32Array.from({ length: size }, (_, i) => view.getInt32(start + 4 * i));
  if (dtype === "float32") return Float32Array.from({ length: size }, (_, i) => view.getFloat32(start + 4 * i));
  return Float64Array.from({ length: size }, (_, i) => view.getFloat64(start + 8 * i));
}

/** The labels file beside an images file, by MNIST's naming: t10k-images-idx3-ubyte → t10k-labels-idx1-ubyte. */
export function labelsBeside(imagesPath: string): string | null {
  const found = /^(.*)images([-.])idx\d(.*)$/s.exec(imagesPath);
  return found === null ? null : `${found[1]}labels${found[2]}idx1${found[3]}`;
}
