import * as dp from "../../src/privacy/index.ts";

/** One published number, or several of the same run. Where they come from is in docs/privacy-vectors.md. */
export interface Row {
  readonly name: string;
  readonly event: () => dp.DpEvent;
  readonly delta: number;
  readonly adjacency?: dp.Adjacency;
  readonly orders?: readonly number[];
  readonly options?: dp.PldOptions;
  /** Epsilon by Rényi accounting with signed binomials, which is exact. */
  readonly rdp?: number;
  /** The same with absolute binomials at fractional orders, an upper bound, where it was published and differs. */
  readonly absolute?: number;
  /** Of the sampled Gaussian: rate, noise, steps. */
  readonly scheme?: readonly [number, number, number];
  readonly order?: number;
  readonly old?: number;
  readonly pld?: number;
  /** Epsilon of the loss distribution for removing a record alone, and for adding one. */
  readonly remove?: number;
  readonly add?: number;
  /** Estimate of Gopi, Lee and Wutschitz 2021: another discretization, no bound. */
  readonly prv?: number;
  /** Central limit estimate. */
  readonly gdp?: number;
}

export const RDP_TOLERANCE = 1e-6;
export const PLD_TOLERANCE = 1e-5;

export const sgd = (rate: number, sigma: number, steps: number): dp.DpEvent =>
  dp.repeated(dp.poissonSampled(rate, dp.gaussian(sigma)), steps);

const q = 256 / 60000;
const run = (
  name: string,
  [rate, sigma, steps, delta]: readonly [number, number, number, number],
  values: Omit<Row, "name" | "event" | "delta">,
): Row => ({ name, scheme: [rate, sigma, steps], event: () => sgd(rate, sigma, steps), delta, ...values });
const times = (name: string, event: () => dp.DpEvent, count: number, delta: number, values: Partial<Row>): Row => ({
  name: `${name} x ${count}`,
  event: () => dp.repeated(event(), count),
  delta,
  ...values,
});
const replaced = { adjacency: "replace-one" } as const;

