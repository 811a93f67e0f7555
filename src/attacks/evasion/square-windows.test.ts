import { describe, expect, it } from "vitest";
import { seeded } from "../../random/index.ts";
import { balls } from "./balls.ts";
import { layoutOf, proposeL2, proposeLinf, startL2, startLinf } from "./square-windows.ts";
import type { EvasionSubject } from "./subject.ts";

const subject = (shape: readonly number[], norm: "linf" | "l2"): EvasionSubject =>
  ({
    d: shape.reduce((a, b) => a * b, 1),
    shape,
    norm,
    space: { low: 0, high: 1, mask: null },
  }) as unknown as EvasionSubject;

describe.each([{ shape: [2, 12, 15] }, { shape: [12, 15, 3] }, { shape: [12, 15] }])(
  "windows on $shape",
  ({ shape }) => {
    const d = shape.reduce((a, b) => a * b, 1);
    const x = new Float32Array(d).fill(0.5);
    const eps = 0.1;

    it("linf: proposals change one square, all channels, and reach every place up to the last", () => {
      const layout = layoutOf(subject(shape, "linf"));
      const rng = seeded(1);
      const start = x.slice();
      startLinf(layout, { z: start, zo: 0, x, xo: 0, eps, rng });
      expect(start.every((v) => Math.abs(Math.abs(v - 0.5) - eps) < 1e-6)).toBe(true);
      const touched = new Uint8Array(d);
      for (let k = 0; k < 3000; k++) {
        const z = x.slice();
        proposeLinf(layout, 9 / 180, { z, zo: 0, x, xo: 0, eps, rng });
        const moved = z.reduce((n, v) => n + (v === 0.5 ? 0 : 1), 0);
        expect(moved).toBe(9 * layout.channels);
        z.forEach((v, j) => {
          if (v !== 0.5) touched[j] = 1;
        });
      }
      expect(touched.every((t) => t === 1)).toBe(true);
    });

    it("l2: start and proposals have the length of the budget", () => {
      const layout = layoutOf(subject(shape, "l2"));
      expect(layout.spatial).toBe(true);
      const rng = seeded(2);
      for (let k = 0; k < 200; k++) {
        const z = x.slice();
        const at = { z, zo: 0, x, xo: 0, eps, rng };
        startL2(layout, at);
        expect(balls.l2.distance(z, 0, x, 0, d)).toBeCloseTo(eps, 5);
        const before = z.slice();
        proposeL2(layout, 0.1, at);
        expect(balls.l2.distance(z, 0, x, 0, d)).toBeCloseTo(eps, 5);
        expect(z.some((v, j) => v !== before[j])).toBe(true);
        expect(z.every(Number.isFinite)).toBe(true);
      }
    });
  },
);
