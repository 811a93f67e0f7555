import { describe, expect, test } from "vitest";
import { benjaminiHochberg, chiSquare, fisherExact, mantelHaenszel, riskRatio } from "./index.ts";

describe("tables of counts", () => {
  test("Fisher's tea lady: 3 of 4 right has the two-sided p 34/70", () => {
    expect(fisherExact({ events: 3, rows: 4, otherEvents: 1, otherRows: 4 })).toBeCloseTo(34 / 70, 12);
    expect(fisherExact({ events: 4, rows: 4, otherEvents: 0, otherRows: 4 })).toBeCloseTo(2 / 70, 12);
  });
  test("risk ratio: 61 of 496 against 439 of 4504 gives 1.26 [0.98, 1.62]", () => {
    const rr = riskRatio({ events: 61, rows: 496, otherEvents: 439, otherRows: 4504 })!;
    expect(rr.value).toBeCloseTo(1.2618, 4);
    expect([rr.low.toFixed(2), rr.high.toFixed(2)]).toEqual(["0.98", "1.62"]);
  });
  test("one half is added to small counts, so that zero events still have a finite interval", () => {
    const rr = riskRatio({ events: 0, rows: 10, otherEvents: 5, otherRows: 90 })!;
    expect(rr.value).toBeCloseTo(0.5 / 11 / (5.5 / 91), 12);
    expect(riskRatio({ events: 0, rows: 0, otherEvents: 1, otherRows: 4 })).toBeNull();
  });
  test("Mantel-Haenszel of one stratum is the crude ratio, and stratifying undoes confounding (Simpson)", () => {
    const one = { events: 20, rows: 100, otherEvents: 30, otherRows: 300 };
    const crude = riskRatio(one)!;
    const mh = mantelHaenszel([one])!;
    expect(mh.value).toBeCloseTo(crude.value, 12);
    expect(mh.low).toBeCloseTo(crude.low, 10);
    // Within each stratum both groups have the same risk; crude risks differ because the group sits in the risky stratum.
    const strata = [
      { events: 45, rows: 90, otherEvents: 5, otherRows: 10 },
      { events: 1, rows: 10, otherEvents: 9, otherRows: 90 },
    ];
    expect(mantelHaenszel(strata)!.value).toBeCloseTo(1, 12);
    expect(riskRatio({ events: 46, rows: 100, otherEvents: 14, otherRows: 100 })!.low).toBeGreaterThan(1.25);
  });
  test("chi-square and Cramer's V of a perfect and of an empty association", () => {
    expect(
      chiSquare([
        [50, 0],
        [0, 50],
      ]),
    ).toMatchObject({ statistic: 100, degrees: 1, cramersV: 1 });
    expect(
      chiSquare([
        [10, 20],
        [20, 40],
      ]),
    ).toMatchObject({ statistic: 0, cramersV: 0, p: 1 });
  });
  test("Benjamini-Hochberg keeps the order given and is monotone", () => {
    const adjusted = benjaminiHochberg([0.01, 0.04, 0.03, 0.005]);
    [0.02, 0.04, 0.04, 0.02].forEach((v, i) => expect(adjusted[i]).toBeCloseTo(v, 12));
    expect(benjaminiHochberg([])).toEqual([]);
  });
});
