import { describe, expect, test } from "vitest";
import * as dp from "./index.ts";

const facts: dp.PrivacyFacts = {
  event: dp.repeated(dp.poissonSampled(256 / 60000, dp.gaussian(1.1)), 14062),
  adjacency: "add-or-remove",
  delta: 1e-5,
  records: 60000,
  noise: "system",
  released: "the model's parameters after every step",
  tuning: { kind: "fixed" },
};
const said = (more: Partial<dp.PrivacyFacts>): dp.PrivacyStatement => dp.privacyStatement({ ...facts, ...more });

test("a clean run: verdict, number, every fact in words, and it survives JSON", () => {
  const s = said({ preprocessing: [{ what: "pixel scale 1/255", from: "public" }] });
  expect(s).toMatchObject({ verdict: "private", reasons: [], accountant: "loss distribution", unit: "record" });
  expect(s.epsilon).toBeCloseTo(2.381686, 5);
  expect(JSON.parse(JSON.stringify(s))).toEqual(s);
  const text = dp.statementText(s);
  for (const part of [
    /^Private: \(2\.38169, 0\.00001\)-differential privacy/,
    /with or without any one record: the probability of anything they conclude changes by a factor of at most 10\.8/,
    /unit: +one record of 60000 records/,
    /14062 times: each record by a coin of probability 0\.00426667 \(Poisson sampling\), then Gaussian noise of 1\.1 times the clip norm/,
    /noise: +from the operating system's secure generator/,
    /accountant: +loss distribution; conversion none/,
    /tuning: +settings were fixed/,
    /preprocessing: +pixel scale 1\/255: from public data/,
    /Not covered:\n {2}- What is true of many records at once/,
  ])
    expect(text).toMatch(part);
  // Anybody can account again from what is stated.
  expect(dp.guaranteedEpsilon(dp.parseEvent(s.event), s.adjacency, s.delta)).toBe(s.epsilon);
});

describe("what is not known or not counted never counts as private", () => {
  test.each([
    [{ noise: dp.mechanisms.NOT_PRIVATE }, "not-private", /came from a seed/],
    [{ event: dp.composed([facts.event, dp.nonPrivate]) }, "not-private", /No finite epsilon/],
    [{ event: dp.composed([facts.event, dp.unsupported("odd step")]) }, "not-private", /composed\[1\].*odd step/],
    [{ delta: 1e-4 }, "not-private", /not below 1\/60000/],
    [{ tuning: { kind: "uncounted", runs: 20 } }, "training-only", /20 runs on the private data that are not counted/],
    [{ tuning: undefined }, "training-only", /has not been declared/],
    [{ preprocessing: [{ what: "feature mean", from: "uncounted" }] }, "training-only", /feature mean was computed/],
  ] as const)("%#: %s", (more, verdict, reason) => {
    const s = said(more as Partial<dp.PrivacyFacts>);
    expect(s.verdict).toBe(verdict);
    expect(s.reasons.join(" ")).toMatch(reason);
    expect(s.epsilon === null).toBe(verdict === "not-private");
    expect(dp.statementText(s)).toMatch(verdict === "not-private" ? /^NOT PRIVATE/ : /^The training alone is private/);
  });
});

test("tuning by repeat-and-select is in the number", () => {
  const s = said({
    tuning: { kind: "repeat-and-select", count: { distribution: "negative-binomial", mean: 10, shape: 0 } },
  });
  expect(s.epsilon).toBeCloseTo(4.294357, 4);
  expect(s).toMatchObject({ verdict: "private", accountant: "Rényi" });
  expect(dp.statementText(s)).toMatch(/counted: the best of a random number of runs .*10 on average/);
});

test("every kind of event has words", () => {
  const kinds: dp.DpEvent[] = [
    dp.laplace(2),
    dp.discreteGaussian(4, 2),
    dp.discreteLaplace(0.5, 2),
    dp.randomizedResponse(0.5, 4),
    dp.pure(1),
    dp.exponentialMechanism(1),
    dp.truncatedPoissonSampled(0.01, 30, 1000, dp.gaussian(1)),
    dp.fixedSizeSampled(10, 1000, dp.gaussian(1)),
    dp.treeAggregation(3, 100),
    dp.nonPrivate,
    dp.unsupported("x"),
  ];
  const s = said({ event: dp.composed(kinds), adjacency: "replace-one", unit: "person" });
  expect(s.mechanisms).toHaveLength(kinds.length);
  expect(new Set(s.mechanisms).size).toBe(kinds.length);
  expect(dp.statementText(s)).toMatch(/any one person replaced by another/);
});

test("impossible facts are refused", () => {
  expect(() => said({ delta: 0 })).toThrow(/delta between 0 and 1/);
  expect(() => said({ records: 0 })).toThrow(/number of records/);
});
