import { describe, expect, it } from "vitest";
import type { CanaryExposureEvidence, CanaryExtractionEvidence } from "../../contract/index.ts";
import { seeded } from "../../random/index.ts";
import { levelsOf } from "./exposure-levels.ts";
import { plantedSecrets } from "./planted-secrets.ts";

const SPACE = 16.61;
const base = {
  schema: 1,
  probe: "p",
  subject: "s",
  seed: 0,
  options: {},
  seconds: 1,
  queries: 1,
  gradients: 0,
} as const;
const family = "the pin of {owner} is {digits:5}";
const REPETITIONS = [0, 1, 10, 100];
const EACH = 20;
const canaries = REPETITIONS.flatMap((repetitions) =>
  Array.from({ length: EACH }, (_, i) => ({ id: `c${repetitions}-${i}`, family, repetitions, spaceBits: SPACE })),
);

/** Exposure evidence where a level has a given mean beyond that of a guess. */
function exposed(more: Readonly<Record<number, number>>, models = ["own"], seed = 1): CanaryExposureEvidence {
  const rng = seeded(seed);
  return {
    ...base,
    id: "e1",
    kind: "canary-exposure",
    records: 1000,
    canaries,
    models: models.map((title) => ({
      title,
      epochs: null,
      epsilon: null,
      exposures: canaries.map(({ repetitions }) => {
        const bits = Math.min(SPACE, -Math.log2(1 - rng.float()) + (more[repetitions] ?? 0));
        return { bits, low: bits, high: bits, method: "rank" as const, rank: 1, cost: 20, fit: null };
      }),
    })),
  };
}

function searched(out: readonly string[], complete = true): CanaryExtractionEvidence {
  return {
    ...base,
    id: "e2",
    kind: "canary-extraction",
    budget: 1000,
    canaries,
    models: [
      {
        title: "own",
        epochs: null,
        epsilon: null,
        searches: canaries.map(({ id }) => ({
          canaries: [id],
          extracted: out.includes(id) ? [id] : [],
          first:
            complete || out.includes(id)
              ? { text: out.includes(id) ? `secret of ${id}` : "••••", canary: out.includes(id) ? id : null, cost: 9 }
              : null,
          asked: 100,
          complete: complete || out.includes(id),
        })),
      },
    ],
  };
}

