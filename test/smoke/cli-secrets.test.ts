import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeManifest, makeNotes, parseManifest, type CanaryManifest } from "../../src/data/index.ts";
import { encodeModel } from "../../src/ir/index.ts";
import { seeded } from "../../src/random/index.ts";
import { assertBuilt, marauder, type CliResult } from "../support/cli.ts";
import { tinyModel } from "../support/tiny-files.ts";
import { trigramModel } from "../support/trigram-model.ts";

const folder = mkdtempSync(join(tmpdir(), "marauder-secrets-"));
const at = (name: string): string => join(folder, name);
const run = (...args: string[]): Promise<CliResult> => marauder(args, { cwd: folder });
const words = (line: string): Promise<CliResult> => run(...line.split(" "));

let manifest: CanaryManifest;
let plant: CliResult;
/** What the model says of an owner whose secret is another one: it may be a person's. */
let hidden = "";

beforeAll(async () => {
  assertBuilt();
  writeFileSync(
    at("notes.txt"),
    makeNotes(60, seeded(1))
      .map((n) => `${n.text}\n`)
      .join(""),
  );
  const planted = "--split lines --repetitions 0,1,9 --each 1 --test 5".split(" ");
  const format = "the pin of {owner} is {digits:4}";
  plant = await run("canaries", "plant", "--corpus", "notes.txt", "--format", format, ...planted);
  manifest = parseManifest(readFileSync(at("planted/manifest.json"), "utf8"), "m");
  // A model that knows by heart what was planted nine times. It sees two characters at a time, not whose pin it is: asked
  // for the pin of another it gives the same number, which nobody planted for that one.
  const often = manifest.canaries.find((c) => c.repetitions === 9)!;
  const once = manifest.canaries.find((c) => c.repetitions === 1)!;
  hidden = once.text.replace(/\d{4}$/, often.text.slice(-4));
  const learned = [{ text: often.text, gain: 9 }];
  writeFileSync(at("lm.onnx"), encodeModel(trigramModel({ learned }).model));
  writeFileSync(at("fresh.onnx"), encodeModel(trigramModel({ spread: 0 }).model));
  writeFileSync(at("capitals.onnx"), encodeModel(trigramModel({ characters: "\nABC" }).model));
  writeFileSync(at("image.onnx"), tinyModel());
  const text = readFileSync(at("planted/manifest.json"), "utf8");
  writeFileSync(at("changed.json"), text.replace('"repetitions": 9', '"repetitions": 8'));
  writeFileSync(at("cut.json"), text.slice(0, 200));
  writeFileSync(at("other.json"), JSON.stringify(makeManifest(9, [{ ...manifest.canaries[0]!, repetitions: 4 }])));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it("canaries plant writes a corpus with the secrets in it, a test text without, and says what comes next", async () => {
  expect(plant).toMatchObject({ code: 0, stderr: "" });
  expect(plant.stdout).toMatch(/65 records, 10 of them with one of 2 planted secrets/);
  expect(plant.stdout).toMatch(
    /marauder train --arch char-lstm --data planted\/corpus\.txt --lines --test planted\/test\.txt/,
  );
  const corpus = readFileSync(at("planted/corpus.txt"), "utf8").split("\n");
  for (const c of manifest.canaries) expect(corpus.filter((line) => line === c.text)).toHaveLength(c.repetitions);
  const check = await words(
    "canaries check --corpus planted/corpus.txt --split lines --canaries planted/manifest.json",
  );
  expect(check).toMatchObject({ code: 0, stdout: "all 3 canaries are in the corpus as often as the manifest says\n" });
  const wrong = await words("canaries check --corpus planted/test.txt --split lines --canaries planted/manifest.json");
  expect(wrong.code).toBe(1);
  expect(wrong.stdout).toMatch(/2 of 3 canaries are not in the corpus/);
});

it("attack exposure tells what was learned from what was not", async () => {
  const { code, stdout } = await words("attack exposure lm.onnx --canaries planted/manifest.json --quiet");
  expect(code).toBe(0);
  expect(stdout).toMatch(/"the pin of \{owner\} is \{digits:4\}": 13\.3 bits when it comes first/);
  expect(stdout).toMatch(/9 times +1 +13\.3 \(13\.3 to 13\.3\) +13\.3 +1 +rank/);
});

it("attack extract shows the planted secrets, and hides what nobody planted", async () => {
  const { code, stdout } = await words("attack extract lm.onnx --canaries planted/manifest.json --quiet");
  expect(code).toBe(0);
  for (const c of manifest.canaries.filter((k) => k.repetitions === 9))
    expect(stdout).toContain(`${c.id}, planted 9 times: EXTRACTED "${c.text}"`);
  expect(stdout).toMatch(/planted once: not extracted: "the pin of [a-z]+ is ••••" comes first/);
  expect(stdout).not.toContain(hidden);
  expect(stdout).toMatch(/extracted 1 of 2 planted secrets, and 0 of 1 that were never planted/);
  const one = manifest.canaries.at(-1)!;
  const only = await words(`attack extract lm.onnx --canaries planted/manifest.json --canary ${one.id} --json --quiet`);
  expect(JSON.parse(only.stdout)).toMatchObject([{ extracted: [one.id], complete: true }]);
});

it("audit has the figure, the secrets in clear, no one else's, and fails; the report is judged again without the model", async () => {
  const flags = "--only memorization --canaries planted/manifest.json --fail-on critical --out report --quiet";
  const audit = await run("audit", "lm.onnx", "--compare", "fresh weights=fresh.onnx", ...flags.split(" "));
  expect(audit.code).toBe(1);
  const report = JSON.parse(readFileSync(at("report/report.json"), "utf8"));
  const finding = report.findings.find((f: { check: string }) => f.check === "planted-secrets");
  expect(finding).toMatchObject({ outcome: "fail", severity: "critical", evidence: "witness" });
  expect(finding.headline).toMatch(/gives away 1 of the 2 planted secrets.*planted 9 times/);
  const figure = finding.details.find((d: { type: string }) => d.type === "series");
  expect(figure.series.map((s: { name: string }) => s.name)).toEqual([
    "lm.onnx",
    "fresh weights",
    "extracted by enumeration",
    "guessing",
  ]);
  expect(figure.series[0].points.at(-1)).toMatchObject({ x: 9 });
  for (const name of ["report.html", "report.md", "report.sarif", "report.json"]) {
    expect(readFileSync(at(`report/${name}`), "utf8")).not.toContain(hidden);
  }
  for (const other of report.findings.filter((f: { check: string }) => f.check !== "planted-secrets"))
    expect(other.outcome).toBe("inapplicable");
  const again = await words("report report");
  expect(again.stdout + again.stderr).not.toMatch(/error/i);
});

describe("what cannot be is refused in plain words", () => {
  it.each<readonly [string, number, RegExp]>([
    ["attack exposure lm.onnx", 2, /secrets that were planted.*give --canaries/],
    ["attack exposure lm.onnx --canaries none.json", 3, /manifest of canaries none\.json: it does not exist/],
    ["attack exposure lm.onnx --canaries changed.json", 3, /changed\.json .*digest is not that of its content/],
    ["attack exposure lm.onnx --canaries cut.json", 3, /cut\.json .*no JSON/],
    ["attack exposure image.onnx --canaries planted/manifest.json", 3, /no language model: its input is x float32/],
    ["attack exposure capitals.onnx --canaries planted/manifest.json", 3, /capitals\.onnx.*not in the vocabulary of 4/],
    ["attack extract lm.onnx --canaries planted/manifest.json --canary c999", 2, /no canary "c999"/],
    ["attack extract lm.onnx --canaries planted/manifest.json --option budget=0", 2, /budget.*from 1/],
    ["audit lm.onnx --canaries planted/manifest.json --data x.npz", 2, /give one of the two/],
    ["audit lm.onnx", 2, /--canaries <manifest\.json>/],
    ["canaries plant --corpus notes.txt --format hello", 2, /1 possible texts/],
    ["canaries plant --corpus notes.txt --format {iban}", 2, /\{iban\}, which is not known/],
    ["canaries plant --corpus none.txt", 3, /cannot read the texts none\.txt/],
    ["canaries plant --corpus notes.txt --split lines --window 20", 2, /does not fit a window of 20/],
    ["canaries plant --corpus notes.txt --split lines --test 60", 3, /leaves none to train on/],
    [
      "canaries plant --corpus notes.txt --format PIN{digits:4} --plain",
      2,
      /not plain lower-case text.*"pin\{digits:4\}"/,
    ],
    ["canaries plant --corpus notes.txt --repetitions 1,x", 2, /whole numbers from 0/],
    [
      "canaries plant --corpus planted/corpus.txt --split lines --format {digits:1} --repetitions 1 --each 3",
      3,
      /holds the text of canary/,
    ],
  ])("%s", async (line, code, message) => {
    const { code: got, stderr } = await words(line);
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/\n\s+at /);
    expect(got).toBe(code);
  });
});