export const rows: readonly Row[] = [
  run("1", [q, 1.3, 3515, 1e-5], {
    rdp: 0.95443,
    order: 17,
    pld: 0.864459,
    old: 1.1921,
    prv: 0.864416,
    gdp: 0.834382,
    remove: 0.864459,
    add: 0.801373,
  }),
  run("2", [q, 1.1, 14062, 1e-5], {
    rdp: 2.596556,
    order: 8.1,
    pld: 2.381686,
    old: 3.0083,
    prv: 2.3816,
    gdp: 2.324269,
    remove: 2.381686,
    add: 2.243657,
  }),
  run("3", [q, 0.7, 10546, 1e-5], {
    absolute: 6.319464,
    rdp: 6.318101,
    order: 3.8,
    pld: 5.639447,
    old: 7.1013,
    prv: 5.639414,
    gdp: 5.06591,
    remove: 5.639447,
    add: 4.294212,
  }),
  run("4", [q, 1.1, 234, 1e-5], { rdp: 0.740234, order: 13, pld: 0.306481, old: 1.034 }),
  run("5", [q, 1.1, 468, 1e-5], { rdp: 0.806604, order: 12, pld: 0.41689, old: 1.1086 }),
  run("6", [q, 1.1, 14063, 1e-5], { rdp: 2.596656, pld: 2.381779 }),
  run("7", [1 / 250, 0.7, 11250, 1e-5], {
    absolute: 6.093729,
    rdp: 6.092535,
    order: 3.8,
    pld: 5.431223,
    old: 6.8596,
    prv: 5.431188,
    gdp: 4.878926,
  }),
  run("8", [1 / 250, 1.1, 15000, 1e-5], { rdp: 2.502871, order: 8.4, pld: 2.295468, old: 2.905, gdp: 2.241664 }),
  run("9", [1 / 250, 1.3, 3750, 1e-5], { rdp: 0.922049, order: 17, pld: 0.833589, old: 1.1597, gdp: 0.805492 }),
  run("10", [150 / 60000, 1.3, 6000, 1e-5], { rdp: 0.7242234026, order: 19, pld: 0.640111 }),
  run("11", [100 / 100000, 1, 30000, 1e-7], { rdp: 1.4154988495, order: 13, pld: 1.098198 }),
  run("12, at its order", [1024 / 1e8, 0.1, 976563, 1e-7], { rdp: 5907982.3114, orders: [1.25] }),
  run("13", [0.04, 1.5, 2250, 1e-5], { absolute: 7.329335, rdp: 7.32911117, pld: 6.768787 }),
  run("14", [0.01, 0.8, 1000, 1e-6], {
    absolute: 4.293457,
    rdp: 4.293341,
    order: 4.9,
    pld: 3.70619,
    prv: 3.706187,
    gdp: 2.827564,
    remove: 3.70619,
    add: 2.198914,
  }),
  run("15", [0.2, 0.5, 3, 1e-5], { absolute: 13.113983, rdp: 13.113691, order: 2.2, pld: 11.515399 }),
  run("16", [0.01, 4, 10000, 1e-5], { rdp: 1.03549, order: 17, pld: 0.946999, old: 1.2586 }),
  run("17", [0.0064, 2, 782, 1e-6], { rdp: 0.433359, order: 39, pld: 0.393742 }),
  run("18", [0.0064, 1, 782, 1e-6], { rdp: 1.616394, order: 9.3, pld: 1.198651 }),
  run("19", [0.08192, 3, 2468, 1e-5], { absolute: 7.045766, rdp: 7.045755, order: 4.1, pld: 6.529288 }),
  run("20", [0.005, 0.8, 1000, 1e-6], { pld: 2.004112 }),
  run("2, grid 1e-2", [q, 1.1, 14062, 1e-5], { pld: 3.135433, options: { step: 1e-2 } }),
  run("2, grid 1e-3", [q, 1.1, 14062, 1e-5], { pld: 2.39053, options: { step: 1e-3 } }),
  run("2, grid 1e-5", [q, 1.1, 14062, 1e-5], { pld: 2.381598, options: { step: 1e-5 } }),
  run("2, losses rounded up", [q, 1.1, 14062, 1e-5], { pld: 3.084737, options: { rounding: "up" } }),
  run("2, losses rounded down", [q, 1.1, 14062, 1e-5], { pld: 1.678537, options: { rounding: "down" } }),
  run("one epoch of 234 batches, sigma 0.4", [1 / 234, 0.4, 234, 1e-5], { pld: 9.9653 }),
  run("one epoch of 234 batches, sigma 0.5", [1 / 234, 0.5, 234, 1e-5], { pld: 5.0301 }),
  run("one epoch of 234 batches, sigma 0.7", [1 / 234, 0.7, 234, 1e-5], { pld: 1.5517 }),
  run("one epoch of 234 batches, sigma 1.1", [1 / 234, 1.1, 234, 1e-5], { pld: 0.307 }),
  run("one epoch of 234 batches, sigma 1.3", [1 / 234, 1.3, 234, 1e-5], { pld: 0.2192 }),
  run("one epoch of 10000 batches, sigma 0.5", [1e-4, 0.5, 10000, 1e-6], { pld: 1.954782, options: { step: 1e-3 } }),
  run("one epoch of 10000 batches, sigma 0.4", [1e-4, 0.4, 10000, 1e-6], { pld: 5.3457, options: { step: 1e-3 } }),
  times("one batch of all, sigma 1.1", () => dp.gaussian(1.1), 1, 1e-5, { pld: 3.9213 }),
  times("one batch of all, sigma 1.3", () => dp.gaussian(1.3), 1, 1e-5, { pld: 3.2388 }),
  run("2, one record replaced", [q, 1.1, 14062, 1e-5], { pld: 4.221358, ...replaced }),
  {
    name: "2, without replacement, noise relative to the distance of neighbours (zero-out)",
    event: () => dp.repeated(dp.fixedSizeSampled(256, 60000, dp.gaussian(1.1)), 14062),
    delta: 1e-5,
    adjacency: "zero-out",
    rdp: 5.243254,
    order: 5,
  },
  {
    name: "2, without replacement, the same noise against twice the norm (replace-one)",
    event: () => dp.repeated(dp.fixedSizeSampled(256, 60000, dp.gaussian(2.2)), 14062),
    delta: 1e-5,
    ...replaced,
    rdp: 5.243254,
    order: 5,
  },
  times("2, no amplification", () => dp.gaussian(1.1), 60, 1e-5, { pld: 54.04582 }),
  times("1, no amplification", () => dp.gaussian(1.3), 15, 1e-5, { pld: 16.52619 }),
  times("Gaussian 1", () => dp.gaussian(1), 1, 1e-5, { rdp: 4.728507, order: 5.4, pld: 4.3771781 }),
  times("Gaussian 1", () => dp.gaussian(1), 10, 1e-5, { rdp: 19.053598, order: 2.5, pld: 17.856587 }),
  times("Gaussian 2", () => dp.gaussian(2), 1, 1e-5, { rdp: 2.165716, order: 9.6, pld: 1.9930914 }),
  times("Gaussian 4.530877117", () => dp.gaussian(4.530877117), 1, 1e-6, { rdp: 1 }),
  times("discrete Gaussian 1", () => dp.discreteGaussian(1), 1, 1e-5, { pld: 4.430238 }),
  times("discrete Gaussian 1", () => dp.discreteGaussian(1), 10, 1e-5, { pld: 17.865552 }),
  times("discrete Gaussian 1", () => dp.discreteGaussian(1), 100, 1e-5, { pld: 91.823494 }),
  times("discrete Gaussian 2", () => dp.discreteGaussian(2), 1, 1e-5, { pld: 2.01134 }),
  times("discrete Gaussian 2", () => dp.discreteGaussian(2), 10, 1e-5, { pld: 7.495254 }),
  times("discrete Gaussian 2", () => dp.discreteGaussian(2), 100, 1e-5, { pld: 33.10801 }),
  times("discrete Gaussian 10", () => dp.discreteGaussian(10), 1, 1e-5, { pld: 0.340818 }),
  times("Laplace 1", () => dp.laplace(1), 10, 1e-6, { rdp: 9.998981, pld: 9.998978 }),
  times("Laplace 1", () => dp.laplace(1), 100, 1e-6, { pld: 71.546004 }),
  times("Laplace 10", () => dp.laplace(10), 1000, 1e-6, { rdp: 20.046637, pld: 18.950288 }),
  times("discrete Laplace 1", () => dp.discreteLaplace(1), 1, 1e-6, { pld: 0.999999 }),
  times("discrete Laplace 1", () => dp.discreteLaplace(1), 10, 1e-6, { pld: 9.999977 }),
  times("discrete Laplace 1", () => dp.discreteLaplace(1), 100, 1e-6, { pld: 83.530702 }),
  times("discrete Laplace 0.1", () => dp.discreteLaplace(0.1), 1, 1e-6, { pld: 0.099998 }),
  times("discrete Laplace 0.1", () => dp.discreteLaplace(0.1), 10, 1e-6, { pld: 0.999371 }),
  times("discrete Laplace 0.1", () => dp.discreteLaplace(0.1), 100, 1e-6, { pld: 4.774568 }),
  times("randomized response", () => dp.randomizedResponse(0.5, 2), 100, 1e-5, { rdp: 93.444374, ...replaced }),
  {
    name: "mixtures of Gaussians",
    event: () =>
      dp.composed([
        dp.repeated(dp.mixtureOfGaussians(1, [0, 1, 2], [0.2, 0.6, 0.2]), 3),
        dp.repeated(dp.mixtureOfGaussians(2, [0, 2, 3], [0.33, 0.34, 0.33]), 2),
      ]),
    delta: 1e-6,
    pld: 17.193115,
  },
  times("statement, a person with two records", () => dp.sampledUnit(0.0064, 2, 1), 782, 1e-6, { pld: 2.532 }),
  times("statement, a person with two records, no sampling", () => dp.gaussian(1 / 2), 5, 1e-6, { pld: 30.579 }),
  times("statement, a person with three records, no sampling", () => dp.gaussian(1 / 3), 5, 1e-6, { rdp: 56.224 }),
  times("statement, a person with ten records, no sampling", () => dp.gaussian(1 / 10), 5, 1e-6, { rdp: 366.374 }),
  times("tree aggregation 1.13", () => dp.treeAggregation(1.13, 1600), 1, 1e-6, { rdp: 18.70961 }),
  times("tree aggregation 8.83", () => dp.treeAggregation(8.83, 1600), 1, 1e-6, { rdp: 1.773192 }),
  run("statement, sampled", [64 / 10000, 1, 782, 1e-6], { rdp: 1.616394, pld: 1.198651 }),
  times("statement, no sampling", () => dp.gaussian(1), 5, 1e-6, { rdp: 13.376379, pld: 12.595247 }),
  times("example, no sampling", () => dp.gaussian(0.7), 2, 1e-5, { rdp: 10.8602036, pld: 10.1224946 }),
  times("example, microbatches", () => dp.gaussian(0.35), 2, 1e-5, { rdp: 26.2880374, pld: 24.7160779 }),
  run("example, sampled", [0.01, 0.7, 120, 1e-5], { absolute: 3.2392676, pld: 2.4612381 }),
  run("example, sampled, microbatches", [0.01, 0.35, 120, 1e-5], { absolute: 22.6248601, pld: 18.6977407 }),
  {
    name: "mixed: sampled Gaussian, Gaussian, Laplace",
    event: () => dp.composed([sgd(5e-3, 0.8, 100), dp.repeated(dp.gaussian(8), 200), dp.repeated(dp.laplace(10), 100)]),
    delta: 1e-6,
    pld: 11.149201,
  },
];

/** Half a unit of the last printed digit, or the stated tolerance where more digits were printed. */
export const within = (published: number, tolerance: number): number =>
  Math.max(tolerance, 0.51 * 10 ** -(String(published).split(".")[1]?.length ?? 0));

/**
 * Upper ends of an interval of half width 0.01 (and a thousandth of delta) around the estimate of Gopi, Lee and Wutschitz
 * 2021, as Opacus tests have them at delta 1e-6: sigma, rate, steps, epsilon.
 */
export const upperEnds = [
  [0.8, 0.001, 100, 0.270403],
  [1.5, 0.001, 100, 0.0393694],
  [0.8, 0.05, 100, 6.741052],
  [1.5, 0.05, 100, 1.953853],
  [2, 0.05, 100, 1.283637],
  [3, 0.05, 100, 0.767934],
  [0.8, 0.2, 100, 24.333664],
  [1.5, 0.2, 100, 8.498978],
  [0.8, 0.001, 1000, 0.477771],
  [1.5, 0.05, 1000, 6.209969],
  [0.8, 0.001, 20000, 1.296009],
  [1.5, 0.05, 20000, 38.306618],
  [0.8, 0.001, 50000, 2.034515],
  [3, 0.05, 50000, 24.942006],
] as const;
