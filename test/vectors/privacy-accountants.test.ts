import { describe, expect, test } from "vitest";
import * as dp from "../../src/privacy/index.ts";
import { normalQuantile } from "../../src/stats/special.ts";
import { series } from "../support/gaussian-series.ts";
import { PLD_TOLERANCE, RDP_TOLERANCE, rows, sgd, upperEnds, within, type Row } from "./privacy-rows.ts";

const relationOf = (row: Row): dp.Adjacency => row.adjacency ?? "add-or-remove";

describe("reference tables, Rényi: 1e-6", () => {
  test.each(rows.filter((r) => r.rdp !== undefined).map((r) => [r.name, r] as const))("%s", (_, row) => {
    const curve = dp.rdpOf(row.event(), relationOf(row), row.orders ?? dp.defaultOrders);
    const { epsilon, order } = dp.epsilonFromRdp(curve, row.delta);
    // Row 12 has ten significant digits in front of the point.
    expect(Math.abs(epsilon - row.rdp!)).toBeLessThanOrEqual(
      Math.max(within(row.rdp!, RDP_TOLERANCE), 1e-11 * row.rdp!),
    );
    if (row.order !== undefined) expect(order).toBe(row.order);
  });

  // dp_accounting takes absolute binomials at fractional orders, an upper bound; we take signed ones, which is exact
  // (privacy-precision.test.ts). The same sum with absolute ones gives the published number, and ours is not above it.
  test.each(rows.filter((r) => r.absolute !== undefined || r.old !== undefined).map((r) => [r.name, r] as const))(
    "%s, in the convention of absolute binomials; the conversion of 2017",
    (_, row) => {
      const [rate, sigma, steps] = row.scheme!;
      const { orders, values } = dp.rdpOf(row.event(), relationOf(row));
      const published: dp.RdpCurve = {
        orders,
        values: values.map((v, i) =>
          Number.isInteger(orders[i]) ? v : steps * (series(rate, sigma, orders[i]!, true) || Infinity),
        ),
      };
      const { epsilon } = dp.epsilonFromRdp(published, row.delta);
      if (row.absolute !== undefined)
        expect(Math.abs(epsilon - row.absolute)).toBeLessThanOrEqual(within(row.absolute, RDP_TOLERANCE));
      expect(dp.epsilonFromRdp({ orders, values }, row.delta).epsilon).toBeLessThanOrEqual(epsilon * (1 + 1e-12));
      if (row.old !== undefined)
        expect(Math.abs(dp.oldEpsilonFromRdp(published, row.delta).epsilon - row.old)).toBeLessThanOrEqual(
          within(row.old, RDP_TOLERANCE),
        );
    },
  );
});

describe("reference tables, loss distributions: 1e-5", () => {
  test.each(rows.filter((r) => r.pld !== undefined).map((r) => [r.name, r] as const))("%s", (_, row) => {
    const epsilon = dp.pldOf(row.event(), relationOf(row), row.options).epsilon(row.delta);
    expect(Math.abs(epsilon - row.pld!)).toBeLessThanOrEqual(within(row.pld!, PLD_TOLERANCE));
    // Another discretization: its estimate is below ours by what our grid costs, and by no more.
    if (row.prv !== undefined) {
      expect(epsilon).toBeGreaterThan(row.prv - 1e-6);
      expect(epsilon).toBeLessThan(row.prv + 1e-4);
    }
    if (row.gdp !== undefined) {
      const estimate = dp.gdpEstimate(row.event(), relationOf(row), row.delta)!;
      expect(Math.abs(estimate - row.gdp)).toBeLessThanOrEqual(within(row.gdp, RDP_TOLERANCE));
      expect(estimate).toBeLessThan(epsilon); // never a guarantee
    }
  });

  test.each(rows.filter((r) => r.add !== undefined).map((r) => [r.name, r] as const))(
    "%s, each direction",
    (_, row) => {
      for (const direction of ["remove", "add"] as const) {
        const { epsilon } = dp.pldOf(row.event(), relationOf(row), { direction });
        expect(Math.abs(epsilon(row.delta) - row[direction]!)).toBeLessThanOrEqual(PLD_TOLERANCE);
      }
    },
  );
});

test("row 20: inside the interval of another discretization of half width 0.1", () => {
  const epsilon = dp.pldOf(sgd(0.005, 0.8, 1000), "add-or-remove").epsilon(1e-6);
  expect(epsilon).toBeGreaterThan(1.904144);
  expect(epsilon).toBeLessThan(2.104518);
  expect(Math.abs(epsilon - 2.004331)).toBeLessThan(0.2);
});

