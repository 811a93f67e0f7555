import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";

export interface TarFile {
  readonly path: string;
  readonly bytes: Uint8Array;
}

const text = (bytes: Uint8Array): string => {
  const end = bytes.indexOf(0);
  return Buffer.from(end < 0 ? bytes : bytes.subarray(0, end)).toString("utf8");
};

/** The regular files of a tar archive (ustar, GNU and pax long names), in archive order. */
export function* untar(archive: Uint8Array): Generator<TarFile> {
  let longName: string | null = null;
  for (let at = 0; at + 512 <= archive.length;) {
    const header = archive.subarray(at, at + 512);
    if (header[0] === 0) return;
    const size = Number.parseInt(text(header.subarray(124, 136)).trim() || "0", 8);
    const type = String.fromCharCode(header[156]!);
    const content = archive.subarray(at + 512, at + 512 + size);
    at += 512 + Math.ceil(size / 512) * 512;
    if (type === "L") longName = text(content);
    else if (type === "x") longName = /\d+ path=(.*)\n/.exec(Buffer.from(content).toString("utf8"))?.[1] ?? null;
    else {
      const ustar = text(header.subarray(257, 262)) === "ustar" && header[262] === 0;
      const prefix = ustar ? text(header.subarray(345, 500)) : "";
      const name = text(header.subarray(0, 100));
      if (type === "0" || type === "\0")
        yield { path: longName ?? (prefix === "" ? name : `${prefix}/${name}`), bytes: content };
      longName = null;
    }
  }
}

/** The files of a .tar.gz on disk; members that end in .gz are unpacked too, under their name without it. */
export function* untarFile(path: string): Generator<TarFile> {
  for (const file of untar(gunzipSync(readFileSync(path)))) {
    if (file.path.endsWith(".gz")) yield { path: file.path.slice(0, -3), bytes: gunzipSync(file.bytes) };
    else yield file;
  }
}
