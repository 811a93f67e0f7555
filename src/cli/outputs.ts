import type { Command } from "commander";
import { checkWritable } from "../files.ts";

/** The options that name what a command writes; one that takes a <folder> makes it, any other names a file. */
const outputs: ReadonlySet<string> = new Set(["--out", "--save", "--statement", "--teachers-out", "--checkpoint"]);

/** Refuses an output that cannot be written, whatever the command, before it does any work. Throws FILE_WRITE. */
export async function checkOutputs(command: Command): Promise<void> {
  for (const option of command.options) {
    const path: unknown = command.getOptionValue(option.attributeName());
    if (option.long === undefined || !outputs.has(option.long) || typeof path !== "string") continue;
    await checkWritable(path, option.flags.endsWith("<folder>") ? "folder" : "file", `${option.long} ${path}`);
  }
}
