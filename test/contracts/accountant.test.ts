import { describe, expect, test } from "vitest";
import * as dp from "../../src/privacy/index.ts";

/** One event of every kind, with a knob that makes it more private as it grows, and an adjacency it is defined under. */
interface Case {
  readonly adjacency: dp.Adjacency;
  readonly make: (privacy: number) => dp.DpEvent;
  readonly accountants: readonly ("rdp" | "pld")[];
}
const both = ["rdp", "pld"] as const;
const add = "add-or-remove" as const;
const cases: Readonly<Record<Exclude<dp.EventKind, "composed" | "repeated" | "non-private" | "unsupported">, Case>> = {
  gaussian: { adjacency: add, make: (p) => dp.gaussian(2 * p), accountants: both },
  laplace: { adjacency: add, make: (p) => dp.laplace(3 * p), accountants: both },
  "discrete-gaussian": { adjacency: add, make: (p) => dp.discreteGaussian(3 * p), accountants: both },
  "discrete-laplace": { adjacency: add, make: (p) => dp.discreteLaplace(0.3 / p), accountants: both },
  "randomized-response": {
    adjacency: "replace-one",
    make: (p) => dp.randomizedResponse(1 - 0.2 / p, 3),
    accountants: both,
  },
  pure: { adjacency: add, make: (p) => dp.pure(0.3 / p), accountants: both },
  "exponential-mechanism": { adjacency: add, make: (p) => dp.exponentialMechanism(0.3 / p), accountants: both },
  "poisson-sampled": { adjacency: add, make: (p) => dp.poissonSampled(0.05 / p, dp.gaussian(p)), accountants: both },
  "truncated-poisson-sampled": {
    adjacency: add,
    make: (p) => dp.truncatedPoissonSampled(0.05 / p, 75, 1000, dp.gaussian(p)),
    accountants: both,
  },
  "fixed-size-sampled": {
    adjacency: "zero-out",
    make: (p) => dp.fixedSizeSampled(Math.round(50 / p), 1000, dp.gaussian(p)),
    accountants: both,
  },
  "mixture-of-gaussians": {
    adjacency: add,
    make: (p) => dp.sampledUnit(0.05 / p, 3, 2 * p),
    accountants: both,
  },
  "tree-aggregation": { adjacency: add, make: (p) => dp.treeAggregation(5 * p, 100), accountants: both },
};
const delta = 1e-5;
const epsilonOf = (accountant: "rdp" | "pld", event: dp.DpEvent, adjacency: dp.Adjacency): number =>
  accountant === "rdp"
    ? dp.epsilonFromRdp(dp.rdpOf(event, adjacency), delta).epsilon
    : dp.pldOf(event, adjacency, { step: 1e-3 }).epsilon(delta);

test("every kind of event has a case here", () => {
  const covered = [...Object.keys(cases), "composed", "repeated", "non-private", "unsupported"];
  expect(covered.toSorted()).toEqual([...dp.eventKinds].toSorted());
});

