import { expect, test } from "vitest";
import { differenceInterval } from "./difference.ts";

// Newcombe, Statistics in Medicine 17 (1998), table II, method 10.
test.each([
  [56, 70, 48, 80, 0.2, 0.0524, 0.3339],
  [9, 10, 3, 10, 0.6, 0.1705, 0.809],
  [10, 10, 0, 20, 1.0, 0.6791, 1.0],
  [0, 10, 0, 20, 0.0, -0.1611, 0.2775],
])("%i/%i - %i/%i", (a, m, b, n, value, low, high) => {
  const got = differenceInterval(a, m, b, n);
  expect(got.value).toBeCloseTo(value, 10);
  expect(got.low).toBeCloseTo(low, 4);
  expect(got.high).toBeCloseTo(high, 4);
});
