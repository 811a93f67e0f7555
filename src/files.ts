import { randomBytes } from "node:crypto";
import { mkdir, open, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { MarauderError } from "./errors.ts";

const reasons: Record<string, string> = {
  ENOENT: "it does not exist",
  EACCES: "permission denied",
  EPERM: "permission denied",
  EROFS: "the disk is read-only",
  ENOSPC: "the disk is full",
  EDQUOT: "the disk quota is used up",
  EISDIR: "it is a folder",
  ENOTDIR: "a part of the path is a file, not a folder",
  EEXIST: "a file of that name is in the way",
  EFBIG: "the file is larger than the system allows",
  EMFILE: "too many files are open",
};

/** The system's reason in words, for messages. */
export function systemReason(error: unknown): string {
  const code = (error as NodeJS.ErrnoException | null)?.code ?? "";
  return reasons[code] ?? (error instanceof Error ? error.message : String(error));
}

/** Reads a whole file. `what` names its role in the message: "model", "plan". Throws FILE_NOT_FOUND. */
export async function readBytes(path: string, what: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new MarauderError(
      "FILE_NOT_FOUND",
      `cannot read the ${what} ${path}: ${systemReason(error)}; check the path`,
      {
        cause: error,
      },
    );
  }
}

/**
 * Finds out before long work whether `path` can be written, by making a file in the nearest folder that is there and taking
 * it away; nothing stays. `name` is how the message calls it. Throws FILE_WRITE.
 */
export async function checkWritable(path: string, kind: "file" | "folder" = "file", name = path): Promise<void> {
  const refuse = (why: string, cause?: unknown): MarauderError =>
    new MarauderError("FILE_WRITE", `cannot write ${name}: ${why}; nothing was changed`, { cause });
  const there = await whatIs(path);
  if (there !== null && there !== kind) throw refuse(`expected a ${kind}, got a ${there}; name another place`);
  let folder = kind === "folder" ? resolve(path) : dirname(resolve(path));
  for (;;) {
    const found = await whatIs(folder);
    if (found === "folder") break;
    if (found !== null) throw refuse(`expected a folder at ${folder}, got a ${found}; name another place`);
    folder = dirname(folder);
  }
  const probe = join(folder, `.${randomBytes(6).toString("hex")}.tmp`);
  try {
    await writeFile(probe, "x", { flag: "wx" });
    await rm(probe);
  } catch (error) {
    await rm(probe, { force: true }).catch(() => undefined);
    // What keeps no files at all, as /proc does, says that the file that was to be made does not exist.
    const code = (error as NodeJS.ErrnoException).code;
    const why = code === "ENOENT" ? "the system makes no files there" : systemReason(error);
    throw refuse(`expected a folder that takes files, got ${folder} (${why}); name another place`, error);
  }
}

/** What stands at a path; null where nothing does. */
async function whatIs(path: string): Promise<"file" | "folder" | "device" | null> {
  const found = await stat(path).catch(() => null);
  if (found === null) return null;
  return found.isDirectory() ? "folder" : found.isFile() ? "file" : "device";
}

/**
 * Writes a file whole or not at all: into a temporary file beside it, synced, then renamed over the old one. Makes the
 * folders on the way. Throws FILE_WRITE, with nothing left behind and the old file intact.
 */
export async function writeAtomically(path: string, content: Uint8Array | string): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString("hex")}.tmp`);
  try {
    await mkdir(dirname(path), { recursive: true });
    const file = await open(temporary, "wx");
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw new MarauderError("FILE_WRITE", `cannot write ${path}: ${systemReason(error)}; nothing was changed`, {
      cause: error,
    });
  }
}
