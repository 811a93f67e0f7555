#!/usr/bin/env node
import { Command, CommanderError, Option } from "commander";
import { MarauderError } from "../errors.ts";
import { version } from "../version.ts";
import { exit, exitCodeOf, explainError } from "./exit.ts";
import { commandsFor, type AddCommand } from "./commands/index.ts";
import { checkOutputs } from "./outputs.ts";

/** Ctrl-C once: stop at the next step, keep what is done. Twice: stop at once. */
function cancellation(): AbortController {
  const controller = new AbortController();
  let asked = false;
  const stop = (): void => {
    if (asked) process.exit(exit.cancelled);
    asked = true;
    process.stderr.write("\nstopping at the next step (Ctrl-C again to stop at once) ...\n");
    controller.abort(new MarauderError("CANCELLED", "stopped by the user"));
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
  return controller;
}

function program(commands: readonly AddCommand[], signal: AbortSignal): Command {
  const main = new Command("marauder")
    .description("Attacks a machine-learning model in training, at prediction and in its memory; measures; repairs.")
    .version(version)
    .showHelpAfterError("(add --help for the options and examples)")
    .addOption(new Option("--debug", "show stack traces of errors").hideHelp())
    .exitOverride()
    .configureHelp({ sortSubcommands: false })
    .hook("preAction", (_main, action) => checkOutputs(action));
  for (const add of commands) add(main, signal);
  for (const command of main.commands)
    command.exitOverride().showHelpAfterError("(add --help for the options and examples)");
  return main;
}

async function run(argv: readonly string[]): Promise<number> {
  const { signal } = cancellation();
  try {
    const main = program(await commandsFor(argv[2]), signal);
    await main.parseAsync([...argv]);
    return Number(process.exitCode ?? exit.clean);
  } catch (error) {
    // Commander has printed its own message by now: help and version end clean, everything else is bad usage.
    if (error instanceof CommanderError) return error.exitCode === 0 ? exit.clean : exit.usage;
    const kept = argv.some((word) => word.split("=")[0] === "--checkpoint");
    process.stderr.write(explainError(error, argv[2], kept) + "\n");
    if (argv.includes("--debug") && error instanceof Error)
      process.stderr.write(`${error.stack}\n${String(error.cause ?? "")}\n`);
    return exitCodeOf(error);
  }
}

// A closed pipe (marauder list | head) is the reader's choice, not an error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(exit.clean);
  throw error;
});

process.exitCode = await run(process.argv);
