import { expect, test } from "vitest";
import { seeded } from "../../random/index.ts";
import { excessTest } from "./excess-test.ts";
import { excessMass, excessMassTable, unimodalityP } from "./unimodality.ts";

test("one property in one class: the p-value is Fisher's one-sided one", () => {
  // 10 rows, 6 suspects; 4 rows have the property, all of them suspects: P = C(6,4) / C(10,4) = 15 / 210.
  const member = Uint8Array.from([1, 1, 1, 1, 1, 1, 0, 0, 0, 0]);
  const rows = Array.from({ length: 10 }, (_, i) => i);
  const { surprise, adjusted, counts } = excessTest(
    [{ label: 0, rows: [0, 1, 2, 3] }],
    [rows],
    member,
    seeded(1),
    9999,
  );
  expect(counts[0]).toBe(4);
  expect(Math.exp(-surprise[0]!)).toBeCloseTo(15 / 210, 12);
  // The shuffled p-value has a standard error of 0.0026 here.
  expect(Math.abs(adjusted[0]! - 15 / 210)).toBeLessThan(0.01);
});

test("excess mass: 0 for evenly spaced points, one half for two equal far groups, the smaller share for unequal ones", () => {
  expect(excessMass(Array.from({ length: 200 }, (_, i) => i))).toBeLessThan(0.02);
  const groups = (small: number): number[] =>
    Array.from({ length: 200 }, (_, i) => (i < small ? 1000 : 0) + (i % 50) / 50);
  expect(excessMass(groups(100))).toBeCloseTo(0.5, 1);
  expect(excessMass(groups(20))).toBeCloseTo(0.1, 1);
});

test("the test of one mode holds its level on normal samples and sees two far groups", () => {
  const rng = seeded(2);
  const table = excessMassTable();
  let rejected = 0;
  for (let run = 0; run < 200; run++) {
    const x = new Float64Array(150);
    rng.fillNormal(x);
    if (unimodalityP(x, table) <= 0.05) rejected++;
  }
  expect(rejected).toBeLessThanOrEqual(18); // binomial(200, 0.05): 19 or more has a probability of 0.4 %
  const two = new Float64Array(150);
  rng.fillNormal(two);
  for (let i = 0; i < 40; i++) two[i]! += 12;
  expect(unimodalityP(two, table)).toBeLessThan(0.002);
});
