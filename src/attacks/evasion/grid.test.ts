import { expect, it } from "vitest";
import { seeded } from "../../random/index.ts";
import { balls, type Norm } from "./balls.ts";
import { byteGrid, measure, roundRow } from "./grid.ts";
import { float32 } from "../../tensor/index.ts";
import type { Dataset } from "../../data/dataset.ts";

const bytes = (values: Float32Array, d: number): Dataset => ({
  name: "bytes",
  size: values.length / d,
  features: float32([values.length / d, d], values),
  labels: null,
  classNames: [],
  rowIds: [],
  groups: {},
  storedAs: "uint8",
  schema: null,
  table: null,
});

it.each<Norm>(["linf", "l2", "l1"])("rounding to bytes lands on a level and never leaves the %s ball", (norm) => {
  const rng = seeded(4).child(norm);
  const d = 40;
  for (const [low, high] of [
    [0, 1],
    [0, 255],
    [-1, 1],
  ] as const) {
    const clean = Float32Array.from({ length: d }, () => Math.fround(low + (rng.int(256) * (high - low)) / 255));
    const grid = byteGrid(bytes(clean, d), low, high, d)!;
    expect(grid).not.toBeNull();
    const space = { low, high, mask: null };
    for (const levels of [2, 2.6, 8, 30.2]) {
      const eps = ((high - low) / 255) * levels * (norm === "linf" ? 1 : norm === "l2" ? 3 : 10);
      for (let trial = 0; trial < 20; trial++) {
        const z = new Float32Array(d);
        rng.fillUniform(z, low, high);
        balls[norm].project(z, 0, clean, 0, d, eps, space);
        const out = z.slice();
        roundRow(out, 0, clean, 0, { d, grid, units: null, norm, eps, space });
        expect(measure(out, 0, clean, 0, { d, units: null, norm })).toBeLessThanOrEqual(
          eps * (1 + 1e-6) + (high - low) * 1e-6,
        );
        for (const v of out) {
          const level = ((v - low) / (high - low)) * 255;
          expect(Math.abs(level - Math.round(level))).toBeLessThan(1e-3);
          expect(v >= low && v <= high).toBe(true);
        }
      }
    }
  }
});

it("a budget of two levels keeps its two levels", () => {
  const clean = Float32Array.of(10 / 255, 200 / 255);
  const grid = byteGrid(bytes(clean, 2), 0, 1, 2)!;
  const out = Float32Array.of(clean[0]! + 2 / 255, clean[1]! - 2 / 255);
  roundRow(out, 0, clean, 0, {
    d: 2,
    grid,
    units: null,
    norm: "linf",
    eps: 2 / 255,
    space: { low: 0, high: 1, mask: null },
  });
  expect(out[0]).toBeCloseTo(12 / 255, 7);
  expect(out[1]).toBeCloseTo(198 / 255, 7);
});

it("data that are not on 256 levels are not rounded", () => {
  expect(byteGrid(bytes(Float32Array.of(0.1234, 0.5), 2), 0, 1, 2)).toBeNull();
  expect(byteGrid({ ...bytes(Float32Array.of(0, 1), 2), storedAs: "float32" }, 0, 1, 2)).toBeNull();
});
