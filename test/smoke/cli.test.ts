import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { assertBuilt, marauder } from "../support/cli.ts";
import { writeTinyFiles } from "../support/tiny-files.ts";

const folder = mkdtempSync(join(tmpdir(), "marauder-cli-"));
const at = (name: string): string => join(folder, name);
const run = (line: string, more = {}) => marauder(line.split(" "), { cwd: folder, ...more });

beforeAll(() => {
  assertBuilt();
  writeTinyFiles(folder);
  mkdirSync(at("empty"));
  writeFileSync(at("typo.yaml"), "subjects:\n  - id: a\n    modle: model.onnx\n    data: test.npz\n");
  writeFileSync(at("broken.yaml"), "subjects:\n  - id: [a\n");
  writeFileSync(
    at("missing.yaml"),
    "subjects:\n  - {id: a, data: test.npz}\nprobes:\n  - {probe: evasion, subjects: [b]}\n",
  );
  writeFileSync(
    at("probe.yaml"),
    "subjects:\n  - {id: a, data: test.npz, bounds: [0, 1]}\nprobes:\n  - {probe: bogus}\n",
  );
  writeFileSync(at("alias.yaml"), "a: &a [1]\nsubjects: *nothing\n");
  writeFileSync(at("bad-http.yaml"), "request: [\n");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const pgd = "attack pgd model.onnx --data test.npz --bounds 0,1";

/** Command line, exit code, what stderr says. None may show a stack. */
const refused: readonly (readonly [string, number, RegExp])[] = [
  ["bogus", 2, /unknown command 'bogus'/],
  ["attack pgd", 2, /missing required argument 'model'/],
  ["attack pgd none.onnx --data test.npz --bounds 0,1", 3, /model none\.onnx: it does not exist.*FILE_NOT_FOUND/],
  ["attack pgd folder --data test.npz --bounds 0,1", 3, /model folder: it is a folder/],
  ["attack pgd empty.onnx --data test.npz --bounds 0,1", 3, /empty\.onnx: the file is empty.*MODEL_CORRUPT/],
  ["attack pgd text.onnx --data test.npz --bounds 0,1", 3, /text\.onnx: not an ONNX file/],
  ["attack pgd cut.onnx --data test.npz --bounds 0,1", 3, /cut\.onnx: not an ONNX file, or one that was cut short/],
  ["attack pgd model.onnx --bounds 0,1", 2, /needs data; give --data/],
  ["attack pgd model.onnx --data none.npz --bounds 0,1", 3, /data file none\.npz: it does not exist/],
  ["attack pgd model.onnx --data folder --bounds 0,1", 3, /folder holds no images; expected/],
  ["attack pgd model.onnx --data empty.npz --bounds 0,1", 3, /empty\.npz is of no known format; expected/],
  ["attack pgd model.onnx --data text.npz --bounds 0,1", 3, /text\.npz is of no known format; expected/],
  ["attack pgd model.onnx --data wide.npz --bounds 0,1", 3, /shape \[8, 16\]; expected \[1, 8, 8\].*SHAPE_MISMATCH/],
  ["attack pgd model.onnx --data nan.npz --bounds 0,1", 3, /holds NaN in row 1 .*value 6.*DATA_INVALID/],
  ["attack pgd model.onnx --data inf.npz --bounds 0,1", 3, /holds Infinity in row 1/],
  [
    "attack pgd model.onnx --data far.npz --bounds 0,1",
    3,
    /value 3 in row 1, outside the bounds 0 to 1; give .*--bounds/,
  ],
  ["attack pgd model.onnx --data labels-9.npz --bounds 0,1", 3, /row 5 has the label 9; expected 0 to 2/],
  ["attack pgd model.onnx --data labels-negative.npz --bounds 0,1", 3, /row 5 has label -1; expected/],
  ["attack pgd model.onnx --data unlabelled.npz --bounds 0,1", 3, /no labels;.*give --labels or --label/],
  ["attack pgd model.onnx --data test.npz", 2, /expected --bounds low,high .*the data run from 0\..*BOUNDS_MISSING/],
  ["attack pgd model.onnx --data test.npz --bounds 1,0", 2, /low below high.*got "1,0"/],
  ["attack pgd model.onnx --data test.npz --bounds 0,NaN", 2, /expected a number/],
  ["attack pdg model.onnx --data test.npz --bounds 0,1", 2, /no attack has the id "pdg"; expected one of .*pgd/],
  [
    "attack badnets model.onnx --data test.npz --bounds 0,1",
    2,
    /badnets is a poisoning attack.*audit --only poisoning/,
  ],
  [`${pgd} --option stepz=3`, 2, /no option "stepz"; expected one of steps/],
  [`${pgd} --option steps=abc`, 2, /steps of pgd must be a whole number from 1 to .*got "abc"/],
  [`${pgd} --option steps`, 2, /expected name=value, got "steps"/],
  [`${pgd} --eps 0`, 2, /eps must be a positive number, got 0/],
  [`${pgd} --eps -1`, 2, /eps must be a positive number, got -1/],
  [`${pgd} --eps abc`, 2, /expected a number or a fraction such as 8\/255, got "abc"/],
  [`${pgd} --norm l7`, 2, /--norm must be linf, l2 or l1, got "l7"/],
  [`${pgd} --samples 0`, 2, /whole number above 0, got "0"/],
  [`${pgd} --seed -3`, 2, /whole number from 0, got "-3"/],
  [`${pgd} --target-class 17`, 2, /class must be 0 to 2, got 17/],
  [
    `${pgd} --save folder`,
    3,
    /cannot write --save folder: expected a file, got a folder; .*nothing was changed \[FILE_WRITE\]/,
  ],
  [`${pgd} --save test.npz/a.npz`, 3, /cannot write --save .*: expected a folder at .*test.npz, got a file/],
  [`${pgd} --input nosuch`, 3, /no input named "nosuch"; its inputs are: x/],
  [`${pgd} --output nosuch`, 3, /no output named "nosuch"; expected one of: logits/],
  [`${pgd} --mean 0.5,0.5 --sd 1`, 3, /2 numbers of mean and sd do not fit/],
  [`${pgd} --class-names a,b`, 3, /label 2; expected 0 to 1 \(2 class names\)/],
  [`${pgd} --shape 3x3`, 3, /\[N, 1, 8, 8\]: that does not fit the given shape \[3, 3\]/],
  [`${pgd} --http bad-http.yaml`, 2, /bad-http\.yaml, line \d+ column \d+/],
  [`${pgd} --classes 3`, 2, /are for endpoints; give a URL/],
  ["audit model.onnx", 2, /needs test data .*; give --data/],
  [
    "audit model.onnx --data test.npz --bounds 0,1 --only bogus",
    2,
    /--only must name evasion, poisoning, memorization/,
  ],
  ["audit model.onnx --data test.npz --bounds 0,1 --fail-on bad", 2, /Allowed choices are low, medium, high, critical/],
  ["audit none.yaml", 3, /plan none\.yaml: it does not exist/],
  ["audit typo.yaml", 2, /line 3 column 5, subjects\.0: .*modle.*PLAN_INVALID/],
  ["audit broken.yaml", 2, /broken\.yaml, line \d+ column \d+/],
  ["audit missing.yaml", 2, /probes\.0\.subjects names the subject b; expected one of a/],
  ["audit probe.yaml --out p", 2, /no probe has the id bogus; expected one of .*evasion/],
  ["audit alias.yaml", 2, /alias\.yaml: Unresolved alias.*PLAN_INVALID/],
  ["audit http://[oops --data test.npz --bounds 0,1", 2, /URL is not valid/],
  ["report empty", 3, /holds no finished audit.*run the audit/],
  ["report none", 3, /holds no finished audit/],
  ["list bogus", 2, /nothing is of the kind "bogus"; expected one of attack/],
  ["explain bogus", 2, /nothing has the id "bogus"; expected one of/],
  ["train --data table.csv --arch mlp --out m.onnx", 3, /no labels; give --label <column>.*id, a, b, region, bought/],
  ["train --data table.csv --label bogus --arch mlp --out m.onnx", 2, /no column "bogus"; it has id, a, b/],
  ["train --data table.csv --label a --arch mlp --out m.onnx", 3, /leaves \d+ to train on and 0 to measure on/],
  ["train --data test.npz --arch mlp --hold-out 2 --out m.onnx", 2, /--hold-out must lie between 0 and 1, got 2/],
  ["train --data test.npz --arch mlp --out folder", 3, /cannot write --out folder: expected a file, got a folder/],
  ["train --data empty.csv --label a --arch mlp --out m.onnx", 3, /empty\.csv has no rows/],
  ["sanitize table.csv --label bought --out c.csv --detector bogus", 2, /Allowed choices are spectral-signatures/],
  ["sanitize table.csv --label bought --out c.txt", 2, /must end in \.csv or \.npz/],
  ["sanitize test.npz --out c.csv", 2, /must end in \.npz, since the data are no table/],
  ["sanitize table.csv --label bought --groups nosuch --out c.csv", 2, /no column "nosuch"/],
];

// Before any work: none of the files that these lines read is there.
const unwritable: readonly string[] = [
  "audit none.yaml --out",
  "audit none.onnx --data none.npz --out",
  "attack pgd none.onnx --data none.npz --save",
  "sanitize none.npz --out",
  "train --data none.npz --arch mlp --out",
  "train --data none.npz --arch mlp --out m.onnx --checkpoint",
  "train --dp --data none.npz --arch mlp --out m.onnx --target-epsilon 1 --delta 1e-5 --statement",
  "pate --data none.npz --arch mlp --target-epsilon 1 --delta 1e-5 --statement s.json --out",
  "pate --data none.npz --arch mlp --target-epsilon 1 --delta 1e-5 --out m.onnx --teachers-out",
  "tradeoff --data none.npz --arch mlp --epsilons 1 --out",
  "canaries plant --corpus none.txt --plain --window 63 --out",
  "demo --quick --out",
  "report",
];

describe("an output that cannot be written is refused at once", () => {
  it.concurrent.each(unwritable)("marauder %s test.npz/x", async (line) => {
    const { code, stdout, stderr } = await run(`${line} test.npz/x`);
    expect(stderr).toMatch(
      /^error: cannot write .*test\.npz\/x: expected a folder at .*test\.npz, got a file; name another/,
    );
    expect(code).toBe(3);
    expect(stdout).toBe("");
  });
});

describe("bad input", () => {
  it.concurrent.each(refused)("marauder %s", { timeout: 60_000 }, async (line, code, says) => {
    const { code: got, stdout, stderr } = await run(line);
    expect(stderr).toMatch(says);
    expect(got).toBe(code);
    expect(stdout).toBe("");
    expect(stderr).not.toMatch(/\n\s+at .*:\d+:\d+|internal error/);
  });
});

const audit = "audit model.onnx --data test.npz --bounds 0,1 --quick --only evasion";

describe("audit and report", () => {
  it("writes a report that is the same when rendered again, and reuses its evidence", async () => {
    const first = await run(`${audit} --out twice --fail-on high`);
    expect(first.code).toBe(1);
    const names = ["report.json", "report.html", "report.sarif", "report.md"];
    const before = names.map((name) => readFileSync(at(`twice/${name}`), "utf8"));
    const again = await run("report twice");
    expect(again.code).toBe(0);
    expect(again.stdout).toBe(first.stdout);
    expect(names.map((name) => readFileSync(at(`twice/${name}`), "utf8"))).toEqual(before);
    const second = await run(`${audit} --out twice --json`);
    expect(second.stderr).toMatch(/evasion: already on disk/);
    expect(JSON.parse(second.stdout)).toMatchObject({ schema: 1, findings: expect.any(Array) });
  });

  it("computes again what another seed changes, and keeps both in one folder", async () => {
    await run(`${audit} --out seeds`);
    const other = await run(`${audit} --out seeds --seed 1`);
    expect(other.stderr).toMatch(/evasion: done/);
    expect(readdirSync(at("seeds/evidence")).filter((name) => name.endsWith(".json"))).toHaveLength(2);
    expect((await run(`${audit} --out seeds`)).stderr).toMatch(/already on disk/);
  });

  it("names damaged evidence in report, and computes it again in audit", async () => {
    await run(`${audit} --out damaged`);
    const name = readdirSync(at("damaged/evidence")).find((file) => file.endsWith(".json"))!;
    writeFileSync(at(`damaged/evidence/${name}`), readFileSync(at(`damaged/evidence/${name}`)).subarray(0, 200));
    const report = await run("report damaged");
    expect(report.code).toBe(3);
    expect(report.stderr).toContain(name);
    expect(report.stderr).toMatch(/is not JSON; delete it and run the audit again/);
    const mended = await run(`${audit} --out damaged`);
    expect(mended.stderr).toMatch(/evasion: done/);
    expect((await run("report damaged")).code).toBe(0);
  });

  it("exits with 3 when nothing could be measured", async () => {
    const { code, stdout } = await run("audit model.onnx --data unlabelled.npz --bounds 0,1 --quick --out nothing");
    expect(stdout).toMatch(/needs labelled test data \(--labels or --label\)/);
    expect(code).toBe(3);
  });

  it("says that the disk is full or the file too large, and leaves no torn file", async () => {
    const { code, stderr } = await run(`${audit} --out small`, { fileBlocks: 4 });
    expect(stderr).toMatch(/cannot write .*: .*; nothing was changed \[FILE_WRITE\]/);
    expect(code).toBe(3);
    expect(readdirSync(at("small/evidence")).filter((name) => !name.endsWith(".txt"))).toEqual([]);
    expect((await run(`${audit} --out small`)).code).toBe(0);
  });
});

describe("interrupted", () => {
  it("audit: exit 130, finished evidence stays, the same command goes on from it", { timeout: 60_000 }, async () => {
    const line =
      "audit model.onnx --data test.npz --train train.npz --bounds 0,1 --only evasion,memorization --out stopped";
    let asked = false;
    const first = await run(line, {
      onStderr: (child: { kill(signal: string): void }, text: string) => {
        if (asked || !/evasion: done/.test(text)) return;
        asked = true;
        child.kill("SIGINT");
      },
    });
    expect(first.code).toBe(130);
    expect(first.stderr).toMatch(/finished work is kept, the same command goes on/);
    const kept = readdirSync(at("stopped/evidence"));
    expect(kept.some((name) => name.includes(".evasion."))).toBe(true);
    expect(kept.filter((name) => name.endsWith(".tmp"))).toEqual([]);
    expect(readdirSync(at("stopped"))).not.toContain("run.json");
    const second = await run(line.replace(",memorization", ""));
    expect(second.stderr).toMatch(/model: evasion: already on disk/);
    expect(second.code).toBe(0);
  });

  it("train: exit 130 and no model", { timeout: 60_000 }, async () => {
    const line = "train --data train.npz --arch mlp --epochs 100000 --out stopped.onnx";
    const result = await run(line, {
      env: { CI: "1" },
      onStderr: (child: { kill(signal: string): void }, text: string) => {
        if (/ \.\.\. /.test(text) && !text.includes("stopping")) child.kill("SIGINT");
      },
    });
    expect(result.code).toBe(130);
    expect(result.stderr).toMatch(/stopped; nothing was written/);
    expect(readdirSync(folder).filter((name) => name.includes("stopped.onnx"))).toEqual([]);
  });
});

describe("what works", () => {
  it("attack prints JSON only on stdout, the same for the same seed, and saves inputs", async () => {
    const one = await run(`${pgd} --eps 0.1 --json --samples 20 --save adv.npz`);
    const two = await run(`${pgd} --eps 1/10 --json --samples 20`);
    const [a, b] = [JSON.parse(one.stdout), JSON.parse(two.stdout)];
    for (const key of ["attack", "model", "data", "samples", "seed", "options", "cleanAccuracy", "robustAccuracy"])
      expect(a).toHaveProperty(key);
    expect(one.stderr).toMatch(/pgd on 20 rows/);
    delete a.seconds;
    delete b.seconds;
    expect(b).toEqual(a);
    const again = await run("attack random-noise model.onnx --data adv.npz --bounds 0,1 --eps 0.001 --json --quiet");
    expect(again.stderr).toBe("");
    expect(JSON.parse(again.stdout).cleanAccuracy.value).toBeCloseTo(a.robustAccuracy.value, 9);
  });

  it("a table: train, attack, sanitize", async () => {
    const train = await run(
      "train --data table-train.csv --label bought --row-id id --arch mlp --epochs 8 --out t.onnx --json --quiet",
    );
    expect(JSON.parse(train.stdout).accuracy.value).toBeGreaterThan(0.9);
    expect((await run("attack pgd t.onnx --data table.csv --row-id id --quiet")).code).toBe(0);
    const clean = await run(
      "sanitize table.csv --label bought --row-id id --groups region --out clean.csv --quiet --json",
    );
    expect(JSON.parse(clean.stdout)).toMatchObject({ detector: "knn-label-agreement", rows: 120 });
  });

  it("list, explain and help print on stdout", async () => {
    expect(JSON.parse((await run("list attacks --json")).stdout).length).toBeGreaterThan(5);
    expect((await run("explain pgd")).stdout).toMatch(/Paper: .*\n/);
    expect((await run("--help")).code).toBe(0);
  });
});
