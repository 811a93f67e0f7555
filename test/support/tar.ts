import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { untar, type TarFile } from "../../src/data/tar.ts";

export type { TarFile } from "../../src/data/tar.ts";

/** The files of a .tar.gz on disk; members that end in .gz are unpacked too, under their name without it. */
export function* untarFile(path: string): Generator<TarFile> {
  for (const file of untar(gunzipSync(readFileSync(path)), path)) {
    if (file.path.endsWith(".gz")) yield { path: file.path.slice(0, -3), bytes: gunzipSync(file.bytes) };
    else yield file;
  }
}
