import { isCancelled, MarauderError } from "../errors.ts";

/** Exit codes, a promise to scripts: see docs/cli.md. */
export const exit = { clean: 0, findings: 1, usage: 2, couldNotRun: 3, cancelled: 130 } as const;

const usageCodes = new Set(["USAGE", "OPTION_RANGE", "OPTION_UNKNOWN", "UNKNOWN_ID", "PLAN_INVALID", "BOUNDS_MISSING"]);

export function exitCodeOf(error: unknown): number {
  if (isCancelled(error)) return exit.cancelled;
  if (error instanceof MarauderError && usageCodes.has(error.code)) return exit.usage;
  return exit.couldNotRun;
}

/** Commands that keep each finished step, and go on from there. */
const resumable = new Set(["audit", "demo"]);

/** What the user reads: the message and its code; a stack only for our own faults. `kept`: the run had a checkpoint. */
export function explainError(error: unknown, command = "", kept = false): string {
  if (isCancelled(error)) {
    return kept || resumable.has(command)
      ? "stopped; finished work is kept, the same command goes on from there"
      : "stopped; nothing was written";
  }
  if (error instanceof MarauderError) {
    const own = error.code === "INTERNAL" ? `\n${error.stack ?? ""}` : "";
    return `error: ${error.message} [${error.code}]${own}`;
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return `internal error, please report it: ${text} [INTERNAL]`;
}
