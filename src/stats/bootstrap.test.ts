import { describe, expect, it } from "vitest";
import { seeded } from "../random/index.ts";
import { bootstrap } from "./bootstrap.ts";
import { mean } from "./quantiles.ts";

const x = [3.2, 1.1, 4.7, 0.2, 5.9, 9.3, 2.6, 12.5, 0.4, 1.8, 3.3, 7.7, 2.2, 0.9, 20.1, 4.4, 1.5, 6.1, 2.9, 0.7];
const meanOf = (rows: Uint32Array): number => mean(Array.from(rows, (i) => x[i]!));

describe("bootstrap of the mean of a skewed sample", () => {
  // scipy.stats.bootstrap 1.17.1 with 200,000 resamples; 20,000 here have a Monte Carlo error of about 0.03 (low) and 0.06 (high)
  it.each([
    ["percentile", 2.725, 6.855],
    ["bca", 3.005, 7.5],
  ] as const)("%s agrees with scipy", (method, low, high) => {
    const got = bootstrap(x.length, meanOf, seeded(1), { method, resamples: 20_000 });
    expect(got.value).toBeCloseTo(mean(x), 12);
    expect(Math.abs(got.low - low)).toBeLessThan(0.1);
    expect(Math.abs(got.high - high)).toBeLessThan(0.2);
  });

  it("is the same for the same generator, whatever was drawn from it before", () => {
    const used = seeded(7);
    used.float();
    expect(bootstrap(20, meanOf, used, { resamples: 200 })).toEqual(
      bootstrap(20, meanOf, seeded(7), { resamples: 200 }),
    );
    expect(bootstrap(20, meanOf, seeded(8), { resamples: 200 })).not.toEqual(
      bootstrap(20, meanOf, seeded(7), { resamples: 200 }),
    );
  });

  it("covers: of 200 normal samples of 30, 168 to 199 intervals hold the mean (93 % expected, 5 and 4 sd around it)", () => {
    let held = 0;
    for (let i = 0; i < 200; i++) {
      const sample = new Float64Array(30);
      seeded("cover").child(i).fillNormal(sample);
      const of = (rows: Uint32Array): number => {
        let sum = 0;
        for (const row of rows) sum += sample[row]!;
        return sum / rows.length;
      };
      const ci = bootstrap(30, of, seeded(i), { resamples: 300 });
      if (ci.low <= 0 && 0 <= ci.high) held++;
    }
    expect(held).toBeGreaterThanOrEqual(168);
    expect(held).toBeLessThanOrEqual(199);
  });

  it("refuses one row and statistics that are undefined on a resample; a constant has no width", () => {
    expect(() => bootstrap(1, meanOf, seeded(0))).toThrow(/at least 2 rows/);
    expect(() => bootstrap(3, () => NaN, seeded(0), { resamples: 10 })).toThrow(/undefined/);
    expect(bootstrap(3, () => 4, seeded(0), { resamples: 10 })).toEqual({ value: 4, low: 4, high: 4, level: 0.95 });
  });
});