describe("planted secrets", () => {
  it("that came out are a witness; few repetitions make it critical", () => {
    const seldom = plantedSecrets.judge([exposed({ 100: 14, 10: 9 }), searched(["c10-3", "c100-1"])]);
    expect(seldom).toMatchObject({ outcome: "fail", severity: "critical", evidence: "witness" });
    expect(seldom.headline).toMatch(/gives away 2 of the 60 .*"secret of c10-3", was planted 10 times/);
    expect(plantedSecrets.judge([searched(["c100-1"])])).toMatchObject({ outcome: "fail", severity: "high" });
  });
  it("that are exposed but did not come out fail as an estimate", () => {
    const found = plantedSecrets.judge([exposed({ 100: 5 }), searched([])]);
    expect(found).toMatchObject({ outcome: "fail", severity: "medium", evidence: "estimate" });
    expect(found.headline).toMatch(
      /No planted secret came out, but .*planted 100 times: their mean exposure is 6\.\d of 16\.6/,
    );
    expect(plantedSecrets.judge([exposed({ 100: 12 })])).toMatchObject({ severity: "high" });
  });
  it("no more exposed than by guessing pass where there are enough of them and they were searched for", () => {
    const found = plantedSecrets.judge([exposed({}), searched([])]);
    expect(found).toMatchObject({ outcome: "pass", severity: "none", evidence: "estimate" });
    expect(plantedSecrets.judge([exposed({})]).outcome).toBe("inconclusive");
  });
  it("of a model that learned nothing fail in at most one of a hundred audits", () => {
    let failed = 0;
    for (let seed = 0; seed < 100; seed++)
      if (plantedSecrets.judge([exposed({}, ["own"], seed)]).outcome === "fail") failed++;
    expect(failed).toBeLessThanOrEqual(5); // mean 1, four deviations
  });
  it("that guessing finds too are no witness", () => {
    const tiny = canaries.map((c) => ({ ...c, spaceBits: 3.3 }));
    const evidence = { ...searched(["c100-1"]), canaries: tiny };
    expect(plantedSecrets.judge([{ ...exposed({}), canaries: tiny }, evidence]).evidence).toBe("estimate");
  });
  it("of one form are told apart: each search has as many guesses as secrets, and the text is that of its own", () => {
    const both = searched(["c10-3", "c10-4"]);
    const [model] = both.models;
    const one = (canary: string | null, extracted: readonly string[]) => ({
      canaries: canaries.map((c) => c.id),
      extracted,
      first: { text: "the text of c10-4", canary, cost: 9 },
      asked: 100,
      complete: true,
    });
    const judge = (canary: string | null, spaceBits: number, extracted: readonly string[]) =>
      plantedSecrets.judge([
        {
          ...both,
          canaries: canaries.map((c) => ({ ...c, spaceBits })),
          models: [{ ...model!, searches: [one(canary, extracted)] }],
        },
      ]);
    expect(judge("c10-4", SPACE + 10, ["c10-4", "c100-1"]).headline).toMatch(
      /"the text of c10-4", was planted 10 times/,
    );
    expect(judge("c10-4", SPACE + 10, ["c100-1", "c1-7"]).headline).toMatch(/"c1-7", was planted once/);
    // 60 planted and 80 guesses at each: luck brings out 0.0001 of them in 26.6 bits, 0.1 in 15.6.
    expect(judge("c10-4", SPACE + 10, ["c10-4"]).evidence).toBe("witness");
    expect(judge("c10-4", SPACE - 1, ["c10-4"]).evidence).toBe("estimate");
  });
  it("that were only searched for are not said to be none", () => {
    expect(plantedSecrets.judge([searched([])])).toMatchObject({
      outcome: "inconclusive",
      headline: expect.stringMatching(/^60 planted secrets were searched for.* No search brought one out/) as string,
    });
  });
  it("none at all are inconclusive", () => {
    const controls = canaries.filter((c) => c.repetitions === 0);
    const evidence = exposed({});
    const only = {
      ...evidence,
      canaries: controls,
      models: [{ ...evidence.models[0]!, exposures: evidence.models[0]!.exposures.slice(0, EACH) }],
    };
    expect(plantedSecrets.judge([only])).toMatchObject({ outcome: "inconclusive" });
  });
  it("have a figure with a line for each model, and the lines of guessing and of enumeration", () => {
    const { details } = plantedSecrets.judge([exposed({ 100: 14 }, ["own", "private"]), searched(["c100-1"])]);
    const figure = details.find((d) => d.type === "series")!;
    expect(figure.series.map((s) => s.name)).toEqual(["own", "private", "extracted by enumeration", "guessing"]);
    expect(figure.series[0]!.points.map((p) => p.x)).toEqual([1, 10, 100]);
    expect(figure.series[3]!.points[0]!.y).toBeCloseTo(Math.LOG2E, 9);
  });
  it("of models of three epochs and more have a figure by epochs", () => {
    const evidence = exposed({ 100: 9 }, ["a", "b", "c"]);
    const models = evidence.models.map((m, i) => ({ ...m, epochs: [8, 0, 2][i]! }));
    const figures = plantedSecrets.judge([{ ...evidence, models }]).details.filter((d) => d.type === "series");
    expect(figures).toHaveLength(2);
    expect(figures[1]!.series.find((s) => s.name === "planted 100 times")!.points.map((p) => p.x)).toEqual([0, 2, 8]);
  });
  it("have intervals that cover the mean of a guess", () => {
    let covered = 0;
    for (let seed = 0; seed < 60; seed++) {
      const [control] = levelsOf(exposed({}, ["own"], seed), 0);
      if (control!.mean.low <= Math.LOG2E && Math.LOG2E <= control!.mean.high) covered++;
    }
    expect(covered).toBeGreaterThanOrEqual(50);
  });
});