describe.each(Object.entries(cases))("%s", (_, { adjacency, make, accountants }) => {
  const event = make(1);

  test.each(accountants)("%s: repeating is composing, and counts add up", (accountant) => {
    const six = epsilonOf(accountant, dp.repeated(event, 6), adjacency);
    expect(six).toBeGreaterThan(epsilonOf(accountant, event, adjacency) * 1.05);
    expect(epsilonOf(accountant, dp.composed(Array.from({ length: 6 }, () => event)), adjacency)).toBe(six);
    expect(
      epsilonOf(accountant, dp.composed([dp.repeated(event, 2), dp.repeated(dp.repeated(event, 2), 2)]), adjacency),
    ).toBe(six);
    // Through the transforms as well, not only through the merging of equal events.
    const split = dp.composed([dp.repeated(event, 3), dp.repeated(make(1 + 1e-9), 3)]);
    expect(epsilonOf(accountant, split, adjacency)).toBeCloseTo(six, 5);
  });

  test.each(accountants)("%s: more noise costs less, more steps cost more, nothing costs nothing", (accountant) => {
    const cost = (p: number, count: number): number => epsilonOf(accountant, dp.repeated(make(p), count), adjacency);
    expect(cost(1.3, 6)).toBeLessThan(cost(1, 6));
    expect(cost(1, 9)).toBeGreaterThan(cost(1, 6));
    expect(cost(1, 0)).toBe(0);
  });

  test("optimistic <= best <= pessimistic; loss distribution <= Rényi <= old conversion", () => {
    const many = dp.repeated(event, 6);
    const pld = (rounding: "up" | "down" | "connect-the-dots") =>
      dp.pldOf(many, adjacency, { step: 1e-3, rounding }).epsilon(delta);
    expect(pld("down")).toBeLessThanOrEqual(pld("connect-the-dots") + 1e-9);
    expect(pld("connect-the-dots")).toBeLessThanOrEqual(pld("up") + 1e-9);
    const curve = dp.rdpOf(many, adjacency);
    const rdp = dp.epsilonFromRdp(curve, delta).epsilon;
    // The exponential mechanism is tighter by Rényi: bounded range is more than pure privacy.
    if (event.kind !== "exponential-mechanism") expect(pld("connect-the-dots")).toBeLessThanOrEqual(rdp + 0.002);
    expect(rdp).toBeLessThanOrEqual(dp.oldEpsilonFromRdp(curve, delta).epsilon);
  });

  test("delta and epsilon are inverse, and both fall", () => {
    const pld = dp.pldOf(dp.repeated(event, 6), adjacency, { step: 1e-3 });
    const epsilon = pld.epsilon(1e-4);
    expect(pld.delta(epsilon)).toBeCloseTo(1e-4, 10);
    expect(pld.delta(epsilon / 2)).toBeGreaterThan(1e-4);
    expect(pld.epsilon(1e-6)).toBeGreaterThan(epsilon);
    expect(pld.delta(1e-9 + 1e6)).toBeLessThanOrEqual(dp.DELTA_FLOOR);
  });

  test.each(accountants)(
    "%s: with released data it is infinite, with an unknown part the part is named",
    (accountant) => {
      expect(epsilonOf(accountant, dp.composed([event, dp.nonPrivate]), adjacency)).toBe(Infinity);
      const nested = dp.composed([event, dp.repeated(dp.composed([dp.unsupported("shuffled gizmo")]), 3)]);
      const ask = accountant === "rdp" ? dp.unsupportedByRdp : dp.unsupportedByPld;
      expect(ask(event, adjacency)).toBeNull();
      expect(ask(nested, adjacency)).toMatchObject({
        path: "composed[1] > repeated > composed[0] > unsupported",
        reason: expect.stringContaining("shuffled gizmo") as string,
      });
      expect(epsilonOf(accountant, nested, adjacency)).toBe(Infinity);
    },
  );

  test("replacing a record costs at least what removing one costs", () => {
    // A record that replaces another one takes its place in a truncated batch: nobody is displaced.
    if (adjacency === "replace-one" || event.kind === "truncated-poisson-sampled") return;
    for (const accountant of accountants) {
      const ask = accountant === "rdp" ? dp.unsupportedByRdp : dp.unsupportedByPld;
      if (ask(event, "replace-one") !== null) continue;
      const many = dp.repeated(event, 6);
      expect(epsilonOf(accountant, many, "replace-one")).toBeGreaterThanOrEqual(epsilonOf(accountant, many, adjacency));
    }
  });

  test("an event survives a file, and its numbers are checked", () => {
    const text = JSON.stringify(dp.repeated(event, 3));
    expect(dp.parseEvent(JSON.parse(text))).toEqual(dp.repeated(event, 3));
    for (const name of Object.keys(event).filter((k) => typeof (event as Record<string, unknown>)[k] === "number"))
      expect(() => dp.parseEvent({ ...event, [name]: -1 })).toThrow(new RegExp(`${name} must be`));
  });
});