test("delta and power: three sampled steps, a Gaussian of mu 1, two pure mechanisms", () => {
  const sampled = dp.pldOf(sgd(0.2, 0.5, 3), "add-or-remove");
  expect(Math.abs(sampled.delta(1) - 0.15594)).toBeLessThan(1e-5);
  const normal = dp.pldOf(dp.repeated(dp.gaussian(Math.sqrt(3)), 3), "add-or-remove");
  expect(Math.abs(normal.delta(1) - 0.126936)).toBeLessThan(1e-5);
  expect(Math.abs(normal.truePositives(0.1) - 0.38914)).toBeLessThan(1e-5);
  const two = dp.pldOf(dp.composed([dp.pure(1), dp.pure(2)]), "add-or-remove");
  expect(two.epsilon(1e-15)).toBeCloseTo(3, 9);
  expect(Math.abs(two.truePositives(0.1) - 0.8286)).toBeLessThan(5.1e-5);
  // The mu of the Gaussian trade-off that lies above: from the worst of many sizes, and the corner of the pure mechanisms' own.
  const sizes = [1 / (1 + Math.exp(2)), ...Array.from({ length: 120 }, (_, i) => 0.005 * 1.039 ** i)];
  const mu = (pld: dp.Pld): number =>
    Math.max(...sizes.map((size) => normalQuantile(pld.truePositives(size)) - normalQuantile(size)));
  expect(Math.abs(mu(normal) - 1)).toBeLessThan(1e-3);
  expect(Math.abs(mu(two) - 2.358)).toBeLessThan(1e-3);
  // What (epsilon, delta) alone allows is never less.
  for (const size of [1e-3, 0.01, 0.3])
    for (const e of [0, 0.5, 1, 3])
      expect(normal.truePositives(size)).toBeLessThanOrEqual(Math.exp(e) * size + normal.delta(e) + 1e-12);
  expect(normal.truePositives(0)).toBeLessThan(1e-10);
});

test("people with several records: from the account of one record by the group lemma, and tighter by mixtures", () => {
  const curve = dp.rdpOf(sgd(0.0064, 1, 782), "add-or-remove");
  const one = (delta: number): number => dp.epsilonFromRdp(curve, delta).epsilon;
  expect(Math.abs(dp.groupEpsilon(one, 3, 1e-6) - 6.425)).toBeLessThanOrEqual(5.1e-4);
  expect(dp.groupEpsilon(one, 10, 1e-6)).toBe(Infinity);
  expect(dp.groupEpsilon(one, 1, 1e-6)).toBe(one(1e-6));
  const direct = dp.pldOf(dp.repeated(dp.sampledUnit(0.0064, 3, 1), 782), "add-or-remove").epsilon(1e-6);
  expect(direct).toBeLessThan(6.425);
  expect(direct).toBeGreaterThan(3 * 1.198651);
  expect(() => dp.groupEpsilon(one, 0, 1e-6)).toThrow(/whole number of members/);
  expect(() => dp.sampledUnit(0.1, 0, 1)).toThrow(/from 1 to 1000 records/);
});

describe("calibration of other libraries, at rate 0.04 and delta 1e-5, target 8", () => {
  // Opacus's tests: found on a grid of halvings with a slack of 0.01 in epsilon, from above.
  test.each([
    ["rdp", 2250, 1.416],
    ["pld", 2250, 1.34765625],
    ["rdp", 2000, 1.3562],
    ["pld", 2000, 1.2915],
  ] as const)("%s, %i steps: noise %f", (accountant, steps, sigma) => {
    const epsilonAt = (s: number): number =>
      accountant === "rdp"
        ? dp.epsilonFromRdp(dp.rdpOf(sgd(0.04, s, steps), "add-or-remove"), 1e-5).epsilon
        : dp.pldOf(sgd(0.04, s, steps), "add-or-remove", { step: 1e-3 }).epsilon(1e-5);
    expect(epsilonAt(sigma)).toBeLessThanOrEqual(8);
    expect(epsilonAt(sigma)).toBeGreaterThan(8 - 0.02);
    const found = dp.calibrate({ epsilonAt, target: 8, low: 1, high: 2, tolerance: 1e-4 });
    expect(found.epsilon).toBeLessThanOrEqual(8);
    expect(found.value).toBeLessThan(sigma + 5e-5); // four printed digits
    expect(found.value).toBeGreaterThan(sigma * 0.997);
  });

  test("central limit: 6.59 to 6.60 for 2249 steps at noise 1.5 (Opacus); at 1.3232421875 it is 8", () => {
    const estimate = (sigma: number, steps: number): number =>
      dp.gdpEstimate(sgd(0.04, sigma, steps), "add-or-remove", 1e-5)!;
    expect(estimate(1.5, 2249)).toBeGreaterThan(6.59);
    expect(estimate(1.5, 2249)).toBeLessThan(6.6);
    expect(Math.abs(estimate(1.3232421875, 2250) - 8)).toBeLessThan(0.01);
  });
});

