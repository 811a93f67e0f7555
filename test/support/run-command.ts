import { Command } from "commander";
import { vi } from "vitest";

/** Adds commands to the program, as those of `src/cli/commands` do. */
export type AddCommands = (main: Command, signal: AbortSignal) => void;

/** Runs a command in this process and gives what it wrote to stdout; its errors are thrown as they are. */
export async function runCommand(add: AddCommands, words: readonly string[]): Promise<string> {
  let printed = "";
  const spy = vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    printed += String(text);
    return true;
  });
  const main = new Command("marauder").exitOverride().configureOutput({ writeErr: () => undefined });
  add(main, new AbortController().signal);
  for (const command of main.commands) command.exitOverride().configureOutput({ writeErr: () => undefined });
  try {
    await main.parseAsync([...words], { from: "user" });
    return printed;
  } finally {
    spy.mockRestore();
  }
}
