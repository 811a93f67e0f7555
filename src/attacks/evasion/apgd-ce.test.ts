import { describe, expect, it } from "vitest";
import { seeded } from "../../random/index.ts";
import { apgdCe, checkpoints } from "./apgd-ce.ts";
import { balls, type Norm } from "./balls.ts";
import { shareAt } from "./square.ts";
import type { EvasionSubject } from "./subject.ts";

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

/** A subject that is never fooled and whose loss is -sum a_j (x_j - c_j)^2; keeps the best loss seen and the number of looks. */
function hill(
  norm: Norm,
  curvature: readonly number[],
  top: readonly number[],
): EvasionSubject & { best: () => number; looks: () => number } {
  const d = top.length;
  let best = -Infinity;
  let looks = 0;
  const size = 1;
  return {
    size,
    d,
    shape: [d],
    classes: 2,
    x: new Float32Array(d).fill(0.5),
    labels: Int32Array.of(0),
    goals: null,
    ids: ["only"],
    norm,
    eps: 0.25,
    space: { low: 0, high: 1, mask: null },
    open: () => Int32Array.of(0),
    isOpen: () => true,
    ask: async () => new Float32Array(size).fill(-1),
    async climb(_, z) {
      looks++;
      let loss = 0;
      const gradient = z.map((v, j) => -2 * curvature[j]! * (v - top[j]!));
      for (let j = 0; j < d; j++) loss -= curvature[j]! * (z[j]! - top[j]!) ** 2;
      best = Math.max(best, loss);
      return { loss: Float32Array.of(loss), margin: Float32Array.of(-1), gradient };
    },
    best: () => best,
    looks: () => looks,
  };
}

describe.each<Norm>(["linf", "l2"])("auto-pgd on a hill (%s)", (norm) => {
  const context = { rng: seeded(3), signal: new AbortController().signal, step: () => {} };
  const run = async (subject: EvasionSubject, steps: number): Promise<void> =>
    apgdCe.run(context, subject, { steps, restarts: 1, rho: 0.75, momentum: 0.75 });

  it("ends on a top inside the ball, which a step that never halves only circles", async () => {
    const subject = hill(norm, [1, 3, 10], [0.55, 0.42, 0.51]);
    await run(subject, 100);
    expect(subject.best()).toBeGreaterThan(-2e-4);
    // The first step is twice the radius: without halving, sign steps of that size miss the top by far.
    const short = hill(norm, [1, 3, 10], [0.55, 0.42, 0.51]);
    await run(short, 8);
    expect(short.best()).toBeLessThan(subject.best());
  });

  it("ends on the nearest point of the ball's rim when the top is outside", async () => {
    const top = [0.9, 0.5, 0.45];
    const subject = hill(norm, [1, 1, 1], top);
    await run(subject, 100);
    // Equal curvature: the best point is the Euclidean projection of the top.
    const best = Float32Array.from(top);
    balls[norm].project(best, 0, subject.x, 0, 3, 0.25, subject.space);
    const optimum = -best.reduce((sum, v, j) => sum + (v - top[j]!) ** 2, 0);
    expect(subject.best()).toBeGreaterThan(optimum - 2e-4);
    expect(subject.best()).toBeLessThanOrEqual(optimum + 1e-6);
  });

  it("looks once at the start and once after each step", async () => {
    const subject = hill(norm, [1, 1, 1], [0.6, 0.5, 0.5]);
    await run(subject, 30);
    expect(subject.looks()).toBe(31);
  });
});
