import { describe, expect, test } from "vitest";
import type {
  PoisonDetectionEvidence,
  SanitizationAudit,
  SanitizationEvidence,
  SanitizationGroup,
} from "../../contract/index.ts";
import { plantedRows } from "./planted-rows.ts";
import { unevenSanitization } from "./uneven-sanitization.ts";

const base = { schema: 1, id: "e", subject: "s", seed: 0, options: {}, seconds: 1, queries: 0, gradients: 0 } as const;
const share = (value: number) => ({ value, low: Math.max(0, value - 0.05), high: Math.min(1, value + 0.05) });

function detection(flagged: number, recall: number | null, verdict = "nothing found"): PoisonDetectionEvidence {
  const rows = Array.from({ length: flagged }, (_, i) => ({ id: `row-${i}`, label: "7", reason: "far out" }));
  const own = { features: "raw inputs", alpha: 0.01, assumes: "a clean reference" };
  const planted = [
    {
      by: "spectral-signatures",
      removed: 20,
      recall: share(recall ?? 0),
      falseRemoval: share(0),
      accuracy: share(0.9),
      success: share(0.1),
    },
  ];
  return {
    ...base,
    kind: "poison-detection",
    probe: "poison-detection",
    trainRows: 2000,
    reference: true,
    asGiven: [
      {
        ...own,
        detector: "spectral-signatures",
        flagged,
        rows,
        classes: [{ label: "7", rows: 200, flagged, adjusted: 0.001, verdict: flagged > 0 ? "found" : verdict }],
      },
      {
        ...own,
        detector: "knn-label-agreement",
        flagged: 0,
        rows: [],
        classes: [{ label: "7", rows: 200, flagged: 0, adjusted: 1, verdict }],
      },
    ],
    planted: recall === null ? [] : [{ attack: "a patch", planted: 20, rows: planted }],
  };
}

describe("planted-rows", () => {
  test("rows were flagged: a fail with the ids of the rows as witness", () => {
    const j = plantedRows.judge([detection(20, 1)]);
    expect(j).toMatchObject({ outcome: "fail", severity: "high", evidence: "witness" });
    expect(j.headline).toContain("20 of 2000 training rows");
    expect(j.headline).toContain("row-0, row-1, row-2");
    expect(j.headline).toContain("at most 2 %");
    expect(j.details.some((d) => d.type === "table" && d.rows.some((r) => r["id"] === "row-19"))).toBe(true);
  });
  test("nothing was flagged, and what was planted for comparison was found: a pass that claims no more", () => {
    const j = plantedRows.judge([detection(0, 0.9)]);
    expect(j).toMatchObject({ outcome: "pass", evidence: "estimate" });
    expect(j.headline).toMatch(/Nothing found .* false-alarm rate of 2 %.*no proof of clean data/);
  });
  test.each([
    ["what was planted was missed too", detection(0, 0.1), "missed as well"],
    ["nothing was planted", detection(0, null), "nothing was planted"],
    ["no class had enough rows", detection(0, 0.9, "too few rows"), "Too few rows"],
  ])("inconclusive: %s", (_name, evidence, words) => {
    const j = plantedRows.judge([evidence]);
    expect(j.outcome).toBe("inconclusive");
    expect(j.headline).toContain(words);
  });
  test("of two pieces of evidence the one with finds is judged", () => {
    expect(plantedRows.judge([detection(0, 1), detection(3, 1)]).outcome).toBe("fail");
  });
});

function sanitization(audit: Partial<SanitizationAudit>): SanitizationEvidence {
  const whole: SanitizationAudit = {
    rows: 1000,
    removed: 50,
    groups: [],
    association: [{ column: "class", statistic: 1, degrees: 1, p: 0.3, cramersV: 0.03 }],
    shift: [{ column: "age", smd: 0.01, ks: 0.02, psi: 0.001 }],
    classPrior: { totalVariation: 0.01, expMinusKl: 0.999 },
    smallestSupport: { name: "origin B", left: 90, of: 100 },
    accuracy: {
      original: 0.9,
      sanitized: 0.91,
      placebo: 0.9,
      change: share(0.01),
      placeboChange: share(0),
      testRows: 500,
    },
    verdict: "even",
    why: "no declared group is removed at a clearly other rate",
    ...audit,
  };
  return {
    ...base,
    kind: "sanitization",
    probe: "sanitization",
    detector: "knn-label-agreement",
    alpha: 0.01,
    data: "as given",
    declaredGroups: ["origin"],
    audit: whole,
  };
}

const group = (removed: number): SanitizationGroup => ({
  column: "origin",
  value: "B",
  rows: 100,
  removed,
  rate: share(removed / 100),
  ratio: { value: 18, low: 16, high: 20 },
  ratioWithinClass: { value: 17, low: 15, high: 19 },
  p: 0,
  adjusted: 0,
  accuracyChange: null,
  placeboChange: null,
  verdict: "uneven",
});

describe("uneven-sanitization", () => {
  test("a group that was wiped out is critical, one that is hit more than others high", () => {
    const wiped = unevenSanitization.judge([
      sanitization({ verdict: "uneven", why: "origin B", groups: [group(100)] }),
    ]);
    expect(wiped).toMatchObject({ outcome: "fail", severity: "critical" });
    expect(wiped.advice.join(" ")).toContain("Restore its rows");
    const hit = unevenSanitization.judge([sanitization({ verdict: "uneven", why: "origin B", groups: [group(60)] })]);
    expect(hit).toMatchObject({ outcome: "fail", severity: "high" });
    expect(hit.measures.find((m) => m.name.includes("origin B"))!.value).toMatchObject({ value: 17 });
    expect(hit.details[0]).toMatchObject({ type: "table", highlight: [0] });
  });
  test("even passes, not enough data is inconclusive, nothing removed passes", () => {
    expect(unevenSanitization.judge([sanitization({})]).outcome).toBe("pass");
    const unknown = unevenSanitization.judge([
      sanitization({ verdict: "not enough data", why: "too few rows to tell for origin B" }),
    ]);
    expect(unknown.outcome).toBe("inconclusive");
    expect(unknown.headline).toContain("too few rows");
    const nothing = unevenSanitization.judge([sanitization({ removed: 0, shift: [], why: "no row was removed" })]);
    expect(nothing).toMatchObject({ outcome: "pass", details: [] });
  });
  test("of two pieces of evidence the worse one is judged", () => {
    expect(
      unevenSanitization.judge([sanitization({}), sanitization({ verdict: "uneven", groups: [group(60)] })]).outcome,
    ).toBe("fail");
  });
});
