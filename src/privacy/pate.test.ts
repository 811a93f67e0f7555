import { describe, expect, test } from "vitest";
import { seeded } from "../random/index.ts";
import * as dp from "./index.ts";
import * as pate from "./pate.ts";
import * as smooth from "./pate-smooth.ts";

const near = (got: number, expected: number, relative = 1e-5): void =>
  expect(Math.abs(got - expected)).toBeLessThanOrEqual(relative * Math.abs(expected));

describe("cost of noisy votes: worked values of the paper's own code", () => {
  const orders = [2, 5, 10, 20, 32];
  test.each([
    [[230, 10, 5, 3, 2, 0, 0, 0, 0, 0], -8.244882354, [8.10822e-5, 9.15658e-5, 1.17941e-4, 2.3998e-4, 7.62832e-4]],
    [[250, 0, 0, 0, 0, 0, 0, 0, 0, 0], -10.019228, [1.52736e-5, 1.74915e-5, 2.33318e-5, 5.32132e-5, 2.03455e-4]],
  ])("%j, sigma 40", (votes, logQ, costs) => {
    const got = pate.logNotPlurality(votes, 40);
    expect(Math.abs(got - logQ)).toBeLessThan(1e-6);
    orders.forEach((alpha, i) => near(pate.gnmaxRdp(got, 40, alpha), costs[i]!, 3.5e-6)); // six printed digits
  });

  test("where teachers disagree the cost is that of all data; where they agree by thousands it vanishes", () => {
    const split = pate.logNotPlurality([130, 100, 10, 5, 5, 0, 0, 0, 0, 0], 40);
    expect(Math.abs(split - -0.92658)).toBeLessThan(1e-5);
    expect(pate.gnmaxRdp(split, 40, 2)).toBe(0.00125);
    expect(pate.gnmaxRdpAnyData(40, 2)).toBe(0.00125);
    expect(Math.abs(pate.logNotPlurality([4500, 200, 100, 100, 100], 100) - -466.5846)).toBeLessThan(1e-4);
    expect(pate.gnmaxRdp(-Infinity, 40, 2)).toBe(0);
  });

  test("the threshold is paid for every question", () => {
    near(pate.logAnswered(230, 200, 150), -0.546004, 1e-6);
    near(pate.logAnswered(130, 200, 150), -1.138281, 1e-6);
    near(pate.logAnswered(250, 200, 150), -0.461149, 2e-6);
    near(pate.thresholdRdp(pate.logAnswered(230, 200, 150), 150, 2), 4.4444e-5, 1.2e-5);
    near(pate.thresholdRdpAnyData(150, 2), 2 / (2 * 150 ** 2), 1e-12);
    // Where the outcome is sure, little is told.
    expect(pate.thresholdRdp(pate.logAnswered(2000, 200, 150), 150, 2)).toBeLessThan(1e-20);
  });

  test("Laplace noise, the mechanism of 2017", () => {
    const logQ = pate.logNotPluralityLaplace([230, 10, 5, 3, 2, 0, 0, 0, 0, 0], 20);
    near(logQ, -7.971682, 1e-6);
    near(pate.lnmaxRdp(logQ, 2 / 20, 2), 7.25872e-5, 3.5e-6);
    expect(pate.lnmaxRdp(-0.1, 0.1, 2)).toBeCloseTo(0.01, 12);
  });

  test("laws: never above the cost for all data, rising with the order, falling with agreement", () => {
    for (const sigma of [20, 40, 100])
      for (const top of [90, 150, 220, 250]) {
        const logQ = pate.logNotPlurality([top, 250 - top, 0, 0], sigma);
        let before = 0;
        for (const alpha of [1.5, 2, 4, 8, 16, 32, 64]) {
          const cost = pate.gnmaxRdp(logQ, sigma, alpha);
          expect(cost).toBeLessThanOrEqual(pate.gnmaxRdpAnyData(sigma, alpha));
          expect(cost).toBeGreaterThanOrEqual(before);
          before = cost;
        }
      }
  });
});

/** Answers of the paper's own tests, nine digits of printouts that differ among themselves by 2e-8. */
describe("smooth sensitivity", () => {
  const all = (got: Float64Array, expected: readonly number[]): void => {
    expect(got).toHaveLength(expected.length);
    expected.forEach((e, i) => near(got[i]!, e, 3e-8));
  };
  const many = (n: number, x: number): number[] => Array.from({ length: n }, () => x);

  test("of the vote, from agreement and from disagreement", () => {
    all(smooth.gnmaxLocalSensitivity([10, 0, 0], 10, 0.5, 1.5), [
      3.13503646e-17,
      1.6017828e-8,
      5.90681786e-3,
      ...many(7, 5.99981308),
    ]);
    const far = smooth.gnmaxLocalSensitivity([1000, 500, 300, 200, 0], 2000, 250, 10);
    expect([...far.subarray(0, 298)].every((x) => x === 0)).toBe(true);
    all(far.subarray(298), [2.77693450548e-7, 2.10853979548e-6, ...many(1700, 2.73113623988e-6)]);
  });

  test("of the threshold", () => {
    const rising = [0.000148454129, 0.014782687, 0.0394153241, 0.0645775697, 0.0901543247, 0.116054002, 0.142180452];
    // The paper's code stops one vote early: at distance 20 no vote is left for the largest count, which it does not see.
    const first20 = (x: Float64Array): Float64Array => x.subarray(0, 20);
    all(first20(smooth.thresholdLocalSensitivity(20, 30, 16, 2, 10)), [
      ...many(3, 0),
      ...rising,
      0.142180452,
      ...rising,
      0.168302106,
      0.19312786,
    ]);
    all(first20(smooth.thresholdLocalSensitivity(20, 30, 2, 2, 10)), [
      0.160212079,
      0.207021132,
      0.207021132,
      0.19312786,
      0.168302106,
      ...rising.toReversed(),
      ...many(8, 0),
    ]);
  });

  test("conditions of the paper's proofs, and the cost of the release", () => {
    expect(smooth.smoothConditions(20, 10, 25)).toEqual({ c5: true, c6: false });
    expect(smooth.smoothConditions(30, 10, 25)).toEqual({ c5: true, c6: true });
    expect(smooth.smoothSensitivity(0.1, [1, 2, 3])).toBeCloseTo(3 * Math.exp(-0.2), 12);
    expect(smooth.smoothSensitivity(2, [1, 2, 3])).toBe(1);
    near(smooth.smoothReleaseRdp(0, 10, 4), 0.04, 1e-12);
    expect(smooth.smoothReleaseRdp(0.02, 10, 20)).toBeGreaterThan(smooth.smoothReleaseRdp(0.01, 10, 20));
  });
});

