import { describe, expect, it } from "vitest";
import { float32 } from "../tensor/index.ts";
import { fitNormalization } from "./normalization.ts";

describe("fitNormalization", () => {
  it("standardizes each column of a table, with the population deviation", () => {
    const { mean, scale } = fitNormalization(float32([4, 2], [1, 10, 2, 10, 3, 30, 6, 30]));
    expect(mean.dims).toEqual([2]);
    expect([...mean.data]).toEqual([3, 20]);
    expect(scale.data[0]).toBeCloseTo(1 / Math.sqrt((4 + 1 + 0 + 9) / 4), 6);
    expect(scale.data[1]).toBeCloseTo(0.1, 6);
  });

  it("gives constant columns scale 1, also where float32 rounds the constant", () => {
    const rows = Array.from({ length: 1000 }, (_, i) => [0.1, 1e6, 0, i]).flat();
    const { mean, scale } = fitNormalization(float32([1000, 4], rows));
    expect([...scale.data.subarray(0, 3)]).toEqual([1, 1, 1]);
    expect(mean.data[0]).toBe(Math.fround(0.1));
    expect(scale.data[3]).toBeLessThan(0.01);
  });

  it("has one mean for each channel of images, and one for all other shapes", () => {
    const image = fitNormalization(float32([1, 2, 1, 2], [1, 3, 10, 30]));
    expect(image.mean.dims).toEqual([2, 1, 1]);
    expect([...image.mean.data]).toEqual([2, 20]);
    const sequence = fitNormalization(float32([1, 2, 2], [1, 3, 10, 30]));
    expect(sequence.mean.dims).toEqual([1]);
    expect([...sequence.mean.data]).toEqual([11]);
  });
});