const sampled: Readonly<Record<string, [dp.Adjacency, (rate: number, sigma: number) => dp.DpEvent]>> = {
  "poisson-sampled": [add, (q, s) => dp.poissonSampled(q, dp.gaussian(s))],
  "poisson-sampled, one record replaced": ["replace-one", (q, s) => dp.poissonSampled(q, dp.gaussian(s))],
  "truncated-poisson-sampled": [add, (q, s) => dp.truncatedPoissonSampled(q, 400, 1000, dp.gaussian(s))],
  "fixed-size-sampled": ["zero-out", (q, s) => dp.fixedSizeSampled(Math.round(1000 * q), 1000, dp.gaussian(s))],
  "mixture-of-gaussians": [add, (q, s) => dp.sampledUnit(q, 2, s)],
};
describe.each(Object.entries(sampled))("%s", (name, [adjacency, make]) => {
  test.each(both)("%s: rises with the rate and with the steps, falls with the noise, one at a time", (accountant) => {
    const cost = (q: number, s: number, count: number): number =>
      epsilonOf(accountant, dp.repeated(make(q, s), count), adjacency);
    const here = cost(0.05, 1, 5);
    expect(cost(0.06, 1, 5)).toBeGreaterThan(here);
    expect(cost(0.05, 1.1, 5)).toBeLessThan(here);
    expect(cost(0.05, 1, 6)).toBeGreaterThan(here);
  });

  test.each(both)("%s: never costs more than taking part in every step", (accountant) => {
    // A person with two records is two contributions away; a record of a truncated batch may displace another one.
    const distance = adjacency === "replace-one" || name !== "poisson-sampled" ? 2 : 1;
    for (const rate of [0.05, 0.3])
      expect(epsilonOf(accountant, dp.repeated(make(rate, 1), 3), adjacency)).toBeLessThanOrEqual(
        epsilonOf(accountant, dp.repeated(dp.gaussian(1 / distance), 3), add) + 1e-9,
      );
  });
});

test("sampling at rate one is no sampling; at rate zero it is free", () => {
  for (const accountant of both) {
    expect(epsilonOf(accountant, dp.poissonSampled(1, dp.gaussian(2)), add)).toBeCloseTo(
      epsilonOf(accountant, dp.gaussian(2), add),
      9,
    );
    expect(epsilonOf(accountant, dp.poissonSampled(0, dp.gaussian(2)), add)).toBe(0);
    const plain = epsilonOf(accountant, dp.gaussian(2), add);
    expect(epsilonOf(accountant, dp.fixedSizeSampled(50, 50, dp.gaussian(2)), "zero-out")).toBeCloseTo(plain, 9);
    expect(epsilonOf(accountant, dp.truncatedPoissonSampled(1, 50, 50, dp.gaussian(2)), add)).toBeCloseTo(plain, 9);
    expect(epsilonOf(accountant, dp.sampledUnit(1, 3, 6), add)).toBeCloseTo(plain, 9);
  }
  expect(dp.pldOf(dp.gaussian(2), add).epsilon(delta)).toBeCloseTo(dp.gaussianEpsilon(2, delta), 6);
});

test("a cap far above the mean costs nothing, one at the mean a lot", () => {
  const cap = (n: number): number =>
    epsilonOf("pld", dp.repeated(dp.truncatedPoissonSampled(0.05, n, 1000, dp.gaussian(1)), 10), add);
  const free = epsilonOf("pld", dp.repeated(dp.poissonSampled(0.05, dp.gaussian(1)), 10), add);
  expect(cap(1000)).toBe(free);
  expect(cap(100)).toBeCloseTo(free, 6);
  expect(cap(50)).toBeGreaterThan(2 * free);
});

test("unknown kinds and hostile events from files are refused or named, not obeyed", () => {
  const unknown = dp.parseEvent({ kind: "composed", events: [{ kind: "quantum", sigma: 1 }] });
  expect(dp.unsupportedByRdp(unknown, add)?.reason).toContain("quantum");
  let deep: unknown = { kind: "non-private" };
  for (let i = 0; i < 100; i++) deep = { kind: "repeated", count: 1, event: deep };
  expect(() => dp.parseEvent(deep)).toThrow(/nested at most/);
  expect(dp.parseEvent({ kind: "__proto__" })).toMatchObject({ kind: "unsupported" });
  expect(() => dp.parseEvent({ kind: "gaussian", sigma: "1" })).toThrow(/sigma must be a finite number/);
  expect(() => dp.poissonSampled(1.2, dp.gaussian(1))).toThrow(/probability from 0 to 1/);
  expect(() => dp.gaussian(-1)).toThrow(/from 0/);
  expect(() => dp.account(dp.gaussian(1), add, 0)).toThrow(/delta between 0 and 1/);
});

test("below 1e-11 the loss-distribution account claims nothing, unless the loss is bounded", () => {
  const pld = dp.pldOf(dp.repeated(dp.gaussian(2), 10), add);
  expect(pld.epsilon(1e-12)).toBe(Infinity);
  expect(pld.delta(1000)).toBe(dp.DELTA_FLOOR);
  expect(dp.pldOf(dp.repeated(dp.laplace(10), 10), add).epsilon(1e-15)).toBeCloseTo(1, 9);
});