describe("accounts of many questions", () => {
  const noise: dp.PateNoise = { threshold: 200, thresholdSigma: 150, sigma: 40 };

  test("whatever the data: 640 answers of 250 teachers are a Gaussian of mu 0.894, and the threshold on top", () => {
    // Reference: k answers at sigma 40 are one Gaussian of noise 28.28 / sqrt(k).
    const answers = dp.pateEvent({ ...noise, thresholdSigma: 1e12 }, 640, 640);
    const { pld } = dp.account(answers, "add-or-remove", 1e-5).epsilon;
    expect(Math.abs(pld! - dp.gaussianEpsilon(40 / Math.SQRT2 / Math.sqrt(640), 1e-5))).toBeLessThan(1e-5);
    const both = dp.pateEvent(noise, 1000, 640);
    expect(dp.account(both, "add-or-remove", 1e-5).analytic!).toBeGreaterThan(
      dp.account(answers, "add-or-remove", 1e-5).analytic!,
    );
    const rdp = dp.rdpOf(both, "add-or-remove", [2, 8]).values;
    [2, 8].forEach((a, i) =>
      near(rdp[i]!, 1000 * dp.thresholdRdpAnyData(150, a) + 640 * dp.gnmaxRdpAnyData(40, a), 1e-12),
    );
    // A question that got no answer still costs.
    expect(dp.guaranteedEpsilon(dp.pateEvent(noise, 10, 0), "add-or-remove", 1e-5)).toBeGreaterThan(0);
  });

  test("on votes that agree the cost is far below that of all data, and never above it", () => {
    const agree = Array.from({ length: 300 }, () => ({ votes: [245, 3, 2, 0, 0, 0, 0, 0, 0, 0], answered: true }));
    const split = agree.map(() => ({ votes: [100, 90, 60, 0, 0, 0, 0, 0, 0, 0], answered: true }));
    const epsilon = (q: readonly dp.PateQuestion[]): number =>
      dp.epsilonFromRdp(dp.pateDataCurve(q, noise), 1e-5).epsilon;
    const bound = dp.epsilonFromRdp(dp.rdpOf(dp.pateEvent(noise, 300, 300), "add-or-remove"), 1e-5).epsilon;
    expect(epsilon(agree)).toBeLessThan(bound / 2);
    expect(epsilon(split)).toBeLessThanOrEqual(bound * (1 + 1e-12));
    expect(epsilon(split)).toBeGreaterThan(bound * 0.99);
  });

  test("what is released is near the private cost on average, costs what it says, and falls back where proofs do not hold", () => {
    const questions = Array.from({ length: 60 }, (_, i) => ({
      votes: [240 - (i % 30), 8, 2 + (i % 30), 0],
      answered: true,
    }));
    const source = dp.mechanisms.seededSource(seeded(3));
    const settings = { threshold: 150, thresholdSigma: 100, sigma: 60 };
    const release = { teachers: 250, delta: 1e-5, order: 20, source };
    const released = Array.from({ length: 20 }, () => dp.releasePateCost(questions, settings, release));
    expect(released[0]!.conditions).toEqual({ c5: true, c6: true });
    const mean = released.reduce((sum, r) => sum + r.epsilon, 0) / 20;
    const exact = dp.pateDataCurve(questions, settings, 0, [20]).values[0]!;
    const overhead = Math.log1p(-1 / 20) - Math.log(1e-5 * 20) / 19;
    const cost = dp.smoothReleaseRdp(0.02, released[0]!.noise, 20);
    const spread = Math.sqrt(released.reduce((sum, r) => sum + (r.epsilon - mean) ** 2, 0) / 19);
    expect(Math.abs(mean - (exact + overhead + cost))).toBeLessThan((4.9 * spread) / Math.sqrt(20));
    expect(spread).toBeLessThan(0.5);
    expect(new Set(released.map((r) => r.epsilon)).size).toBeGreaterThan(10);
    // sigma 20 and order 25 violate C6: nothing that depends on votes is shown.
    const fallen = dp.releasePateCost(questions, { ...settings, sigma: 20 }, { ...release, order: 25 });
    expect(fallen.conditions.c6).toBe(false);
    expect(fallen.epsilon).toBe(fallen.epsilonAnyData);
    expect(() => dp.releasePateCost(questions, settings, { ...release, beta: 0.03 })).toThrow(/beta from 0/);
  });
});
