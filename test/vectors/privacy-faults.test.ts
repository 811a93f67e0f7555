/** Faults that are known of other libraries (docs/privacy-faults.md): that ours does not have them. */
import { expect, test, vi } from "vitest";
import * as dp from "../../src/privacy/index.ts";
import { openLedger, type LedgerDisk } from "../../src/privacy/ledger.ts";
import { sgd } from "./privacy-rows.ts";

const add = "add-or-remove" as const;

test("counts are not ignored: exponential mechanism (Rényi), randomized response (loss distribution)", () => {
  const at = (count: number) => dp.account(dp.repeated(dp.exponentialMechanism(1), count), add, 1e-5).epsilon;
  expect(at(100).rdp! / at(1).rdp!).toBeGreaterThan(30);
  // The published value is for 100 explicit events; ours is the exact divergence, a little below.
  expect(at(100).rdp!).toBeLessThan(34.91191);
  expect(at(100).rdp!).toBeGreaterThan(34);
  const answers = (count: number) =>
    dp.account(dp.repeated(dp.randomizedResponse(0.5, 2), count), "replace-one", 1e-5).epsilon;
  expect(answers(1).pld!).toBeCloseTo(1.0986, 4);
  expect(answers(100).pld!).toBeCloseTo(90.7815, 3);
  expect(answers(100).rdp!).toBeCloseTo(93.444, 3);
  // The cost of order 1 that dp_accounting states for one exponential mechanism.
  expect(dp.rdpOf(dp.exponentialMechanism(1), add, [1 + 1e-6]).values[0]!).toBeCloseTo(0.123301561, 5);
});

test("low fractional orders are not dropped, and an order next to 1 does not prove epsilon 0", () => {
  const low = [1.01, 1.1, 1.3, 1.5, 1.7, 1.9];
  const { values } = dp.rdpOf(sgd(0.1, 1, 1), add, low);
  expect([...values].every((v) => v > 0 && Number.isFinite(v))).toBe(true);
  expect([...values]).toEqual([...values].toSorted((a, b) => a - b));
  const curve = dp.rdpOf(sgd(0.01, 1, 1000), add, [1 + 1e-9, 1.0001, 1.005]);
  expect(dp.epsilonFromRdp(curve, 1e-5).epsilon).toBe(Infinity);
});

test("the central limit value is never a guarantee", () => {
  const { gdpEstimate, pld } = dp.account(sgd(0.01, 0.8, 1000), add, 1e-6).epsilon;
  expect(gdpEstimate!).toBeLessThan(2.83);
  expect(pld!).toBeGreaterThan(3.7);
  expect(dp.guaranteedEpsilon(sgd(0.01, 0.8, 1000), add, 1e-6)).toBe(pld);
});

test("shuffled or fixed batches are not accounted as Poisson batches", () => {
  // One shuffled epoch proves more than the tutorial claims for fifteen.
  expect(dp.shuffleLowerBound(1.3, 234, 1e-5)).toBeGreaterThan(1.19);
  const q = 256 / 60000;
  const fixed = dp.repeated(dp.fixedSizeSampled(256, 60000, dp.gaussian(1.1)), 14062);
  expect(dp.epsilonFromRdp(dp.rdpOf(fixed, "zero-out"), 1e-5).epsilon).toBeCloseTo(5.243254, 5);
  expect(dp.pldOf(fixed, "zero-out").epsilon(1e-5)).toBeGreaterThan(dp.pldOf(sgd(q, 1.1, 14062), add).epsilon(1e-5));
  expect(dp.unsupportedByPld(fixed, add)?.reason).toMatch(/public number of records/);
});

test("calibration does not overshoot: 40 targets, none exceeded", () => {
  const epsilonAt = (s: number): number => dp.epsilonFromRdp(dp.rdpOf(sgd(0.04, s, 2250), add), 1e-5).epsilon;
  for (let target = 0.3; target < 30; target *= 1.6) {
    const found = dp.calibrate({ epsilonAt, target, low: 0.3, high: 100, tolerance: 1e-3 });
    expect(found.epsilon).toBeLessThanOrEqual(target);
    expect(found.epsilon).toBeGreaterThan(target * 0.99);
  }
});

