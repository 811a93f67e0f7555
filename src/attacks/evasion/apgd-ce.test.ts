import { expect, it } from "vitest";
import { checkpoints } from "./apgd-ce.ts";
import { shareAt } from "./square.ts";

it("has the checkpoints of the paper for 100 iterations", () => {
  expect(checkpoints(100)).toEqual([22, 41, 57, 70, 80, 87, 93, 99]);
});

it("has checkpoints for few iterations, each once and in order", () => {
  for (const steps of [1, 5, 10, 25, 1000]) {
    const marks = checkpoints(steps);
    expect([...new Set(marks)].sort((a, b) => a - b)).toEqual(marks);
    expect(marks.at(-1)!).toBeLessThanOrEqual(steps);
  }
});

it("shrinks squares by the schedule of the paper, stretched to the number of queries", () => {
  expect(shareAt(0, 10_000, 0.8)).toBe(0.8);
  expect(shareAt(10, 10_000, 0.8)).toBe(0.8);
  expect(shareAt(11, 10_000, 0.8)).toBe(0.4);
  expect(shareAt(8001, 10_000, 0.8)).toBe(0.8 / 512);
  expect(shareAt(4001, 5000, 0.8)).toBe(0.8 / 512);
});
