import { describe, expect, test } from "vitest";
import { seeded } from "../../random/index.ts";
import { chiSquareTail } from "../../stats/special.ts";
import { account } from "../account.ts";
import { rdpOf } from "../accountants/rdp.ts";
import * as m from "./index.ts";

/** All statistical tests here use fixed seeds and a false-alarm rate of 1e-6 each; they cannot flake. */
const ALPHA = 1e-6;
const source = (name: string): m.NoiseSource => m.seededSource(seeded(7).child(name));

/** P value of counts against probabilities; the last cell takes what is left. */
function fit(samples: readonly number[], cells: ReadonlyMap<number, number>): number {
  const counts = new Map<number, number>();
  for (const s of samples) counts.set(s, (counts.get(s) ?? 0) + 1);
  let statistic = 0;
  let restProbability = 1;
  let rest = samples.length;
  let degrees = 0;
  for (const [value, p] of cells) {
    const expected = p * samples.length;
    if (expected < 10) continue;
    const seen = counts.get(value) ?? 0;
    statistic += (seen - expected) ** 2 / expected;
    restProbability -= p;
    rest -= seen;
    degrees++;
  }
  if (restProbability * samples.length >= 5)
    statistic += (rest - restProbability * samples.length) ** 2 / (restProbability * samples.length);
  else degrees--;
  return chiSquareTail(statistic, degrees);
}

const draws = (n: number, draw: () => number): number[] => Array.from({ length: n }, draw);
const twoSided = (masses: readonly number[]): Map<number, number> =>
  new Map(
    masses.flatMap(
      (p, i) =>
        (i === 0
          ? [[0, p]]
          : [
              [i, p],
              [-i, p],
            ]) as [number, number][],
    ),
  );

describe("exact samplers against published probabilities", () => {
  test("discrete Gaussian, sigma 1", () => {
    const draw = m.discreteGaussianSampler(source("g1"), 1);
    expect(
      fit(draws(100_000, draw), twoSided([0.3989422783, 0.2419707232, 0.0539909662, 0.0044318484])),
    ).toBeGreaterThan(ALPHA);
  });

  test("discrete Gaussian, sigma 0.5: its variance is 0.215, not 0.25", () => {
    const samples = draws(100_000, m.discreteGaussianSampler(source("g2"), 0.5));
    expect(fit(samples, twoSided([0.786570707, 0.1064507694, 2.638650762e-4]))).toBeGreaterThan(ALPHA);
    const variance = samples.reduce((sum, x) => sum + x * x, 0) / samples.length;
    expect(Math.abs(variance - 0.2150126739)).toBeLessThan(0.01);
  });

  test("discrete Gaussian, sigma 7.3, against its own formula", () => {
    const weight = (x: number): number => Math.exp((-x * x) / (2 * 7.3 * 7.3));
    const total = Array.from({ length: 401 }, (_, i) => weight(i - 200)).reduce((a, b) => a + b);
    const cells = new Map(Array.from({ length: 61 }, (_, i) => [i - 30, weight(i - 30) / total] as const));
    expect(fit(draws(60_000, m.discreteGaussianSampler(source("g3"), 7.3)), cells)).toBeGreaterThan(ALPHA);
  });

  test("discrete Laplace, scales 1 and 5/2", () => {
    const one = draws(100_000, () => m.discreteLaplaceSample(source1, 1));
    expect(fit(one, twoSided([0.4621171573, 0.1700034016, 0.0625407564, 0.0230074585]))).toBeGreaterThan(ALPHA);
    const p = (x: number): number => Math.tanh(0.2) * Math.exp(-0.4 * Math.abs(x));
    const other = draws(60_000, () => Number(m.discreteLaplaceOfRatio(source1, { n: 5n, d: 2n })));
    expect(fit(other, twoSided(Array.from({ length: 15 }, (_, i) => p(i))))).toBeGreaterThan(ALPHA);
  });
  const source1 = source("l1");

  test("exp(-x) coins, where the double decides and where whole numbers must", () => {
    const s = source("coins");
    for (const x of [0.25, 1, 2.5]) {
      for (const error of [1e-15, 0.4]) {
        // An error of 0.4 sends most decisions to the exact path; the probability must not change.
        const n = 20_000;
        const heads = draws(n, () => Number(m.bernoulliExp(s, x, error, () => m.ratioOf(x)))).reduce((a, b) => a + b);
        const p = Math.exp(-x);
        expect(Math.abs(heads - n * p) / Math.sqrt(n * p * (1 - p))).toBeLessThan(4.9); // two-sided 1e-6
      }
    }
  });

  test("the tests can fail: a rounded continuous Gaussian is refused", () => {
    const rng = seeded(3);
    const rounded = draws(100_000, () => Math.round(rng.normal()) + 0);
    expect(fit(rounded, twoSided([0.3989422783, 0.2419707232, 0.0539909662, 0.0044318484]))).toBeLessThan(ALPHA);
  });

  test("a wide Gaussian has the right spread and shape", () => {
    const sigma = 2 ** 30 * 1.37;
    const samples = draws(20_000, m.discreteGaussianSampler(source("wide"), sigma)).map((x) => x / sigma);
    const power = (k: number): number => samples.reduce((sum, x) => sum + x ** k, 0) / samples.length;
    expect(Math.abs(power(1))).toBeLessThan(4.9 / Math.sqrt(20_000));
    expect(Math.abs(power(2) - 1)).toBeLessThan(4.9 * Math.sqrt(2 / 20_000));
    expect(Math.abs(power(4) - 3)).toBeLessThan(4.9 * Math.sqrt(96 / 20_000));
  });
});

