import { expect, it } from "vitest";
import { MarauderError } from "../errors.ts";
import { binomialUpper, clopperPearson, wilson } from "./intervals.ts";

// statsmodels 0.15.0: proportion_confint(k, n, 0.05, method="wilson" | "beta")
it.each([
  [0, 10, 0.0, 0.27753279986288926, 0.0, 0.30849710781876083],
  [1, 10, 0.017876213095072924, 0.40415002679523854, 0.0025285785444617848, 0.4450161170281953],
  [5, 10, 0.23659309051256394, 0.7634069094874361, 0.18708602844739855, 0.8129139715526015],
  [984, 1000, 0.97416793978826, 0.9901277579977227, 0.9741467509186266, 0.9908276807307779],
  [3, 100000, 1.0202758544517348e-5, 8.820804925176734e-5, 6.186763958922033e-6, 8.7670202566362e-5],
  [7, 7, 0.6456695649333125, 0.9999999999999999, 0.5903836027749966, 1.0],
  [499, 1000, 0.468073488750724, 0.529934164766247, 0.4675521862537382, 0.5304537166614578],
])("of %i of %i agrees with statsmodels", (k, n, wl, wh, cl, ch) => {
  const w = wilson(k, n);
  const c = clopperPearson(k, n);
  for (const [got, want] of [
    [w.low, wl],
    [w.high, wh],
    [c.low, cl],
    [c.high, ch],
  ] as const) {
    expect(Math.abs(got - want)).toBeLessThan(1e-12);
  }
  expect(w.value).toBe(k / n);
  expect(w.level).toBe(0.95);
});

it("has the closed forms at both ends", () => {
  expect(clopperPearson(0, 100).high).toBeCloseTo(1 - 0.025 ** (1 / 100), 14);
  expect(clopperPearson(100, 100).low).toBeCloseTo(0.025 ** (1 / 100), 14);
  expect([clopperPearson(0, 5).low, clopperPearson(5, 5).high, wilson(0, 5).low, wilson(5, 5).high]).toEqual([
    0, 1, 0, 1,
  ]);
  expect(binomialUpper(0, 100, 0.05)).toBeCloseTo(1 - 0.05 ** (1 / 100), 14);
});

it("clopperPearson covers every true rate with at least its level, by exact summation for n = 30", () => {
  const n = 30;
  const intervals = Array.from({ length: n + 1 }, (_, k) => clopperPearson(k, n));
  for (let p = 0.005; p < 1; p += 0.005) {
    let pmf = (1 - p) ** n;
    let covered = 0;
    for (let k = 0; k <= n; k++) {
      if (intervals[k]!.low <= p && p <= intervals[k]!.high) covered += pmf;
      pmf *= ((n - k) / (k + 1)) * (p / (1 - p));
    }
    expect(covered).toBeGreaterThanOrEqual(0.95);
  }
});

it("refuses impossible counts, and says so where there are no trials", () => {
  expect(() => wilson(0, 0)).toThrow(/at least one trial/);
  for (const [k, n, level] of [
    [2, 1, 0.95],
    [-1, 3, 0.95],
    [0.5, 3, 0.95],
    [1, 3, 1],
    [NaN, 3, 0.95],
  ] as const) {
    expect(() => clopperPearson(k, n, level)).toThrow(MarauderError);
  }
});
