import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { RunContext } from "../../context.ts";
import { throwIfCancelled } from "../../errors.ts";
import { writeAtomically } from "../../files.ts";
import { seeded } from "../../random/index.ts";
import { version } from "../../version.ts";
import type { Progress } from "../progress.ts";

/** Makes files in a folder, step by step; a step whose files are there already, from the same settings, is left out. */
export interface Workshop {
  readonly folder: string;
  path(name: string): string;
  /** Runs `make` unless all of its files exist. */
  step(title: string, files: readonly string[], make: (context: RunContext) => Promise<void>): Promise<void>;
}

const STAMP = "settings.json";

/** Opens the folder. Files that other settings made are made again. */
export async function openWorkshop(
  folder: string,
  settings: { readonly seed: number; readonly quick: boolean },
  signal: AbortSignal,
  progress: Progress,
): Promise<Workshop> {
  const stamp = JSON.stringify({ version, ...settings }) + "\n";
  const before = await readFile(join(folder, STAMP), "utf8").catch(() => null);
  const kept = before === stamp;
  if (!kept) await writeAtomically(join(folder, STAMP), stamp);
  const made = new Set<string>();
  const path = (name: string): string => join(folder, name);
  return {
    folder,
    path,
    async step(title, files, make) {
      throwIfCancelled(signal);
      const fresh = kept && files.every((name) => existsSync(path(name)) && !made.has(name));
      if (fresh) {
        progress.line(`  ${title}: already there`);
        return;
      }
      progress.task(title);
      await make({ rng: seeded(settings.seed).child("demo").child(title), signal, step: progress.step });
      files.forEach((name) => made.add(name));
      progress.end();
    },
  };
}