describe("the porous support of floating-point noise (Mironov 2012)", () => {
  /** Textbook Laplace in doubles: what this project does NOT do. */
  const naive =
    (rng: ReturnType<typeof seeded>) =>
    (value: number): number => {
      const u = rng.float();
      return value + (rng.uint32() % 2 === 0 ? 1 : -1) * -Math.log(1 - u);
    };
  /** Could textbook noise on `value` have given `output`? Tries the uniform doubles that come near. */
  const possible = (output: number, value: number): boolean => {
    const u = Math.exp(-Math.abs(output - value));
    for (let k = -3; k <= 3; k++) {
      const candidate = Math.round(u * 2 ** 53 + k) / 2 ** 53;
      const noise = -Math.log(candidate);
      if (value + noise === output || value - noise === output) return true;
    }
    return false;
  };
  /** How much more often the attacker says "1/3" when it is 1/3 than when it is 0. */
  const advantage = (release: (value: number) => number, n: number): number => {
    const says = (value: number): number => {
      const output = release(value);
      return Number(possible(output, 1 / 3) && !possible(output, 0));
    };
    const [yes, no] = [1 / 3, 0].map((value) => draws(n, () => says(value)).reduce((x, y) => x + y) / n);
    return yes! - no!;
  };

  test("succeeds on textbook noise", () => {
    expect(advantage(naive(seeded(11)), 5000)).toBeGreaterThan(0.3); // pure DP at this noise allows 0.17
  });

  test("fails on ours: every output is on one grid, whatever the value", () => {
    const mechanism = m.laplaceMechanism({ noise: 1, sensitivity: 1, source: source("attack") });
    // Within 4.9 standard deviations (1e-6) of nothing, or of the 0.17 that the noise allows at most.
    expect(advantage((value) => mechanism.release([value])[0]!, 5000)).toBeLessThan(0.17);
    const outputs = [0, 1 / 3, 1e6 + 0.1].flatMap((v) => draws(200, () => mechanism.release([v])[0]!));
    expect(outputs.every((y) => Number.isInteger(y / mechanism.grid))).toBe(true);
  });
});

