import { expect, test } from "vitest";
import { seeded } from "../random/index.ts";
import { meanInterval, studentQuantile } from "./mean-interval.ts";

test("quantiles of Student's t, from tables", () => {
  for (const [degrees, t] of [
    [1, 12.7062],
    [2, 4.30265],
    [4, 2.77645],
    [30, 2.04227],
    [1000, 1.96234],
  ] as const)
    expect(Math.abs(studentQuantile(0.95, degrees) - t)).toBeLessThan(1e-4);
});

test("the interval holds the true mean as often as it says: 95 % of 2,000, within 4.9 standard deviations", () => {
  const rng = seeded(1);
  let held = 0;
  for (let i = 0; i < 2000; i++) {
    const { low, high } = meanInterval(Array.from({ length: 3 }, () => 7 + 2 * rng.normal()));
    if (low <= 7 && 7 <= high) held++;
  }
  expect(Math.abs(held - 1900)).toBeLessThan(4.9 * Math.sqrt(2000 * 0.95 * 0.05));
  expect(meanInterval([3])).toMatchObject({ value: 3, low: -Infinity, high: Infinity });
});
