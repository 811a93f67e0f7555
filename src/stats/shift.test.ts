import { describe, expect, it } from "vitest";
import { mcnemar } from "./mcnemar.ts";
import { mean, median, quantiles, variance } from "./quantiles.ts";
import { ksStatistic, populationStability, standardizedMeanDifference, totalVariation, wasserstein1 } from "./shift.ts";

const a = [1, 2, 2, 3.5, 7, 8, 8, 11];
const b = [0.5, 2, 4, 4, 9];

describe("distances of samples (values of scipy 1.17.1 and numpy 2.4.6, ties included)", () => {
  it("Kolmogorov-Smirnov", () => {
    expect(ksStatistic(a, b)).toBeCloseTo(0.3, 14);
    expect(ksStatistic(b, a)).toBeCloseTo(0.3, 14);
    expect(ksStatistic(a, a)).toBe(0);
    expect(ksStatistic([1, 2], [3, 4, 5])).toBe(1);
  });
  it("Wasserstein-1", () => {
    expect(wasserstein1(a, b)).toBeCloseTo(1.6625, 13);
    expect(wasserstein1([0, 0], [3])).toBe(3);
  });
  it("standardized mean difference", () => {
    expect(standardizedMeanDifference(a, b)).toBeCloseTo(0.4107364917652013, 13);
    expect(standardizedMeanDifference([2, 2], [2, 2, 2])).toBe(0);
    expect(standardizedMeanDifference([3, 3], [2, 2])).toBe(Infinity);
  });
  it("population stability by hand: halves 0.5/0.5 against 0.8/0.2", () => {
    const expected = [1, 2, 3, 4];
    const actual = [1, 1, 1, 1, 9];
    expect(populationStability(expected, actual, 2)).toBeCloseTo(
      0.3 * Math.log(0.8 / 0.5) - 0.3 * Math.log(0.2 / 0.5),
      12,
    );
    expect(populationStability(a, a)).toBe(0);
    // an empty bin is floored at 1e-4
    expect(populationStability(expected, [1], 2)).toBeCloseTo(0.5 * Math.log(2) + (1e-4 - 0.5) * Math.log(2e-4), 12);
  });
  it("total variation", () => {
    expect(totalVariation([1, 1], [3, 1])).toBeCloseTo(0.25, 15);
    expect(totalVariation([1, 0], [0, 7])).toBe(1);
    expect(() => totalVariation([0, 0], [1, 1])).toThrow(/neither empty/);
  });
  it("refuses empty samples and NaN", () => {
    expect(() => ksStatistic([], [1])).toThrow(/needs numbers/);
    expect(() => wasserstein1([1], [NaN])).toThrow(/needs numbers/);
  });
});

describe("quantiles", () => {
  it("interpolate as numpy's default does", () => {
    const got = quantiles([3, 1, 4, 1, 5, 9, 2.5], [0, 0.1, 0.25, 0.5, 0.9, 1]);
    [1, 1, 1.75, 3, 6.6, 9].forEach((want, i) => expect(got[i]).toBeCloseTo(want, 13));
    expect(median([2, 1])).toBe(1.5);
    expect(quantiles([], [0.5])).toEqual([NaN]);
    expect(median([1, NaN])).toBeNaN();
    expect(quantiles([-Infinity, 1, Infinity], [0, 0.5, 1])).toEqual([-Infinity, 1, Infinity]);
  });
  it("mean and variance", () => {
    expect(variance([3, 1, 4, 1, 5, 9, 2.5])).toBeCloseTo(7.726190476190477, 13);
    expect(mean([1, 2])).toBe(1.5);
    expect(variance([1])).toBeNaN();
  });
});

describe("McNemar's exact test (scipy.stats.binomtest)", () => {
  it.each([
    [3, 11, 0.057373046875],
    [0, 6, 0.03125],
    [5, 5, 1],
    [0, 0, 1],
  ])("b = %i, c = %i", (x, y, p) => {
    expect(mcnemar(x, y)).toBeCloseTo(p, 12);
  });
});