describe("mechanisms", () => {
  test("the event covers the rounding, and costs what the ideal mechanism costs", () => {
    const mechanism = m.gaussianMechanism({ noise: 1.1, sensitivity: 1, dimension: 10_000 });
    expect(mechanism.noise).toBe("system");
    const { values } = rdpOf(mechanism.event, "add-or-remove", [2, 8]);
    values.forEach((value, i) => {
      const ideal = [2, 8][i]! / (2 * 1.1 * 1.1);
      expect(value).toBeGreaterThanOrEqual(ideal * (1 - 1e-8));
      expect(value).toBeLessThan(ideal * 1.00001);
    });
    const laplace = m.laplaceMechanism({ noise: 2, sensitivity: 1 });
    expect(account(laplace.event, "add-or-remove", 1e-6).epsilon.pld).toBeCloseTo(0.5, 4);
  });

  test("no value makes it throw", () => {
    const mechanism = m.gaussianMechanism({ noise: 1, sensitivity: 1, dimension: 4 });
    const out = mechanism.release([NaN, Infinity, -Infinity, 1e300]);
    expect([...out].every(Number.isFinite)).toBe(true);
    expect(Math.abs(out[0]!)).toBeLessThan(10);
  });

  test("seeded noise says so, and no accountant knows it", () => {
    const mechanism = m.gaussianMechanism({ noise: 1, sensitivity: 1, source: source("x") });
    expect(mechanism.noise).toMatch(/NOT PRIVATE/);
    expect(account(mechanism.event, "zero-out", 1e-5).epsilon).toMatchObject({ rdp: null, pld: null });
    expect(m.permuteAndFlip([1, 2], { epsilon: 1, sensitivity: 1, source: source("y") }).event.kind).toBe(
      "unsupported",
    );
  });

  test("selections have their closed-form probabilities", () => {
    const scores = [0, 1, 3];
    const spec = { epsilon: 1.5, sensitivity: 1, source: source("selection") };
    const n = 30_000;
    const weights = scores.map((s) => Math.exp((1.5 * (s - 3)) / 2));
    const total = weights.reduce((a, b) => a + b);
    const exponential = draws(n, () => m.exponentialMechanism(scores, spec).value);
    expect(fit(exponential, new Map(weights.map((w, i) => [i, w / total])))).toBeGreaterThan(ALPHA);
    // Permute-and-flip: average over the orders of p_i times the product of (1 - p_j) before it.
    const orders = [
      [0, 1, 2],
      [0, 2, 1],
      [1, 0, 2],
      [1, 2, 0],
      [2, 0, 1],
      [2, 1, 0],
    ];
    const flip = scores.map((_, i) =>
      orders.reduce(
        (sum, o) => sum + o.slice(0, o.indexOf(i)).reduce((p, j) => p * (1 - weights[j]!), weights[i]!) / 6,
        0,
      ),
    );
    const flipped = draws(n, () => m.permuteAndFlip(scores, spec).value);
    expect(fit(flipped, new Map(flip.map((p, i) => [i, p])))).toBeGreaterThan(ALPHA);
  });

  test("report-noisy-max breaks ties by chance; randomized response and the threshold answer as they should", () => {
    const s = source("rest");
    const tied = draws(20_000, () => m.reportNoisyMax([2, 2], { epsilon: 1, sensitivity: 1, source: s }).value);
    expect(
      fit(
        tied,
        new Map([
          [0, 0.5],
          [1, 0.5],
        ]),
      ),
    ).toBeGreaterThan(ALPHA);
    const answers = draws(20_000, () => m.randomizeResponse(2, { noise: 0.5, buckets: 4, source: s }).value);
    expect(
      fit(
        answers,
        new Map([
          [0, 0.125],
          [1, 0.125],
          [2, 0.625],
          [3, 0.125],
        ]),
      ),
    ).toBeGreaterThan(ALPHA);
    const threshold = m.aboveThreshold(100, { epsilon: 1, sensitivity: 1, source: s });
    expect(threshold.ask(-1e6)).toBe(false);
    expect(threshold.ask(1e6)).toBe(true);
    expect(() => threshold.ask(0)).toThrow(/answered above/);
  });

  test("neighbouring counts: no output is more likely by more than exp(epsilon)", () => {
    const s = source("ratio");
    const release = (value: number) => {
      const mechanism = m.geometricMechanism({ noise: 1, sensitivity: 1, source: s });
      const counts = new Map<number, number>();
      for (let i = 0; i < 50_000; i++) {
        const y = mechanism.release([value])[0]!;
        counts.set(y, (counts.get(y) ?? 0) + 1);
      }
      return counts;
    };
    const [a, b] = [release(0), release(1)];
    for (const [y, n] of a) {
      if (n < 500) continue;
      const slack = 4.9 * Math.sqrt(1 / n + 1 / (b.get(y) ?? 1));
      expect(Math.log(n / (b.get(y) ?? 1))).toBeLessThan(1 + slack);
    }
  });

  test("a pool gives what was drawn, then draws on the spot", () => {
    let next = 0;
    const pool = m.noisePool(() => next++, 3);
    pool.refill();
    expect(pool.ready).toBe(3);
    expect([pool.take(), pool.take(), pool.take(), pool.take()]).toEqual([2, 1, 0, 3]);
  });

  test.each([
    () => m.gaussianMechanism({ noise: -1, sensitivity: 1 }),
    () => m.laplaceMechanism({ noise: 1, sensitivity: 0 }),
    () => m.geometricMechanism({ noise: 1, sensitivity: 1.5 }),
    () => m.permuteAndFlip([], { epsilon: 1, sensitivity: 1 }),
    () => m.exponentialMechanism([1], { epsilon: 0, sensitivity: 1 }),
    () => m.randomizeResponse(5, { noise: 0.5, buckets: 4 }),
    () => m.gaussianMechanism({ noise: 1, sensitivity: 1, dimension: 2 }).release([1]),
  ])("refuses bad input %#", (act) => {
    expect(act).toThrow(expect.objectContaining({ code: "OPTION_RANGE" }));
  });
});
