import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { access, mkdir, open, readFile, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
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

/** Finds out before long work whether `path` can be written: its folder is made, the file is not. Throws FILE_WRITE. */
export async function checkWritable(path: string): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true });
    await access(dirname(path), constants.W_OK);
    const there = await stat(path).catch(() => null);
    if (there?.isDirectory() === true) throw Object.assign(new Error("a folder"), { code: "EISDIR" });
  } catch (error) {
    throw new MarauderError("FILE_WRITE", `cannot write ${path}: ${systemReason(error)}; nothing was changed`, {
      cause: error,
    });
  }
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
