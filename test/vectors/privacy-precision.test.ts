import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { exponentialMechanismRdp } from "../../src/privacy/accountants/mechanism-rdp.ts";
import { sampledGaussianRdp } from "../../src/privacy/accountants/gaussian-rdp.ts";
import * as dp from "../../src/privacy/index.ts";

/** Written by privacy.py with mpmath: quadrature of definitions and exact convolutions, none of our formulas. */
const truth = JSON.parse(readFileSync("test/vectors/privacy.json", "utf8")) as {
  rdp: { rate: number; sigma: number; order: number; value: number }[];
  oneStep: { rate: number; sigma: number; delta: number; poisson: number; replaceOne: number }[];
  binary: { epsilon: number; count: number; delta: number; value: number }[];
  discreteGaussian: { sigma: number; count: number; delta: number; value: number }[];
  boundedRange: { epsilon: number; order: number; value: number }[];
};

/** Never below the truth (but for rounding), never above it by more than the grid costs. */
function bounds(got: number, exact: number, above: number): void {
  expect(got).toBeGreaterThanOrEqual(exact * (1 - 1e-9) - 1e-12);
  expect(got).toBeLessThanOrEqual(exact + above);
}

describe("never below an independent high-precision value", () => {
  test.each(truth.rdp)("Rényi, rate $rate, sigma $sigma, order $order", ({ rate, sigma, order, value }) => {
    bounds(sampledGaussianRdp(rate, sigma, order), value, value * 1e-9 + 1e-13);
  });

  test.each(truth.oneStep)("one step, rate $rate, sigma $sigma", ({ rate, sigma, delta, poisson, replaceOne }) => {
    const event = dp.poissonSampled(rate, dp.gaussian(sigma));
    bounds(dp.pldOf(event, "add-or-remove").epsilon(delta), poisson, 1e-5);
    bounds(dp.pldOf(event, "replace-one").epsilon(delta), replaceOne, 1e-5);
    expect(dp.epsilonFromRdp(dp.rdpOf(event, "replace-one"), delta).epsilon).toBeGreaterThan(replaceOne);
    const truncated = dp.truncatedPoissonSampled(rate, 1000, 1000, dp.gaussian(sigma));
    bounds(dp.pldOf(truncated, "add-or-remove").epsilon(delta), poisson, 1e-5);
  });

  test.each(truth.binary)("pure epsilon $epsilon x $count", ({ epsilon, count, delta, value }) => {
    const tolerance = 2e-4;
    bounds(dp.pldOf(dp.repeated(dp.pure(epsilon), count), "zero-out").epsilon(delta), value, tolerance);
    bounds(dp.pldOf(dp.repeated(dp.discreteLaplace(epsilon), count), "zero-out").epsilon(delta), value, tolerance);
    bounds(
      dp.epsilonFromRdp(dp.rdpOf(dp.repeated(dp.pure(epsilon), count), "zero-out"), delta).epsilon,
      value,
      Infinity,
    );
    // Two buckets, noise as that of the pure mechanism: the same distributions.
    const answer = dp.randomizedResponse(2 / (1 + Math.exp(epsilon)), 2);
    bounds(dp.pldOf(dp.repeated(answer, count), "replace-one").epsilon(delta), value, tolerance);
  });

  test.each(truth.discreteGaussian)("discrete Gaussian $sigma x $count", ({ sigma, count, delta, value }) => {
    const event = dp.repeated(dp.discreteGaussian(sigma), count);
    bounds(dp.pldOf(event, "add-or-remove").epsilon(delta), value, 2e-5);
    bounds(dp.epsilonFromRdp(dp.rdpOf(event, "add-or-remove"), delta).epsilon, value, Infinity);
  });

  test.each(truth.boundedRange)("exponential mechanism $epsilon, order $order", ({ epsilon, order, value }) => {
    bounds(exponentialMechanismRdp(epsilon, order), value, 1e-9);
  });
});

/** Written by privacy-mixtures.py. */
const mixed = JSON.parse(readFileSync("test/vectors/privacy-mixtures.json", "utf8")) as {
  truncated: { rate: number; records: number; cap: number; sigma: number; delta: number; least: number }[];
  mixtures: {
    sigma: number;
    shifts: number[];
    weights: number[];
    delta: number;
    epsilon: number;
    rdp: [number, number][];
  }[];
};

describe("truncated batches: never below what a data set proves", () => {
  test.each(mixed.truncated)("rate $rate, cap $cap of $records", ({ rate, records, cap, sigma, delta, least }) => {
    const event = dp.truncatedPoissonSampled(rate, cap, records, dp.gaussian(sigma));
    const { pld, rdp } = dp.account(event, "add-or-remove", delta).epsilon;
    expect(pld!).toBeGreaterThanOrEqual(least * (1 - 1e-9));
    expect(rdp!).toBeGreaterThanOrEqual(least);
    // Not tight: the bound shows the adversary whether the others fill the batch. Two contributions without sampling are worse.
    expect(pld!).toBeLessThan(dp.gaussianEpsilon(sigma / 2, delta));
  });
});

describe("mixtures of Gaussians", () => {
  test.each(mixed.mixtures)("$shifts, sigma $sigma", ({ sigma, shifts, weights, delta, epsilon, rdp }) => {
    const event = dp.mixtureOfGaussians(sigma, shifts, weights);
    bounds(dp.pldOf(event, "add-or-remove").epsilon(delta), epsilon, 1e-5);
    const orders = rdp.map(([order]) => order);
    dp.rdpOf(event, "add-or-remove", orders).values.forEach((v, i) => bounds(v, rdp[i]![1], 1e-9 * rdp[i]![1]));
    // One record drawn or not is the Poisson-sampled Gaussian.
    const one = dp.sampledUnit(0.05, 1, sigma);
    const sampled = dp.pldOf(dp.poissonSampled(0.05, dp.gaussian(sigma)), "add-or-remove").epsilon(delta);
    expect(dp.pldOf(one, "add-or-remove").epsilon(delta)).toBeCloseTo(sampled, 9);
  });
});
