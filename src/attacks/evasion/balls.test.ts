import { describe, expect, it } from "vitest";
import { seeded } from "../../random/index.ts";
import { balls, type Norm, roundingSlack, type Space } from "./balls.ts";

const norms: readonly Norm[] = ["linf", "l2", "l1"];
const rng = seeded(11);
const row = (d: number, low: number, high: number): Float32Array => {
  const out = new Float32Array(d);
  rng.fillUniform(out, low, high);
  return out;
};

describe.each(norms)("ball %s", (norm) => {
  const ball = balls[norm];
  const eps = { linf: 0.2, l2: 0.5, l1: 1.2 }[norm];

  it("projects to the nearest point of ball and bounds", () => {
    // A point p of a convex set is the nearest to z exactly when (z - p) . (q - p) <= 0 for every q of the set.
    for (let trial = 0; trial < 300; trial++) {
      const d = 1 + rng.int(12);
      const mask = trial % 3 === 0 ? Uint8Array.from({ length: d }, () => rng.int(2)) : null;
      const space: Space = { low: 0, high: 1, mask };
      const x = row(d, 0, 1);
      const z = row(d, -1.5, 2.5);
      const p = z.slice();
      ball.project(p, 0, x, 0, d, eps, space);
      const slack = roundingSlack(norm, d, space);
      expect(ball.distance(p, 0, x, 0, d)).toBeLessThanOrEqual(eps * (1 + 1e-7) + slack);
      for (let j = 0; j < d; j++) {
        expect(p[j]! >= 0 && p[j]! <= 1).toBe(true);
        if (mask !== null && mask[j] === 0) expect(p[j]).toBe(x[j]);
      }
      for (let other = 0; other < 40; other++) {
        const q = new Float32Array(d);
        ball.sample(rng, q, 0, x, 0, d, eps, space);
        if (mask !== null) for (let j = 0; j < d; j++) if (mask[j] === 0) q[j] = x[j]!;
        let inner = 0;
        for (let j = 0; j < d; j++) inner += (z[j]! - p[j]!) * (q[j]! - p[j]!);
        expect(inner).toBeLessThanOrEqual(1e-5);
      }
    }
  });

  it("leaves a point of the set where it is, and puts NaN back to the clean value", () => {
    const space: Space = { low: 0, high: 1, mask: null };
    const x = Float32Array.of(0.5, 0.5, 0.5);
    const inside = Float32Array.of(0.55, 0.45, 0.5);
    const kept = inside.slice();
    ball.project(kept, 0, x, 0, 3, eps, space);
    expect([...kept]).toEqual([...inside]);
    const broken = Float32Array.of(NaN, 0.5, 0.5);
    ball.project(broken, 0, x, 0, 3, eps, space);
    expect([...broken]).toEqual([0.5, 0.5, 0.5]);
  });

  it("climbs along a direction of unit norm that no other beats", () => {
    const d = 9;
    const space: Space = { low: -10, high: 10, mask: null };
    for (let trial = 0; trial < 50; trial++) {
      const gradient = row(d, -1, 1);
      const out = new Float32Array(d);
      const at = new Float32Array(d);
      expect(ball.ascend({ gradient, go: 0, out, oo: 0, d, at, ao: 0, space, density: 0 })).toBe(true);
      const zero = new Float32Array(d);
      expect(ball.distance(out, 0, zero, 0, d)).toBeCloseTo(1, 5);
      const gain = (v: Float32Array): number => v.reduce((sum, a, j) => sum + a * gradient[j]!, 0);
      for (let other = 0; other < 30; other++) {
        const q = new Float32Array(d);
        ball.sample(rng, q, 0, zero, 0, d, 1, space);
        expect(gain(q)).toBeLessThanOrEqual(gain(out) + 1e-5);
      }
    }
  });

  it("has no direction for a gradient that is zero or not a number", () => {
    const space: Space = { low: 0, high: 1, mask: null };
    for (const gradient of [new Float32Array(3), Float32Array.of(NaN, 1, 1), Float32Array.of(Infinity, 0, 0)]) {
      const at = new Float32Array(3);
      const out = Float32Array.of(7, 7, 7);
      expect(ball.ascend({ gradient, go: 0, out, oo: 0, d: 3, at, ao: 0, space, density: 1 })).toBe(false);
      expect([...out]).toEqual([7, 7, 7]);
    }
  });

  it("samples uniformly: the radius is distributed as the volume of the ball", () => {
    const d = 4;
    const space: Space = { low: -100, high: 100, mask: null };
    const x = new Float32Array(d);
    const z = new Float32Array(d);
    const n = 4000;
    let inner = 0;
    const mean = new Float64Array(d);
    for (let k = 0; k < n; k++) {
      ball.sample(rng, z, 0, x, 0, d, 1, space);
      // Half of the radius holds 2^-d of the volume: 1/16 here.
      if (ball.distance(z, 0, x, 0, d) <= 0.5) inner++;
      for (let j = 0; j < d; j++) mean[j]! += z[j]! / n;
    }
    const expected = n / 16;
    expect(Math.abs(inner - expected)).toBeLessThan(4.5 * Math.sqrt(expected));
    for (const m of mean) expect(Math.abs(m)).toBeLessThan(0.05);
  });
});

it("passes over coordinates of an l1 step that have no way to go", () => {
  const space: Space = { low: 0, high: 1, mask: null };
  const out = new Float32Array(3);
  const step = {
    gradient: Float32Array.of(5, 3, -4),
    go: 0,
    out,
    oo: 0,
    d: 3,
    at: Float32Array.of(1, 0.5, 0),
    ao: 0,
    space,
    density: 0,
  };
  expect(balls.l1.ascend(step)).toBe(true);
  expect([...out]).toEqual([0, 1, 0]);
});
