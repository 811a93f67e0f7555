import * as fs from "node:fs";
import { dirname } from "node:path";
import { MarauderError } from "../errors.ts";
import { systemReason } from "../files.ts";
import { version } from "../version.ts";
import { openLedger, type Ledger, type LedgerBudget, type LedgerDisk } from "./ledger.ts";

/**
 * Opens or makes the ledger at `path` (with `path`.head and, while it is open, `path`.lock beside it). One process at a
 * time: LEDGER_BUSY otherwise. FILE_WRITE when the disk does not take it; then nothing may run.
 */
export function openLedgerFile(path: string, create?: LedgerBudget): Ledger {
  const unlock = guarded(path, () => lock(`${path}.lock`));
  try {
    return openLedger(diskOf(path, unlock), create, `marauder ${version}`);
  } catch (error) {
    unlock();
    throw error;
  }
}

function guarded<T>(path: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (error instanceof MarauderError) throw error;
    throw new MarauderError(
      "FILE_WRITE",
      `cannot use the privacy ledger ${path}: ${systemReason(error)}; nothing may be released until it can be written`,
      { cause: error },
    );
  }
}

function diskOf(path: string, unlock: () => void): LedgerDisk {
  const head = `${path}.head`;
  const file = guarded(path, () => fs.openSync(path, "a+", 0o600));
  const readIfThere = (name: string): string | null => {
    try {
      return fs.readFileSync(name, "latin1");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
      throw error;
    }
  };
  return {
    readLog: () => guarded(path, () => fs.readFileSync(path, "latin1")),
    readHead: () => guarded(path, () => readIfThere(head)),
    appendLog: (text) =>
      guarded(path, () => {
        if (Number(readOwner(`${path}.lock`)) !== process.pid) throw busy(`${path}.lock`, 0);
        const bytes = Buffer.from(text, "latin1");
        for (let done = 0; done < bytes.length;) done += fs.writeSync(file, bytes, done);
      }),
    syncLog: () => guarded(path, () => fs.fsyncSync(file)),
    replaceHead: (text) =>
      guarded(path, () => {
        const temporary = `${head}.tmp`;
        const out = fs.openSync(temporary, "w", 0o600);
        try {
          fs.writeSync(out, text);
          fs.fsyncSync(out);
        } finally {
          fs.closeSync(out);
        }
        fs.renameSync(temporary, head);
        syncFolder(dirname(path));
      }),
    cutLog: (length) =>
      guarded(path, () => {
        fs.ftruncateSync(file, length);
        fs.fsyncSync(file);
      }),
    close: () => {
      fs.closeSync(file);
      unlock();
    },
  };
}

function syncFolder(folder: string): void {
  const handle = fs.openSync(folder, "r");
  try {
    fs.fsyncSync(handle);
  } finally {
    fs.closeSync(handle);
  }
}

/** Makes the lock file; a lock whose process is gone is taken over. Gives the function that removes it. */
function lock(path: string): () => void {
  for (let tries = 0; tries < 3; tries++) {
    if (take(path)) return () => fs.rmSync(path, { force: true });
    const owner = Number(readOwner(path));
    if (owner > 0 && !alive(owner)) {
      // Renaming is atomic: of several that find the dead lock, one gets it, and it removes just that one.
      const aside = `${path}.${process.pid}.dead`;
      try {
        fs.renameSync(path, aside);
        fs.rmSync(aside, { force: true });
      } catch {
        continue;
      }
      continue;
    }
    throw busy(path, owner);
  }
  throw new MarauderError("LEDGER_BUSY", `the privacy ledger's lock ${path} keeps changing hands; try again`);
}

/**
 * Makes the lock file whole or not at all: its text is written to a file of this process, which then gets the lock's name
 * too. A process that dies in between leaves no lock without an owner. False: there is a lock.
 */
function take(path: string): boolean {
  const own = `${path}.${process.pid}`;
  try {
    fs.writeFileSync(own, `${process.pid}\n`, { mode: 0o600 });
    fs.linkSync(own, path);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") return false;
    if (code !== undefined && noLinks.includes(code)) return takeBySteps(path);
    throw error;
  } finally {
    fs.rmSync(own, { force: true });
  }
}

/** What file systems without hard links answer. */
const noLinks = ["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"];

function takeBySteps(path: string): boolean {
  try {
    fs.writeFileSync(path, `${process.pid}\n`, { flag: "wx", mode: 0o600 });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

const busy = (path: string, owner: number): MarauderError =>
  new MarauderError(
    "LEDGER_BUSY",
    `the privacy ledger is open in another process${owner > 0 ? ` (${owner})` : ""}; ` +
      `one process at a time may spend: wait for it, or remove ${path} if no such process exists`,
    { details: { owner } },
  );

function readOwner(path: string): string {
  try {
    return fs.readFileSync(path, "latin1");
  } catch {
    return "";
  }
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
