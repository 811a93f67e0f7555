import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { runCommand } from "../../../test/support/run-command.ts";
import { loadModel } from "../../ir/index.ts";
import { openLedgerFile } from "../../privacy/index.ts";
import { seeded } from "../../random/index.ts";
import { addTrain } from "../commands/train.ts";

const folder = mkdtempSync(join(tmpdir(), "train-private-"));
afterAll(() => rmSync(folder, { recursive: true }));
const at = (name: string): string => join(folder, name);
const rng = seeded(1);
const rows = Array.from({ length: 400 }, (_, i) => {
  const y = i % 2;
  return `${(y ? 1 : -1) + 0.4 * rng.normal()},${rng.normal()},${y ? "yes" : "no"}`;
});
writeFileSync(at("data.csv"), `a,b,y\n${rows.join("\n")}\n`);

const data = ["train", "--data", at("data.csv"), "--label", "y", "--quiet", "--threads", "1"];
const train = (...flags: string[]): Promise<string> => runCommand(addTrain, [...data, ...flags]);
const dp = ["--dp", "--target-epsilon", "3", "--epochs", "4", "--batch", "40"];

interface Printed {
  accuracy: { value: number };
  plan: { epsilon: number; clip: number };
  statement: { verdict: string; epsilon: number; preprocessing: { from: string }[] };
}

describe("train --dp", () => {
  it("writes a model and an honest statement; nothing is said of the training rows", async () => {
    const flags = ["--arch", "logistic", "--bounds", "-4,4", "--settings", "fixed", "--out", at("m.onnx")];
    const text = await train(...dp, ...flags, "--statement", at("s.json"), "--json");
    const made = JSON.parse(text) as Printed;
    expect(made.statement).toMatchObject({ verdict: "private", preprocessing: [{ from: "public" }] });
    expect(made.statement.epsilon).toBeLessThanOrEqual(3);
    expect(made.statement).toEqual(JSON.parse(readFileSync(at("s.json"), "utf8")));
    expect(text).not.toMatch(/trainAccuracy|"loss"/);
    expect(made.accuracy.value).toBeGreaterThan(0.8);
    expect((await loadModel(at("m.onnx"))).graph.inputs).toHaveLength(1);
  });
  it("trains the last layer of that file further, and says what it must not have seen", async () => {
    const text = await train(...dp, "--model", at("m.onnx"), "--last-layers", "1", "--out", at("m2.onnx"));
    expect(text).toMatch(/must not have seen these data/);
    expect(text).toMatch(/NOT DECLARED/);
  });
  it("says NOT PRIVATE for repeatable noise, and what was measured on the data", async () => {
    const text = await train(...dp, "--arch", "logistic", "--not-private-seed", "7", "--out", at("m3.onnx"));
    expect(text).toMatch(/^NOT PRIVATE/);
    const other = await train(...dp, "--arch", "logistic", "--out", at("m4.onnx"));
    expect(other).toMatch(/range of each input .*NOT COUNTED/);
  });
  it("charges a ledger, and refuses seeded noise with one", async () => {
    const budget = { epsilon: 6, delta: 1e-5, adjacency: "add-or-remove", dataset: "made" } as const;
    openLedgerFile(at("ledger"), budget).close();
    const charged = [...dp, "--delta", "1e-5", "--arch", "logistic", "--ledger", at("ledger"), "--out", at("m5.onnx")];
    await train(...charged);
    const ledger = openLedgerFile(at("ledger"));
    expect(ledger.entries).toMatchObject([{ committed: true, label: `train ${at("m5.onnx")}` }]);
    ledger.close();
    await expect(train(...charged, "--not-private-seed", "1")).rejects.toThrow(/seeded noise and a privacy ledger/);
  });
  it.each<[string[], RegExp]>([
    [["--dp", "--arch", "logistic"], /--dp needs a guarantee to keep/],
    [["--delta", "1e-5", "--arch", "logistic"], /--delta belongs to a private training/],
    [[...dp, "--arch", "logistic", "--last-layers", "1"], /--last-layers is for a model/],
    [[...dp, "--arch", "logistic", "--batch", "500"], /at most the 360 records, got 500/],
    [[...dp, "--arch", "logistic", "--delta", "0.1"], /not below 1\/360/],
    [[...dp, "--arch", "logistic", "--ledger", "/nowhere/ledger"], /no privacy ledger at/],
    [[...dp, "--arch", "logistic", "--optimizer", "adam"], /--optimizer is for trainings without --dp/],
  ])("%j is refused", async (flags, message) => {
    await expect(train(...flags, "--out", at("x.onnx"))).rejects.toThrow(message);
  });
});

describe("train --dp of a text", () => {
  const text = ["train", "--dp", "--target-epsilon", "3", "--arch", "char-lstm", "--data", at("lines.txt")];
  writeFileSync(at("lines.txt"), Array.from({ length: 60 }, (_, i) => `line ${i} of a text\n`).join(""));
  const run = (...flags: string[]): Promise<string> =>
    runCommand(addTrain, [...text, "--quiet", "--threads", "1", "--out", at("lm.onnx"), ...flags]);
  it("takes each line as a record, and says what was read off the records", async () => {
    const small = ["--lines", "--width", "8", "--embedding", "4", "--epochs", "1", "--batch", "8", "--json"];
    const made = JSON.parse(await run(...small, "--statement", at("lm.json"))) as Printed;
    expect(made.statement.epsilon).toBeLessThanOrEqual(3);
    expect(made.plan.clip).toBe(1);
    expect(made.statement.preprocessing.map((p) => p.from)).toEqual(["uncounted", "uncounted"]);
    expect(made.statement).toEqual(JSON.parse(readFileSync(at("lm.json"), "utf8")));
    const fixed = JSON.parse(await run(...small, "--vocabulary", "bytes", "--context-length", "24")) as Printed;
    expect(fixed.statement.preprocessing.map((p) => p.from)).toEqual(["public", "public"]);
    expect((await loadModel(at("lm.onnx"))).metadata["vocabulary"]).toBeDefined();
  });
  it("asks what a record is", async () => {
    await expect(run()).rejects.toThrow(/what a record of this text is: add --lines/);
    await expect(run("--lines", "--bounds", "0,1")).rejects.toThrow(/--bounds is for classifiers/);
  });
});
