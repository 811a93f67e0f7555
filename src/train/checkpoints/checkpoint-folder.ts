import { randomBytes } from "node:crypto";
import { mkdir, open, readdir, readFile, rm } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { MarauderError } from "../../errors.ts";
import { readBytes, systemReason, writeAtomically } from "../../files.ts";
import type { CheckpointPlace, CheckpointStore } from "./checkpoint.ts";

const FILE = "training.checkpoint";
const LOCK = /^running-(.+)-(\d+)-(\d+)-[0-9a-f]{12}\.lock$/;

/**
 * Keeps a checkpoint in a folder, which is made where it is missing. One run at a time: each run puts down a lock file
 * that names its computer and process, and gives way where another one's process is alive; both may give way, but never
 * do both run. The locks of dead processes are cleared away.
 */
export function checkpointFolder(folder: string): CheckpointStore {
  return Object.freeze({
    async open(): Promise<CheckpointPlace> {
      const lock = await takeLock(folder);
      // A run that was killed while it wrote leaves half a file of another name.
      for (const name of await readdir(folder)) {
        if (name.startsWith(`.${FILE}.`) && name.endsWith(".tmp")) await rm(join(folder, name), { force: true });
      }
      return {
        read: async () => ((await readdir(folder)).includes(FILE) ? readBytes(join(folder, FILE), "checkpoint") : null),
        write: (content) => writeAtomically(join(folder, FILE), content),
        close: () => rm(lock, { force: true }),
      };
    },
  });
}

async function takeLock(folder: string): Promise<string> {
  const host = hostname().replaceAll(/[^\w.]/g, "_");
  const name = `running-${host}-${process.pid}-${await startOf(process.pid)}-${randomBytes(6).toString("hex")}.lock`;
  const own = join(folder, name);
  try {
    await mkdir(folder, { recursive: true });
    await (await open(own, "wx")).close();
  } catch (error) {
    throw new MarauderError("FILE_WRITE", `cannot use the checkpoint folder ${folder}: ${systemReason(error)}`, {
      cause: error,
    });
  }
  for (const other of await readdir(folder)) {
    const owner = LOCK.exec(other);
    if (owner === null || other === name) continue;
    const [, theirHost, pid, start] = owner;
    if (theirHost === host && !(await lives(Number(pid), start!))) {
      await rm(join(folder, other), { force: true });
      continue;
    }
    await rm(own, { force: true });
    throw new MarauderError(
      "FILE_WRITE",
      `another run writes checkpoints into ${folder} (process ${pid} on ${theirHost}); wait for it, stop it, or use ` +
        `another folder; if it is gone, delete ${join(folder, other)}`,
      { details: { host: theirHost, process: Number(pid) } },
    );
  }
  return own;
}

async function lives(pid: number, start: string): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
  }
  return (await startOf(pid)) === start;
}

/** When a process began, in the system's ticks, so that a number used again is not taken for the old process; else 0. */
async function startOf(pid: number): Promise<string> {
  try {
    const text = await readFile(`/proc/${pid}/stat`, "utf8");
    // The command stands in brackets and may hold blanks; the 20th field behind it is the start time.
    return text.slice(text.lastIndexOf(")") + 2).split(" ")[19] ?? "0";
  } catch {
    return "0";
  }
}
