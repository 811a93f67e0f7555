import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { EvidenceBase, Finding, Measure, RunRecord } from "../contract/index.ts";
import type { Check } from "./check.ts";
import { rejudge, writeRecord } from "./finish.ts";
import { assembleReport, judge } from "./judge.ts";
import { checkPlan } from "./plan.ts";

const evidence = (subject: string, kind = "k"): EvidenceBase => ({
  schema: 1,
  id: `${subject}.p.1`,
  kind,
  probe: "p",
  subject,
  seed: 0,
  options: {},
  seconds: 1,
  queries: 2,
  gradients: 3,
});
const threat = { knows: "", changes: "", spends: "", atlas: [], nist: [] };
const check = (more: Partial<Check> = {}): Check => ({
  id: "c",
  risk: "evasion",
  title: "t",
  why: "",
  threat,
  reads: ["k"],
  judge: (read) => ({
    outcome: "pass",
    severity: "none",
    evidence: "estimate",
    headline: `${read.length} read`,
    measures: [],
    advice: [],
    details: [],
  }),
  ...more,
});
const record = (more: Partial<RunRecord> = {}): RunRecord => ({
  schema: 1,
  version: "0",
  created: "2026-01-01T00:00:00.000Z",
  plan: checkPlan({
    subjects: [
      { id: "a", data: "d" },
      { id: "b", data: "d", risks: ["poisoning"] },
    ],
  }),
  subjects: [],
  evidence: [],
  skipped: [],
  failed: [],
  warnings: [],
  environment: {},
  ...more,
});
const kindsOf = (probe: string): string[] => (probe === "p" ? ["k"] : []);

describe("judging", () => {
  it("hands a check the evidence of its kind and subject, and names what it came from", () => {
    const all = [evidence("a"), evidence("a", "other"), evidence("b")];
    const findings = judge(record(), all, [check()], kindsOf);
    expect(findings).toMatchObject([
      { subject: "a", check: "c", outcome: "pass", headline: "1 read", from: ["a.p.1"] },
    ]);
  });

  it("turns a check that throws into an error", () => {
    const broken = check({ judge: () => JSON.parse("{") as never });
    const [finding] = judge(record(), [evidence("a")], [broken], kindsOf);
    expect(finding).toMatchObject({
      outcome: "error",
      headline: expect.stringMatching(/could not judge its evidence/),
    });
  });

  it("says why there is no evidence: failed, skipped, or not asked", () => {
    const only = (more: Partial<RunRecord>) => judge(record(more), [], [check()], kindsOf)[0];
    const failed = { probe: "p", subject: "a", code: "X", message: "boom" };
    expect(only({ failed: [failed] })).toMatchObject({ outcome: "error", headline: "The probe p failed: boom" });
    expect(only({ failed: [{ ...failed, subject: "b" }] })).toBeUndefined();
    const skipped = { probe: "p", subject: "a", why: "needs --train" };
    expect(only({ skipped: [skipped] })).toMatchObject({
      outcome: "inapplicable",
      headline: "Not measured: needs --train.",
    });
    expect(only({ skipped: [{ ...skipped, probe: "q" }] })).toBeUndefined();
  });

  it("compares repairs by measures that have a better side, each once", () => {
    const measure = (name: string, value: number, better?: "higher"): Measure => ({
      name,
      unit: "fraction",
      value,
      ...(better && { better }),
    });
    const finding = (subject: string, id: string, measures: Measure[]) =>
      ({ subject, check: id, measures }) as unknown as Finding;
    const repair = { id: "r", title: "", what: "", before: "a", after: "b" };
    const compared = record({ plan: { ...record().plan, repairs: [repair] } });
    const [row] = assembleReport(
      compared,
      [],
      [
        finding("a", "c", [measure("accuracy", 0.9, "higher"), measure("rows", 5), measure("gone", 1, "higher")]),
        finding("a", "d", [measure("accuracy", 0.9, "higher")]),
        finding("b", "c", [measure("accuracy", 0.8, "higher"), measure("rows", 6)]),
        finding("b", "d", [measure("accuracy", 0.8, "higher")]),
      ],
    ).repairs;
    expect(row!.rows).toEqual([{ name: "accuracy", unit: "fraction", better: "higher", before: 0.9, after: 0.8 }]);
  });
});

describe("judging a folder again", () => {
  let folder: string;
  beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "marauder-finish-"))));
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it("sums what the evidence cost", async () => {
    await writeRecord(folder, record({ evidence: ["a.p.1"] }));
    mkdirSync(join(folder, "evidence"));
    writeFileSync(join(folder, "evidence/a.p.1.json"), JSON.stringify(evidence("a")));
    expect((await rejudge(folder)).totals).toEqual({ seconds: 1, queries: 2, gradients: 3 });
  });

  it.each([
    ["no record", null, "EVIDENCE_INVALID", /holds no finished audit/],
    ["no JSON", "{", "EVIDENCE_INVALID", /run\.json is not the record of a run/],
    ["another schema", '{"schema":2}', "EVIDENCE_INVALID", /not of schema 1/],
    ["null", "null", "EVIDENCE_INVALID", /is not the record of a run/],
    [
      "an id that is a path",
      JSON.stringify(record({ evidence: ["../../etc/passwd"] })),
      "EVIDENCE_INVALID",
      /is no evidence id/,
    ],
    [
      "missing evidence",
      JSON.stringify(record({ evidence: ["gone"] })),
      "FILE_NOT_FOUND",
      /gone\.json: it does not exist/,
    ],
    [
      "a broken plan",
      JSON.stringify({ ...record(), plan: { subjects: [] } }),
      "PLAN_INVALID",
      /run\.json is not a valid plan/,
    ],
  ])("refuses %s", async (_what, text, code, says) => {
    if (text !== null) writeFileSync(join(folder, "run.json"), text);
    await expect(rejudge(folder)).rejects.toMatchObject({ code, message: expect.stringMatching(says) });
  });
});
