import type { Command } from "commander";

/** Adds one command to the program. */
export type AddCommand = (main: Command, signal: AbortSignal) => void;

/**
 * The commands, in the order of `marauder --help`. Each is loaded when it is asked for: a command starts in the time of
 * what it needs itself, not of everything that Marauder can do.
 */
const loaders: Readonly<Record<string, () => Promise<AddCommand>>> = {
  demo: async () => (await import("./demo.ts")).addDemo,
  audit: async () => (await import("./audit.ts")).addAudit,
  inspect: async () => (await import("./inspect.ts")).addInspect,
  attack: async () => (await import("./attack.ts")).addAttack,
  canaries: async () => (await import("./canaries.ts")).addCanaries,
  train: async () => (await import("./train.ts")).addTrain,
  sanitize: async () => (await import("./sanitize.ts")).addSanitize,
  pate: async () => (await import("./pate.ts")).addPate,
  tradeoff: async () => (await import("./tradeoff.ts")).addTradeoff,
  account: async () => (await import("./account.ts")).addAccount,
  calibrate: async () => (await import("./calibrate.ts")).addCalibrate,
  ledger: async () => (await import("./ledger.ts")).addLedger,
  report: async () => (await import("./report.ts")).addReport,
  list: async () => (await import("./list.ts")).addList,
  explain: async () => (await import("./explain.ts")).addExplain,
};

/** The command of that name alone; all of them where it is no command, for help and for suggestions after a typo. */
export async function commandsFor(name: string | undefined): Promise<readonly AddCommand[]> {
  const one = name !== undefined && Object.hasOwn(loaders, name) ? loaders[name]! : null;
  return await Promise.all((one === null ? Object.values(loaders) : [one]).map((load) => load()));
}
