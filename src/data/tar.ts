import { MarauderError } from "../errors.ts";

export interface TarFile {
  readonly path: string;
  readonly bytes: Uint8Array;
}

const text = (bytes: Uint8Array): string => {
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
};

/**
 * The regular files of a tar archive (ustar, GNU and pax long names), in archive order. Nothing is written anywhere, so
 * names are only names. Throws DATA_CORRUPT where a member is longer than what is left of the archive.
 */
export function* untar(archive: Uint8Array, where: string): Generator<TarFile> {
  let longName: string | null = null;
  for (let at = 0; at + 512 <= archive.length;) {
    const header = archive.subarray(at, at + 512);
    if (header[0] === 0) return;
    const size = Number.parseInt(text(header.subarray(124, 136)).trim() || "0", 8);
    if (!(size >= 0) || at + 512 + size > archive.length) {
      throw new MarauderError(
        "DATA_CORRUPT",
        `${where} is no whole tar archive: the member at byte ${at} has ${Number.isNaN(size) ? "no" : size} bytes, and ` +
          `${archive.length - at - 512} are left; copy the file again`,
      );
    }
    const type = String.fromCharCode(header[156]!);
    const content = archive.subarray(at + 512, at + 512 + size);
    at += 512 + Math.ceil(size / 512) * 512;
    if (type === "L") longName = text(content);
    else if (type === "x") longName = /\d+ path=(.*)\n/.exec(new TextDecoder().decode(content))?.[1] ?? null;
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
