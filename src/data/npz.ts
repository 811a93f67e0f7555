import { unzipSync, zipSync } from "fflate";
import { MarauderError } from "../errors.ts";
import type { NumberArray } from "./arrays.ts";
import { UNPACKED_LIMIT } from "./idx.ts";
import { npyBytes, parseNpy, type TextArray } from "./npy.ts";

/**
 * The arrays of a .npz file (a zip of .npy files), unpacked lazily: `array(key)` parses one. Entries whose declared size
 * is more than deflate can reach, or than 4 GiB, are refused before anything is unpacked. Throws DATA_CORRUPT.
 */
export function openNpz(bytes: Uint8Array, path: string) {
  const keys: string[] = [];
  const listed = (name: string): string => name.replace(/\.npy$/, "");
  unzip(bytes, path, (file) => {
    if (file.originalSize > UNPACKED_LIMIT || file.originalSize > file.size * 1040 + 1024) {
      throw new MarauderError(
        "DATA_CORRUPT",
        `${path}: entry ${file.name} says that ${file.size} bytes unpack to ${file.originalSize}, which is a damaged file or a zip bomb`,
      );
    }
    if (file.name.endsWith(".npy")) keys.push(listed(file.name));
    return false;
  });
  return {
    keys,
    array(key: string): NumberArray | TextArray {
      const found = unzip(bytes, path, (file) => listed(file.name) === key && file.name.endsWith(".npy"));
      const entry = Object.values(found)[0];
      if (entry === undefined) {
        throw new MarauderError("DATA_INVALID", `${path} has no array ${key}; it has ${keys.join(", ")}`);
      }
      return parseNpy(entry, `${path}, array ${key}`);
    },
  };
}

type Filter = (file: { name: string; size: number; originalSize: number; compression: number }) => boolean;

function unzip(bytes: Uint8Array, path: string, filter: Filter): Record<string, Uint8Array> {
  try {
    return unzipSync(bytes, { filter });
  } catch (error) {
    if (error instanceof MarauderError) throw error;
    throw new MarauderError(
      "DATA_CORRUPT",
      `${path} cannot be unpacked as a zip of arrays (${error instanceof Error ? error.message : String(error)}); it is truncated or damaged: get it again`,
      { cause: error },
    );
  }
}

/** Bytes of a compressed .npz file; the same arrays always give the same bytes. */
export function npzBytes(
  arrays: Readonly<Record<string, { dims: readonly number[]; data: NumberArray["data"] | readonly string[] }>>,
): Uint8Array {
  const entries = Object.entries(arrays).map(([key, a]) => [`${key}.npy`, npyBytes(a.dims, a.data)] as const);
  return zipSync(Object.fromEntries(entries), { mtime: new Date(1980, 0, 2), level: 4 });
}