describe("another discretization: below its upper end by its half width", () => {
  test.each(upperEnds)("sigma %f, rate %f, %i steps: %f", (sigma, rate, steps, upper) => {
    const below = upper - dp.pldOf(sgd(rate, sigma, steps), "add-or-remove").epsilon(1e-6);
    expect(below).toBeGreaterThan(0.0096);
    expect(below).toBeLessThan(0.0112);
  });
});

test("truncated batches: a cap of 350 for a mean of 256 costs 6e-6; below the published bounds for tight caps", () => {
  const cap = (n: number): number => {
    const event = dp.truncatedPoissonSampled(256 / 60000, n, 60000, dp.gaussian(1.1));
    return dp.pldOf(dp.repeated(event, 14062), "add-or-remove").epsilon(1e-5);
  };
  expect(Math.abs(cap(400) - 2.381686)).toBeLessThan(PLD_TOLERANCE);
  expect(Math.abs(cap(350) - 2.381692)).toBeLessThan(PLD_TOLERANCE);
  // dp_accounting's bounds are 2.408663, 3.458578, 12.63126: the argument at truncatedPair is tighter there.
  for (const [n, published] of [
    [320, 2.408663],
    [300, 3.458578],
    [256, 12.63126],
  ] as const) {
    expect(cap(n)).toBeLessThan(published);
    expect(cap(n)).toBeGreaterThan(published * 0.8);
  }
});

test("faults of other libraries: counts are not ignored", () => {
  const hundred = (event: dp.DpEvent): number => dp.account(dp.repeated(event, 100), "replace-one", 1e-5).epsilon.rdp!;
  // Exact worst case of bounded range: below the 34.911910 that dp_accounting gives for 100 explicit events.
  const exponential = dp.epsilonFromRdp(
    dp.rdpOf(dp.repeated(dp.exponentialMechanism(1), 100), "zero-out"),
    1e-5,
  ).epsilon;
  expect(exponential).toBeLessThan(34.91191);
  expect(exponential).toBeGreaterThan(34);
  expect(hundred(dp.randomizedResponse(0.5, 2))).toBeCloseTo(93.444, 3);
});

describe("Gaussian noise, exact: 1e-8", () => {
  test.each([
    [1, 1e-5, 4.3771781],
    [2, 1e-5, 1.9930914],
    [0.5, 1e-5, 9.99725615],
    [0.5, 1e-6, 10.99715121],
    [1, 1e-6, 4.88655412],
    [2, 1e-6, 2.25408465],
    [4, 1e-5, 0.9263415],
    [4, 1e-6, 1.06070186],
  ])("sigma %f, delta %f: epsilon %f", (sigma, delta, epsilon) => {
    const digits = String(epsilon).split(".")[1]!.length;
    expect(Math.abs(dp.gaussianEpsilon(sigma, delta) - epsilon)).toBeLessThanOrEqual(0.51 * 10 ** -digits + 1e-8);
  });

  test.each([
    [0.1, 1e-5, 30.74956613],
    [0.5, 1e-5, 7.03182668],
    [1, 1e-5, 3.73063163],
    [2, 1e-5, 1.99381245],
    [3, 1e-5, 1.39059346],
    [8, 1e-5, 0.60022907],
    [1, 1e-6, 4.22467889],
    [2, 1e-6, 2.23047627],
    [3, 1e-6, 1.54386142],
    [8, 1e-6, 0.65293538],
  ])("epsilon %f, delta %f: sigma %f", (epsilon, delta, sigma) => {
    expect(Math.abs(dp.gaussianSigma(epsilon, delta) - sigma)).toBeLessThan(1.1e-8);
    expect(dp.gaussianDelta(dp.gaussianSigma(epsilon, delta), epsilon)).toBeLessThanOrEqual(delta);
  });
});
