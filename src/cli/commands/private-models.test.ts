import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { runCommand } from "../../../test/support/run-command.ts";
import type { Tradeoff } from "../../contract/index.ts";
import { loadModel } from "../../ir/index.ts";
import { drawDigits, npzBytes } from "../../data/index.ts";
import { seeded } from "../../random/index.ts";
import { addPate } from "./pate.ts";
import { addTradeoff } from "./tradeoff.ts";

const folder = mkdtempSync(join(tmpdir(), "private-models-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const run = (...words: string[]): Promise<string> =>
  runCommand(
    (main, signal) => {
      addPate(main, signal);
      addTradeoff(main, signal);
    },
    [...words, "--quiet", "--threads", "1"],
  );
const at = (name: string): string => join(folder, name);

describe("PATE on drawn digits", () => {
  const digits = drawDigits(1500, seeded(3), { slop: 0.4 });
  writeFileSync(at("digits.npz"), npzBytes({ x: digits.features, y: { dims: [1500], data: digits.labels! } }));
  const flags = ["--data", at("digits.npz"), "--arch", "logistic", "--epochs", "30", "--teachers", "15"];
  const votes = ["--threshold", "9", "--threshold-sigma", "3", "--sigma", "2", "--public-share", "0.25"];

  test("teachers, answers within a budget, a student and its statement", async () => {
    const more = [
      "--target-epsilon",
      "40",
      "--data-dependent",
      "--settings",
      "fixed",
      "--teachers-out",
      folder,
      "--statement",
      at("s.json"),
    ];
    const out = JSON.parse(
      await run("pate", ...flags, ...votes, ...more, "--out", at("student.onnx"), "--json"),
    ) as Record<string, unknown> & {
      accuracy: { value: number };
      statement: Record<string, unknown>;
      answered: number;
    };
    expect(out.accuracy.value).toBeGreaterThan(0.3); // chance is 0.1; the noise is real, so that no two runs are alike
    expect(out.statement).toMatchObject({ verdict: "private", noise: "system", adjacency: "add-or-remove" });
    expect(out.statement["epsilon"] as number).toBeLessThanOrEqual(40);
    expect(JSON.parse(readFileSync(at("s.json"), "utf8"))).toEqual(out.statement);
    expect(out.answered).toBeGreaterThan(15);
    // Noise of 2 votes at 15 teachers is too little for the proofs of smooth sensitivity, or releases an estimate: both say so.
    expect(out["onTheseVotes"]).toMatchObject({ conditions: { c5: expect.any(Boolean) as boolean } });
    expect(readdirSync(folder).filter((f) => /^teacher-\d+\.onnx$/.test(f))).toHaveLength(15);
    expect((await loadModel(at("student.onnx"))).graph.outputs[0]!.name).toBe("logits");
  }, 60_000);

  test.each([
    [["--target-epsilon", "0.001"], /leaves nothing to spend/],
    [["--target-epsilon", "3", "--threshold", "1000"], /teachers answered 0 of \d+ questions/],
    [["--target-epsilon", "3", "--hold-out", "0.9"], /leave no private rows/],
  ])(
    "%#: refused",
    async (more, message) => {
      await expect(run("pate", ...flags, ...votes, ...more, "--out", at("no.onnx"))).rejects.toThrow(message);
    },
    60_000,
  );
});

test("a tradeoff by class and group, from a table", async () => {
  const rng = seeded(8);
  const rows = Array.from({ length: 400 }, (_, i) => {
    const rare = i % 8 === 0;
    const y = Number(rng.float() < (rare ? 0.3 : 0.5));
    return [
      String(y * 2 + rng.normal()),
      String(rare ? -y : y + rng.normal()),
      rare ? "rare" : "usual",
      y ? "yes" : "no",
    ];
  });
  writeFileSync(at("t.csv"), ["a,b,kind,label", ...rows.map((r) => r.join(","))].join("\n") + "\n");
  const flags = [
    "--data",
    at("t.csv"),
    "--label",
    "label",
    "--groups",
    "kind",
    "--bounds",
    "-5,5",
    "--hold-out",
    "0.4",
  ];
  const training = [
    "--arch",
    "logistic",
    "--epsilons",
    "none,1",
    "--seeds",
    "2",
    "--epochs",
    "5",
    "--out",
    at("t.html"),
  ];
  const out = await run("tradeoff", ...flags, ...training);
  expect(out).toMatch(
    /^At epsilon [01](\.\d+)? accuracy is .*Class\s(yes|no)\s\(\d+\straining\srows\).*kind\s(rare|usual)/s,
  );
  const tradeoff = JSON.parse(readFileSync(at("t.json"), "utf8")) as Tradeoff;
  expect(tradeoff.points.map((p) => p.target)).toEqual([1, null]);
  for (const { target, epsilon } of tradeoff.points) if (target !== null) expect(epsilon).toBeLessThanOrEqual(target);
  expect(tradeoff.points[0]!.groups[0]!.parts.map((p) => p.name)).toEqual(["rare", "usual"]);
  expect(tradeoff.noise).toBe("system");
  const page = readFileSync(at("t.html"), "utf8");
  expect(page).toContain("By kind");
  expect(page).toContain("<svg");
}, 60_000);