test("extreme settings give no NaN, no error and no epsilon that ignores the noise", () => {
  for (const [rate, sigma, steps] of [
    [1e-6, 0.3, 10],
    [1e-4, 30, 100_000],
    [0.5, 200, 10],
    [0.9, 0.2, 3],
    [1, 1e4, 1],
  ] as const) {
    const { rdp, pld } = dp.account(sgd(rate, sigma, steps), add, 1e-6).epsilon;
    expect(Number.isFinite(rdp!) && Number.isFinite(pld!)).toBe(true);
    expect(pld!).toBeLessThanOrEqual(rdp! + 1e-4);
    const noisier = dp.pldOf(sgd(rate, sigma * 1.5, steps), add).epsilon(1e-6);
    if (pld! > 1e-3) expect(noisier).toBeLessThan(pld!);
  }
});

test("a target of epsilon 0.01 takes memory for a million points at most", () => {
  const before = process.memoryUsage().arrayBuffers;
  const pld = dp.pldOf(sgd(0.01, 60, 20_000), add);
  expect(pld.epsilon(1e-6)).toBeLessThan(0.2);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(400e6);
  // Where the distribution is wide, the grid is widened and the bound stays above.
  const wide = dp.pldOf(dp.repeated(dp.gaussian(0.02), 20), add);
  expect(wide.step).toBeGreaterThan(1e-4);
  expect(wide.epsilon(1e-6)).toBeGreaterThanOrEqual(dp.gaussianEpsilon(0.02 / Math.sqrt(20), 1e-6));
});

test("a person with ten records has a finite guarantee", () => {
  const ten = dp.repeated(dp.sampledUnit(0.0064, 10, 1), 782);
  expect(dp.pldOf(ten, add, { step: 1e-3 }).epsilon(1e-6)).toBeLessThan(16);
});

/** A ledger in memory. */
function memory(): LedgerDisk {
  let [log, head] = ["", null as string | null];
  return {
    readLog: () => log,
    readHead: () => head,
    appendLog: (text) => void (log += text),
    syncLog: () => {},
    replaceHead: (text) => void (head = text),
    cutLog: (length) => void (log = log.slice(0, length)),
    close: () => {},
  };
}

test("a budget is checked and spent in one step, before the work; without a budget there is no ledger", async () => {
  expect(() => openLedger(memory())).toThrow(/no budget was given/);
  const ledger = openLedger(memory(), { epsilon: 1, delta: 1e-5, adjacency: add, dataset: "d" });
  const work = vi.fn(() => 1);
  await expect(ledger.run(dp.gaussian(0.5), "too much", work)).rejects.toThrow(/budget does not allow/);
  expect(work).not.toHaveBeenCalled();
  // Many at once: those that fit are spent before any of them runs, and none slips past the check.
  const costs = Array.from({ length: 50 }, () => dp.gaussian(12));
  const done = await Promise.allSettled(costs.map((e, i) => ledger.run(e, `w${i}`, async () => i)));
  const ran = done.filter((d) => d.status === "fulfilled").length;
  expect(ran).toBeGreaterThan(0);
  expect(ran).toBeLessThan(50);
  expect(ledger.epsilon).toBeLessThanOrEqual(1);
  expect(dp.guaranteedEpsilon(dp.repeated(dp.gaussian(12), ran), add, 1e-5)).toBeLessThanOrEqual(1);
});

test("noise is from the system's generator unless a seed is asked for", () => {
  expect(dp.mechanisms.gaussianMechanism({ noise: 1, sensitivity: 1 }).noise).toBe("system");
  const vote = { classes: 2, threshold: 1, thresholdSigma: 1, sigma: 1 };
  expect(dp.mechanisms.confidentVote(vote).noise).toBe("system");
});
