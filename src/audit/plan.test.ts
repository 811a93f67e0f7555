import { describe, expect, it } from "vitest";
import { checkPlan, parsePlan } from "./plan.ts";

const good = { subjects: [{ id: "a", model: "m.onnx", data: "d.npz" }] };

describe("plans", () => {
  it("fills in defaults, from JSON and from YAML alike", () => {
    const expected = { schema: 1, seed: 0, quick: false, ...good, probes: [], repairs: [] };
    expect(parsePlan(JSON.stringify(good), "p.json")).toEqual(expected);
    expect(parsePlan("subjects: [{id: a, model: m.onnx, data: d.npz}]", "p.yaml")).toEqual(expected);
    expect(checkPlan(good)).toEqual(expected);
  });

  const faults: readonly (readonly [string, string, RegExp])[] = [
    ["an unknown key", "subjects:\n  - id: a\n    data: d\n    modle: x\n", /line 4 column 5, subjects\.0: .*modle/],
    ["an unknown key at the top", "subjets: []\nsubjects: [{id: a, data: d}]\n", /line 1 column 1, \(top\): .*subjets/],
    ["a wrong type", "subjects:\n  - id: a\n    data: 7\n", /line 3 column 11, subjects\.0\.data/],
    ["a missing key: where its parent stands", "subjects:\n  - id: a\n", /line 2 column 5, subjects\.0\.data/],
    ["bad syntax", "subjects: [\n", /line \d column \d+: /],
    ["an id that is a path", "subjects: [{id: ../x, data: d}]", /subjects\.0\.id: expected letters/],
    ["nothing", "", /not a valid plan/],
    ["an alias without anchor", "subjects: *a\n", /Unresolved alias/],
    ["two subjects of one id", "subjects: [{id: a, data: d}, {id: a, data: d}]", /two subjects have the id a/],
    [
      "a repair of nobody",
      "subjects: [{id: a, data: d}]\nrepairs: [{id: r, title: t, what: w, before: a, after: b}]",
      /repairs\.0\.after names the subject b; expected one of a/,
    ],
  ];
  it.each(faults)("names %s", (_what, text, says) => {
    expect(() => parsePlan(text, "p.yaml")).toThrow(says);
    expect(() => parsePlan(text, "p.yaml")).toThrow(expect.objectContaining({ code: "PLAN_INVALID" }));
  });

  it("refuses aliases that unfold without end, at once", () => {
    const rows = Array.from({ length: 9 }, (_, i) => `a${i + 1}: &a${i + 1} [${Array(9).fill(`*a${i}`).join(", ")}]`);
    const bomb = ["a0: &a0 [x]", ...rows].join("\n");
    const start = performance.now();
    expect(() => parsePlan(bomb, "p.yaml")).toThrow(expect.objectContaining({ code: "PLAN_INVALID" }));
    expect(performance.now() - start).toBeLessThan(2000);
  });

  it("does not take __proto__ for a field", () => {
    expect(() => parsePlan('{"__proto__": {"quick": true}, "subjects": [{"id": "a", "data": "d"}]}', "p.json")).toThrow(
      /__proto__/,
    );
    expect(({} as { quick?: boolean }).quick).toBeUndefined();
  });
});
