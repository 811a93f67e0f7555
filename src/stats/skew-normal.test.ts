import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { seeded } from "../random/index.ts";
import { kolmogorovSmirnov, kolmogorovTail } from "./kolmogorov.ts";
import { fitSkewNormal, skewNormalCdfSorted, skewNormalLogCdf, skewNormalLogDensity } from "./skew-normal.ts";
import { normalQuantile } from "./special.ts";

interface Fit {
  readonly data: readonly number[];
  readonly location: number;
  readonly scale: number;
  readonly shape: number;
  readonly logLikelihood: number;
  readonly distance: number;
  readonly p: number;
}
interface Vectors {
  readonly logCdf: readonly (readonly [number, number, number, number, number])[];
  readonly fits: readonly Fit[];
  readonly kolmogorov: readonly (readonly [number, number])[];
  readonly quantiles: { readonly logLikelihood: number; readonly bits: readonly (readonly [number, number])[] };
}
const file = new URL("../../test/vectors/skew-normal.json", import.meta.url);
const vectors = JSON.parse(readFileSync(file, "utf8")) as Vectors;

const likelihood = (d: Parameters<typeof skewNormalLogDensity>[0], data: readonly number[]): number =>
  data.reduce((sum, x) => sum + skewNormalLogDensity(d, x), 0);

describe("the skew-normal distribution", () => {
  it.each(vectors.logCdf)(
    "log F(%d) for location %d, scale %d, shape %d is mpmath's",
    (x, location, scale, shape, want) => {
      const got = skewNormalLogCdf({ location, scale, shape }, x);
      expect(Math.abs(got - want)).toBeLessThan(1e-10 * Math.max(1, Math.abs(want)));
    },
  );
  it("gives at sorted points what it gives at each of them", () => {
    const d = { location: 3, scale: 2, shape: -2.5 };
    const points = [-40, -6, -1, 0.5, 0.51, 2, 3, 9, 14];
    const all = skewNormalCdfSorted(d, points);
    points.forEach((x, i) => expect(all[i]).toBeCloseTo(Math.exp(skewNormalLogCdf(d, x)), 10));
  });
  it.each(vectors.fits.map((fit, i) => ({ fit, i })))("fit $i is at least as likely as scipy's best", ({ fit }) => {
    const got = fitSkewNormal(fit.data);
    expect(likelihood(got, fit.data)).toBeGreaterThan(fit.logLikelihood - 1e-6);
    expect(got.location).toBeCloseTo(fit.location, 1);
    expect(got.scale).toBeCloseTo(fit.scale, 1);
    expect(Math.abs(got.shape / fit.shape - 1)).toBeLessThan(0.02);
    const test = kolmogorovSmirnov(
      skewNormalCdfSorted(
        got,
        fit.data.toSorted((a, b) => a - b),
      ),
    );
    expect(test.distance).toBeCloseTo(fit.distance, 3);
    // scipy has the exact law of n points, this is the corrected limit.
    expect(Math.abs(test.p - fit.p)).toBeLessThan(0.02);
  });
  it("finds the parameters that many numbers were drawn with, also in bins", () => {
    const rng = seeded(1).child("skew");
    // |X| shape / sqrt(1 + shape²) + Y / sqrt(1 + shape²) is skew-normal (Azzalini 1985, section 2).
    const shape = 2;
    const x = Float64Array.from({ length: 20_000 }, () => {
      const [a, b] = [Math.abs(rng.normal()), rng.normal()];
      return 50 + (4 * (shape * a + b)) / Math.sqrt(1 + shape * shape);
    });
    const got = fitSkewNormal(x);
    expect(Math.abs(got.location - 50)).toBeLessThan(0.15);
    expect(Math.abs(got.scale - 4)).toBeLessThan(0.12);
    expect(Math.abs(got.shape - shape)).toBeLessThan(0.2);
    expect(kolmogorovSmirnov(skewNormalCdfSorted(got, x.toSorted())).p).toBeGreaterThan(0.05);
  });
  it("extrapolates 1000 normal quantiles as TensorFlow Privacy does, to the flatness of the likelihood", () => {
    const data = Array.from({ length: 1000 }, (_, i) => 100 + 10 * normalQuantile((i + 0.5) / 1000));
    const got = fitSkewNormal(data);
    expect(likelihood(got, data)).toBeGreaterThan(vectors.quantiles.logLikelihood - 1e-6);
    for (const [x, bits] of vectors.quantiles.bits) {
      expect(Math.abs(-skewNormalLogCdf(got, x) / Math.LN2 - bits)).toBeLessThan(0.05);
    }
  });
  it("refuses too few numbers and equal ones", () => {
    expect(() => fitSkewNormal([1, 2, 3])).toThrow(/at least 20 numbers/);
    expect(() => fitSkewNormal(new Float64Array(50).fill(7))).toThrow(/that differ/);
  });
});

describe("the Kolmogorov-Smirnov test", () => {
  it.each(vectors.kolmogorov)("P(K > %d) is scipy's", (x, want) => {
    expect(Math.abs(kolmogorovTail(x) - want)).toBeLessThan(1e-9);
  });
  it("rejects a wrong distribution and keeps a right one at its level", () => {
    const rng = seeded(5).child("uniform");
    let rejected = 0;
    for (let run = 0; run < 400; run++) {
      const sample = Float64Array.from({ length: 60 }, () => rng.float()).sort();
      if (kolmogorovSmirnov(sample).p < 0.05) rejected++;
    }
    expect(rejected / 400).toBeGreaterThan(0.02);
    expect(rejected / 400).toBeLessThan(0.09);
    const skewed = Float64Array.from({ length: 200 }, () => rng.float() ** 2).sort();
    expect(kolmogorovSmirnov(skewed).p).toBeLessThan(1e-6);
  });
});
