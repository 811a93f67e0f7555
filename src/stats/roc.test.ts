import { describe, expect, test } from "vitest";
import { seeded } from "../random/index.ts";
import { auc, balancedAccuracy, roc, tprAtFpr } from "./roc.ts";

describe("roc", () => {
  test("ties are one point", () => {
    const { points } = roc([3, 2, 2], [2, 1]);
    expect(points.map((p) => [p.truePositives, p.falsePositives])).toEqual([
      [0, 0],
      [1, 0],
      [3, 1],
      [3, 2],
    ]);
  });
  test("refuses NaN and empty sides", () => {
    expect(() => roc([NaN], [1])).toThrow(/not a number/);
    expect(() => roc([], [1])).toThrow(/both sides/);
  });
});

describe("auc", () => {
  test("counts pairs, ties half, like the naive double loop", () => {
    const rng = seeded(1);
    const p = Array.from({ length: 40 }, () => rng.int(12));
    const n = Array.from({ length: 30 }, () => rng.int(10));
    let pairs = 0;
    for (const a of p) for (const b of n) pairs += a > b ? 1 : a === b ? 0.5 : 0;
    expect(auc(p, n).value).toBeCloseTo(pairs / 1200, 12);
  });
  test("the interval covers the truth as often as it says (normals, 400 repetitions; false alarm 1e-4)", () => {
    // Two unit normals one apart: AUC = Phi(1/sqrt 2) = 0.760250.
    const rng = seeded(2);
    let covered = 0;
    for (let r = 0; r < 400; r++) {
      const own = rng.child(r);
      const p = Array.from({ length: 60 }, () => 1 + own.normal());
      const n = Array.from({ length: 60 }, () => own.normal());
      const i = auc(p, n);
      if (i.low <= 0.76025 && 0.76025 <= i.high) covered++;
    }
    // Binomial(400, 0.95): below 363 or above 395 with probability under 1e-4 in all.
    expect(covered).toBeGreaterThanOrEqual(363);
    expect(covered).toBeLessThanOrEqual(395);
  });
  test("does not claim certainty at 1 and 0", () => {
    expect(auc([2, 3, 4], [0, 1]).low).toBeLessThan(0.5);
    expect(auc([0, 1], [2, 3, 4]).high).toBeGreaterThan(0.5);
  });
});

describe("tprAtFpr", () => {
  test("takes the last threshold within the rate", () => {
    const negatives = Array.from({ length: 100 }, (_, i) => i);
    const got = tprAtFpr(roc([99.5, 98.5, 50.5, 1.5], negatives), 0.01);
    // One false positive allowed (99), so the threshold may go down to 98.5.
    expect(got.rate?.value).toBe(0.5);
  });
  test("refuses a rate that the sample cannot resolve", () => {
    const got = tprAtFpr(
      roc(
        [1],
        Array.from({ length: 999 }, () => 0),
      ),
      0.001,
    );
    expect(got.rate).toBeNull();
    expect("why" in got && got.why).toMatch(/at least 1000 non-members, there are 999/);
  });
});

test("balanced accuracy of noise is a half on average, not above it (false alarm 1e-6)", () => {
  // A threshold that is judged on the rows it was chosen on would give about 0.55 here.
  const rng = seeded(3);
  let sum = 0;
  for (let r = 0; r < 300; r++) {
    const own = rng.child(r);
    const draw = (): number[] => Array.from({ length: 50 }, () => own.normal());
    sum += balancedAccuracy(draw(), draw()).value;
  }
  expect(Math.abs(sum / 300 - 0.5)).toBeLessThan(0.02);
});
