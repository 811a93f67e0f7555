import { Option, type Command } from "commander";
import { existsSync } from "node:fs";
import { MarauderError } from "../../errors.ts";
import * as dp from "../../privacy/index.ts";
import { numberValue, positiveInteger } from "../flags.ts";
import { jsonNumber } from "../privacy/scheme.ts";
import { columns, printable, wrap } from "../text.ts";

interface LedgerFlags {
  create?: boolean;
  epsilon?: number;
  delta?: number;
  adjacency: dp.Adjacency;
  dataset?: string;
  records?: number;
  json?: boolean;
}

/** marauder ledger spent.ledger [--create --epsilon 8 --delta 1e-5 --dataset patients-2026 --records 60000] */
export function addLedger(main: Command): void {
  main
    .command("ledger")
    .description(
      "the privacy budget of a data set: makes its ledger, or checks one and accounts again for what was spent",
    )
    .argument("<file>", "the ledger; <file>.head is kept beside it")
    .option("--create", "make it, with --epsilon, --delta, --dataset and --records")
    .option("--epsilon <e>", "budget", numberValue)
    .option("--delta <d>", "delta of the budget, below one over the number of records", numberValue)
    .addOption(
      new Option("--adjacency <relation>", "what neighbouring data sets are")
        .choices(dp.adjacencies)
        .default("add-or-remove"),
    )
    .option("--dataset <name>", "names the data: a hash or a name")
    .option("--records <n>", "number of records", positiveInteger)
    .option("--json", "print JSON")
    .addHelpText("after", examples)
    .action((path: string, flags: LedgerFlags) => {
      if (flags.create === true) create(path, flags);
      else if (!existsSync(path))
        throw new MarauderError("FILE_NOT_FOUND", `there is no privacy ledger at ${path}; give --create to make one`);
      process.stdout.write(show(path, flags.json === true) + "\n");
    });
}

const examples = `
Examples:
  marauder ledger patients.ledger --create --epsilon 8 --delta 1e-6 --dataset patients-2026 --records 60000
  marauder ledger patients.ledger
`;

function create(path: string, { epsilon, delta, adjacency, dataset, records }: LedgerFlags): void {
  if (existsSync(path))
    throw new MarauderError(
      "USAGE",
      `${path} exists: a budget is set once; show it without --create, or name another file`,
    );
  const missing = Object.entries({ epsilon, delta, dataset, records }).find(([, value]) => value === undefined);
  if (missing) throw new MarauderError("USAGE", `a new ledger needs --${missing[0]}; see marauder ledger --help`);
  dp.openLedgerFile(path, {
    epsilon: epsilon!,
    delta: delta!,
    adjacency,
    dataset: dataset!,
    records: records!,
  }).close();
}

/** Opening verifies the chain; epsilon is computed from the events. */
function show(path: string, json: boolean): string {
  const ledger = dp.openLedgerFile(path);
  try {
    const { budget, entries, epsilon, head } = ledger;
    const account = ledger.account();
    const fixed = [account.epsilon.rdp, account.epsilon.pld, account.analytic].filter((e) => e !== null);
    const plan = entries.length === 0 ? 0 : Math.min(...fixed);
    if (json) {
      const all = { budget, spent: { adaptive: epsilon, ifFixedInAdvance: jsonNumber(plan) }, head, entries };
      return JSON.stringify(all, null, 2);
    }
    const { adjacency, dataset, records } = budget;
    const lines = [
      `${printable(dataset)}${records === undefined ? "" : `, ${records} records`}: budget epsilon ${budget.epsilon} at delta ${budget.delta}, adjacency ${adjacency}`,
      `spent: epsilon ${epsilon.toFixed(6)}, however events were chosen; ${plan.toFixed(6)} if all had been fixed in advance`,
      `head ${head} (keep it elsewhere, to notice a ledger that was put back)`,
    ];
    if (entries.length > 0) {
      const rows = entries.map((e) => [
        String(e.id),
        printable(e.label),
        e.committed ? "done" : "reserved: counts as spent",
        printable(e.by),
      ]);
      lines.push("", columns(["entry", "what", "state", "by"], rows));
    }
    return lines.map((line) => (line.includes("\n") ? line : wrap(line, 120))).join("\n");
  } finally {
    ledger.close();
  }
}
