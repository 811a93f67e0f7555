import { describe, expect, it } from "vitest";
import type { EvasionEvidence } from "../../contract/evidence/evasion.ts";
import { adversarialExamples } from "./adversarial-examples.ts";
import { gradientMasking } from "./gradient-masking.ts";

const rate = (value: number): { value: number; low: number; high: number } => ({ value, low: value, high: value });

/** Evidence on 100 rows, 98 correct, with so many fooled at a quarter, half, one and two times the reference. */
function evidence(
  fooled: readonly [number, number, number, number],
  more: Partial<EvasionEvidence> = {},
): EvasionEvidence {
  const eps = [0.025, 0.05, 0.1, 0.2];
  return {
    schema: 1,
    id: "e1",
    kind: "evasion",
    probe: "evasion",
    subject: "s",
    seed: 0,
    options: {},
    seconds: 1,
    queries: 1,
    gradients: 1,
    norm: "linf",
    unit: "input units",
    range: 1,
    referenceEps: 0.1,
    samples: 100,
    correct: 98,
    testAccuracy: null,
    cleanAccuracy: rate(0.98),
    curve: [
      { eps: 0, fooled: 0, robustAccuracy: rate(0.98) },
      ...eps.map((e, k) => ({ eps: e, fooled: fooled[k]!, robustAccuracy: rate((98 - fooled[k]!) / 100) })),
    ],
    attacks: [],
    fooledUnrounded: null,
    distance: fooled[2] > 0 ? { median: 0.05, q25: 0.02, q75: 0.08 } : null,
    whiteBox: true,
    health: {
      looked: 98,
      saturated: 0,
      flat: 0,
      notFinite: 0,
      onlyByScores: 0,
      onlyByOneStep: 0,
      wholeRange: { attacked: 98 - fooled[3], held: 0 },
    },
    witnesses: [],
    pictures: [],
    changes: [],
    classNames: [],
    rules: ["every feature may change"],
    ...more,
  };
}

describe("adversarial-examples", () => {
  it("fails with a witness, by severity", () => {
    const severity = (fooled: [number, number, number, number]): string => {
      const judged = adversarialExamples.judge([evidence(fooled)]);
      expect(judged.outcome).toBe("fail");
      expect(judged.evidence).toBe("witness");
      return judged.severity;
    };
    expect(severity([95, 98, 98, 98])).toBe("critical");
    expect(severity([10, 30, 60, 98])).toBe("high");
    expect(severity([0, 5, 20, 90])).toBe("medium");
    expect(severity([0, 0, 3, 40])).toBe("low");
    expect(adversarialExamples.judge([evidence([0, 5, 20, 90])]).headline).toMatch(/20 of 98 .* 98 % to 78 %/);
  });
  it("never passes a model that held", () => {
    const judged = adversarialExamples.judge([evidence([0, 0, 0, 30])]);
    expect(judged.outcome).toBe("inconclusive");
    expect(judged.evidence).toBe("estimate");
    expect(judged.headline).toMatch(/Held at this budget/);
    expect(JSON.stringify(judged)).not.toMatch(/is robust/);
  });
  it("says that there was nothing to attack", () => {
    const judged = adversarialExamples.judge([evidence([0, 0, 0, 0], { correct: 0, cleanAccuracy: rate(0) })]);
    expect(judged.outcome).toBe("inconclusive");
    expect(judged.headline).toMatch(/none of 100/);
  });
  it("judges the worst of several norms and writes budgets as the field does", () => {
    const weak = evidence([0, 0, 0, 1], { id: "e2" });
    const strong = evidence([50, 60, 98, 98], { referenceEps: 0.1 });
    expect(adversarialExamples.judge([weak, strong]).outcome).toBe("fail");
    const bytes = evidence([0, 0, 9, 9], {
      range: 255,
      referenceEps: 8,
      curve: evidence([0, 0, 9, 9]).curve.map((p) => ({ ...p, eps: p.eps * 80 })),
    });
    expect(adversarialExamples.judge([bytes]).headline).toMatch(/8\/255 of the input range/);
  });
});

describe("gradient-masking", () => {
  const withHealth = (health: Partial<EvasionEvidence["health"]>): EvasionEvidence => {
    const e = evidence([0, 0, 10, 30]);
    return { ...e, health: { ...e.health, ...health } };
  };
  it("passes, as an estimate, where gradients fool everything with the whole range", () => {
    const judged = gradientMasking.judge([withHealth({})]);
    expect(judged.outcome).toBe("pass");
    expect(judged.evidence).toBe("estimate");
  });
  it.each([
    { flat: 20 },
    { notFinite: 2 },
    { onlyByScores: 6 },
    { onlyByOneStep: 6 },
    { wholeRange: { attacked: 60, held: 3 } },
  ])("fails at the sign %o", (health) => {
    const judged = gradientMasking.judge([withHealth(health)]);
    expect(judged.outcome).toBe("fail");
    expect(judged.evidence).toBe("estimate");
    expect(judged.advice.length).toBeGreaterThan(0);
  });
  it("is inconclusive without the whole-range attack or without correct rows", () => {
    expect(gradientMasking.judge([withHealth({ wholeRange: null })]).outcome).toBe("inconclusive");
    expect(gradientMasking.judge([withHealth({ looked: 0 })]).outcome).toBe("inconclusive");
  });
  it("does not apply to a target without gradients", () => {
    expect(gradientMasking.judge([evidence([0, 0, 10, 30], { whiteBox: false })]).outcome).toBe("inapplicable");
  });
  it("mentions a saturated softmax, which is no sign", () => {
    const judged = gradientMasking.judge([withHealth({ saturated: 50 })]);
    expect(judged.outcome).toBe("pass");
    expect(JSON.stringify(judged.details)).toMatch(/50 of 98/);
  });
});
