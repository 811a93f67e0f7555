import { describe, expect, test } from "vitest";
import type { MembershipEvidence, MemorizationScoreEvidence } from "../../contract/index.ts";
import { seeded } from "../../random/index.ts";
import { membershipInference } from "./membership-inference.ts";
import { memorizedRows } from "./memorized-rows.ts";

const base = { schema: 1, id: "e", subject: "s", seed: 0, options: {}, seconds: 1, queries: 0, gradients: 0 } as const;

/** Normal scores, those of members `shift` higher. */
function membership(n: number, shift: number, correct = { members: n, nonMembers: n }): MembershipEvidence {
  const rng = seeded(4);
  const scores = (label: string, mean: number): number[] => {
    const out = new Float64Array(n);
    rng.child(label).fillNormal(out, mean, 1);
    return [...out];
  };
  const ids = (p: string): string[] => Array.from({ length: n }, (_, i) => `${p}${i}`);
  return {
    ...base,
    kind: "membership",
    probe: "membership",
    attacks: [
      { attack: "loss-threshold", members: scores("weak", shift / 2), nonMembers: scores("weak out", 0) },
      { attack: "entropy", members: scores("in", shift), nonMembers: scores("out", 0) },
    ],
    memberIds: ids("m"),
    nonMemberIds: ids("n"),
    memberLabels: ids("m").map(() => 0),
    nonMemberLabels: ids("n").map(() => 0),
    correct,
    classNames: ["a"],
    scoresFrom: "logits or log-probabilities",
  };
}

describe("membership-inference", () => {
  test("members that stand out fail, and the stronger attack is named with the AUC that normal scores have", () => {
    const j = membershipInference.judge([membership(1000, 1.5, { members: 1000, nonMembers: 700 })]);
    expect(j).toMatchObject({ outcome: "fail", severity: "high", evidence: "estimate" });
    expect(j.headline).toContain("(entropy)");
    // Two normals 1.5 apart: AUC = Phi(1.5 / sqrt 2) = 0.8556.
    const auc = j.measures[0]!.value as { value: number; low: number; high: number };
    expect(auc.low).toBeLessThan(0.8556);
    expect(auc.high).toBeGreaterThan(0.8556);
    expect(j.measures[2]).toMatchObject({ value: 0.3 });
  });
  test("a small leak is low; no leak passes where the rows resolve it, and claims a floor, no bound", () => {
    expect(membershipInference.judge([membership(2000, 0.3)])).toMatchObject({ outcome: "fail", severity: "low" });
    const j = membershipInference.judge([membership(2000, 0)]);
    expect(j).toMatchObject({ outcome: "pass", severity: "none" });
    expect(j.advice.join(" ")).toContain("not as a bound");
  });
  test("20 rows a side say nothing, and rates that they cannot resolve are refused by name", () => {
    const j = membershipInference.judge([membership(20, 0)]);
    expect(j.outcome).toBe("inconclusive");
    const table = j.details.find((d) => d.type === "table")!;
    expect(table.rows[0]!["tpr0.01"]).toMatch(/needs at least 100 non-members, there are 20/);
    expect(j.measures.some((m) => m.name.includes("1 % FPR"))).toBe(false);
  });
  test("scores whose sign is turned do not count as a leak: an attack may not choose its direction afterwards", () => {
    expect(membershipInference.judge([membership(2000, -1)]).outcome).not.toBe("fail");
  });
});

type Row = MemorizationScoreEvidence["rows"][number];
const row = (id: string, inside: number, outside: number, of: readonly [number, number] = [140, 60]): Row => ({
  id,
  label: 0,
  inside: of[0],
  insideCorrect: Math.round(inside * of[0]),
  outside: of[1],
  outsideCorrect: Math.round(outside * of[1]),
  insideProbability: inside,
  outsideProbability: outside,
});
const judgeRows = (rows: readonly Row[]) => {
  const evidence: MemorizationScoreEvidence = {
    ...base,
    kind: "memorization-scores",
    probe: "memorization-score",
    subsets: 200,
    fraction: 0.7,
    arch: "mlp",
    classNames: ["lays eggs"],
    rows,
  };
  return memorizedRows.judge([evidence]);
};
const ordinary = Array.from({ length: 99 }, (_, i) => row(`animal ${i}`, 1, 0.97));

describe("memorized-rows", () => {
  test("the one row that is known only when seen is named with its value and interval", () => {
    const j = judgeRows([...ordinary, row("platypus", 1, 0.05)]);
    expect(j).toMatchObject({ outcome: "fail", severity: "medium", evidence: "witness" });
    expect(j.headline).toMatch(/^1 of 100 rows is memorized; the most is "platypus" \(lays eggs\): 0\.95 \(0\.8\d to /);
    expect(j.measures[0]).toMatchObject({ name: "memorized rows", value: 1 });
    expect(j.details[0]).toMatchObject({ type: "table", highlight: [0] });
  });
  test("more than one row in twenty is high", () => {
    const many = Array.from({ length: 10 }, (_, i) => row(`odd ${i}`, 1, 0.05));
    expect(judgeRows([...ordinary, ...many])).toMatchObject({ outcome: "fail", severity: "high" });
  });
  test("ties of the counts are broken by the mean probability", () => {
    const a = { ...row("a", 1, 0), outsideProbability: 0.4 };
    const b = { ...row("b", 1, 0), outsideProbability: 0.1 };
    expect(judgeRows([...ordinary, a, b]).headline).toContain('"b"');
  });
  test("rows that models know unseen pass", () => {
    expect(judgeRows(ordinary)).toMatchObject({ outcome: "pass", severity: "none", evidence: "estimate" });
  });
  test("a row that looks memorized among too few models is left open, and so is a set that nobody sat out", () => {
    expect(judgeRows([...ordinary, row("platypus", 1, 0, [14, 3])]).outcome).toBe("inconclusive");
    const none = judgeRows([row("a", 1, 0, [20, 0])]);
    expect(none.outcome).toBe("inconclusive");
    expect(none.headline).toContain("nothing can be said");
  });
  test("a score of a quarter whose interval reaches below is not called memorized (the level is shared by all rows)", () => {
    expect(judgeRows([...ordinary, row("maybe", 1, 0.65)]).outcome).toBe("inconclusive");
  });
});
