import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { runCommand } from "../../../test/support/run-command.ts";
import { gaussian, openLedgerFile, poissonSampled, repeated } from "../../privacy/index.ts";
import { addLedger } from "./ledger.ts";

const folder = mkdtempSync(join(tmpdir(), "ledger-command-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const run = (...words: string[]): Promise<string> => runCommand(addLedger, ["ledger", ...words]);
const budget = ["--epsilon", "8", "--delta", "1e-6", "--dataset", "people", "--records", "60000"];

test("makes a ledger, shows what was spent, and refuses one that was edited", async () => {
  const path = join(folder, "a.ledger");
  expect(await run(path, "--create", ...budget)).toMatch(
    /^people, 60000 records: budget epsilon 8.*\nspent: epsilon 0\.000000/,
  );
  const ledger = openLedgerFile(path);
  ledger.reserve(repeated(poissonSampled(0.01, gaussian(1.1)), 100), "training\u001b[2J").commit();
  ledger.reserve(gaussian(20), "query");
  ledger.close();
  const text = await run(path);
  expect(text).toMatch(/spent: epsilon [1-3]\.\d+, however events were chosen; [0-2]\.\d+ if all had been fixed/);
  expect(text).toMatch(/0 +training\\u\{1b\}\[2J +done +marauder \d/);
  expect(text).toMatch(/1 +query +reserved: counts as spent/);
  const json = JSON.parse(await run(path, "--json")) as {
    spent: { adaptive: number };
    entries: unknown[];
  };
  expect(json.entries).toHaveLength(2);
  expect(json.spent.adaptive).toBeGreaterThan(1);
  writeFileSync(path, readFileSync(path, "latin1").replace('"sigma":20', '"sigma":90'));
  await expect(run(path)).rejects.toThrow(/record 4 does not fit the chain of hashes.*treat its budget as spent/);
});

test.each([
  [["none.ledger"], /there is no privacy ledger.*--create/],
  [["b.ledger", "--create", ...budget.slice(2)], /needs --epsilon/],
  [["b.ledger", "--create", ...budget.with(3, "1e-3")], /below one over their number/],
])("%#: refused", async (words, message) => {
  await expect(run(join(folder, words[0]!), ...words.slice(1))).rejects.toThrow(message);
});
