import { distanceOf, type Adjacency, type DpEvent } from "../events.ts";
import { flatten, type Culprit } from "../flatten.ts";
import { fullWithoutOne } from "../truncation.ts";
import { checkDelta } from "./check.ts";
import { fixedSizeGaussianRdp, interpolated, logAdd, sampledGaussianRdp, wholeOrder } from "./gaussian-rdp.ts";
import * as mechanism from "./mechanism-rdp.ts";
import { mixtureRdp, type Mixture } from "./mixture-rdp.ts";

/** Orders 1.1 to 10.9 in tenths, 11 to 63, and 128 to 1024: where the optimum of usual accounts lies. */
export const defaultOrders: readonly number[] = [
  ...Array.from({ length: 99 }, (_, i) => (11 + i) / 10),
  ...Array.from({ length: 53 }, (_, i) => 11 + i),
  128,
  256,
  512,
  1024,
];

/** Rényi differential privacy: for each order, an upper bound of the divergence between neighbours. */
export interface RdpCurve {
  readonly orders: readonly number[];
  readonly values: Float64Array;
}

export interface RdpEpsilon {
  readonly epsilon: number;
  /** The order that gives it. */
  readonly order: number;
  /** The best order is the first or last of the grid, so that a longer grid may give less. */
  readonly atEdge: "lowest" | "highest" | null;
}

/** The part of an event that Rényi accounting does not know, or null. Costs nothing to ask. */
export function unsupportedByRdp(event: DpEvent, adjacency: Adjacency): Culprit | null {
  for (const leaf of flatten(event)) {
    const reason = whyNot(leaf.event, adjacency);
    if (reason !== null) return { path: leaf.path, reason };
  }
  return null;
}

function whyNot(event: DpEvent, adjacency: Adjacency): string | null {
  switch (event.kind) {
    case "unsupported":
      return `its cost is not known (${event.name})`;
    case "randomized-response":
      return adjacency === "add-or-remove"
        ? "the number of answers shows when a record is added; use replace-one"
        : null;
    case "mixture-of-gaussians":
      return adjacency === "replace-one" ? "a mixture of Gaussians is accounted for units added or removed" : null;
    case "fixed-size-sampled":
      if (adjacency === "add-or-remove")
        return "a batch of fixed size is accounted for a public number of records; use zero-out or replace-one";
      return inner(event.event, ["gaussian"], "without-replacement sampling");
    case "poisson-sampled":
      if (event.event.kind === "discrete-gaussian" && adjacency === "replace-one")
        return "Poisson sampling of a discrete Gaussian has no bound here under replace-one";
      return inner(event.event, ["gaussian", "discrete-gaussian"], "Poisson sampling");
    case "truncated-poisson-sampled":
      return inner(event.event, ["gaussian"], "truncated Poisson sampling");
    default:
      return null;
  }
}

function inner(event: DpEvent, known: readonly DpEvent["kind"][], what: string): string | null {
  if (event.kind === "non-private" || known.includes(event.kind)) return null;
  const name = event.kind === "unsupported" ? `unsupported (${event.name})` : event.kind;
  return `Rényi accounting knows ${what} of ${known.join(", ")} events, this one holds ${name}`;
}

/** The Rényi curve of an event. Unsupported parts give Infinity: ask `unsupportedByRdp` for the reason. */
export function rdpOf(event: DpEvent, adjacency: Adjacency, orders: readonly number[] = defaultOrders): RdpCurve {
  const values = new Float64Array(orders.length);
  for (const leaf of flatten(event)) {
    const curve = leafRdp(leaf.event, adjacency);
    orders.forEach((alpha, i) => {
      values[i]! += leaf.count * curve(alpha);
    });
  }
  return { orders, values };
}

function leafRdp(event: DpEvent, adjacency: Adjacency): (alpha: number) => number {
  if (whyNot(event, adjacency) !== null) return () => Infinity;
  const distance = distanceOf(adjacency);
  switch (event.kind) {
    case "gaussian":
      return (a) => sampledGaussianRdp(1, event.sigma / distance, a);
    case "laplace":
      return (a) => mechanism.laplaceRdp(event.scale / distance, a);
    case "discrete-gaussian":
      return (a) => mechanism.discreteGaussianRdp(event.sigma, distance * event.sensitivity, a);
    case "discrete-laplace":
      return (a) => mechanism.discreteLaplaceRdp(event.decay, distance * event.sensitivity, a);
    case "randomized-response":
      return (a) => mechanism.randomizedResponseRdp(event.noise, event.buckets, a);
    case "pure":
      return (a) => mechanism.pureRdp(distance * event.epsilon, a);
    case "exponential-mechanism":
      return (a) => mechanism.exponentialMechanismRdp(distance * event.epsilon, a);
    case "tree-aggregation":
      return (a) => sampledGaussianRdp(1, event.sigma / distance, a) * treeHeight(event.steps);
    case "mixture-of-gaussians": {
      const { sigma, shifts: means, weights } = event;
      const none: Mixture = { means: [0], weights: [1] };
      if (sigma === 0) return () => (means.every((m, i) => m === 0 || weights[i] === 0) ? 0 : Infinity);
      return (a) =>
        Math.max(mixtureRdp({ means, weights }, none, sigma, a), mixtureRdp(none, { means, weights }, sigma, a));
    }
    case "poisson-sampled":
      return (a) => poissonRdp(event.rate, event.event, distance, a);
    case "truncated-poisson-sampled":
      return (a) => truncatedRdp(event, distance, a);
    case "fixed-size-sampled":
      return fixedSizeGaussianRdp(
        event.size / event.records,
        event.event.kind === "gaussian" ? event.event.sigma / distance : 0,
      );
    default:
      return () => Infinity;
  }
}

/** Nodes of the binary tree over `steps` leaves that one leaf touches: Kairouz et al. 2021, "Practical and private (deep) learning without sampling or shuffling", theorem 4.1. */
export const treeHeight = (steps: number): number => Math.ceil(Math.log2(steps + 1));

function poissonRdp(rate: number, event: DpEvent, distance: 1 | 2, alpha: number): number {
  if (rate === 0) return 0;
  if (event.kind === "gaussian") {
    if (distance === 1) return sampledGaussianRdp(rate, event.sigma, alpha);
    return replacedRdp(rate, event.sigma, alpha);
  }
  if (event.kind !== "discrete-gaussian" || event.sigma === 0) return Infinity;
  // The Gaussian's moments bound the discrete Gaussian's at whole orders, and so the binomial sum over them.
  const sigma = event.sigma / event.sensitivity;
  if (rate === 1) return alpha / (2 * sigma * sigma);
  return Number.isInteger(alpha) ? wholeOrder(rate, sigma, alpha) / (alpha - 1) : interpolated(rate, sigma, alpha);
}

/** A record becomes another one whose contribution points the other way. */
function replacedRdp(rate: number, sigma: number, alpha: number): number {
  if (sigma === 0) return Infinity;
  if (rate === 1) return sampledGaussianRdp(1, sigma / 2, alpha);
  const one: Mixture = { means: [0, 1], weights: [1 - rate, rate] };
  const other: Mixture = { means: [0, -1], weights: [1 - rate, rate] };
  return mixtureRdp(one, other, sigma, alpha);
}

function truncatedRdp(
  event: Extract<DpEvent, { kind: "truncated-poisson-sampled" }>,
  distance: 1 | 2,
  alpha: number,
): number {
  if (event.rate === 0) return 0;
  if (event.event.kind !== "gaussian" || event.event.sigma === 0) return Infinity;
  if (distance === 2) return replacedRdp(event.rate, event.event.sigma, alpha);
  // See truncatedPair: with probability `full` the record displaces another one, and the adversary is shown when.
  const { sigma } = event.event;
  const full = fullWithoutOne(event.rate, event.cap, event.records);
  const free = sampledGaussianRdp(event.rate, sigma, alpha);
  if (full === 0) return free;
  const displacing = sampledGaussianRdp((event.rate * event.cap) / (event.cap + 1), sigma / 2, alpha);
  // log((1 - full) exp(a) + full exp(b)) - a, written so that small values keep their digits.
  const [a, b] = [(alpha - 1) * free, (alpha - 1) * displacing];
  if (b - a < 30) return (a + Math.log1p(full * Math.expm1(b - a))) / (alpha - 1);
  return logAdd(a + Math.log1p(-full), b + Math.log(full)) / (alpha - 1);
}

/**
 * The smallest epsilon at `delta` that the curve proves: Canonne, Kamath and Steinke 2020, "The discrete Gaussian for
 * differential privacy", proposition 12. Throws OPTION_RANGE for a delta outside (0, 1).
 */
export function epsilonFromRdp(curve: RdpCurve, delta: number): RdpEpsilon {
  checkDelta(delta);
  return best(curve, (alpha, r) => {
    // (0, delta) from the total variation distance, which is at most sqrt(1 - exp(-r)).
    if (delta * delta + Math.expm1(-r) >= 0) return 0;
    return alpha <= 1.01 ? Infinity : r + Math.log1p(-1 / alpha) - Math.log(delta * alpha) / (alpha - 1);
  });
}

/** The older, looser conversion r + log(1/delta) / (alpha - 1) of Mironov 2017, proposition 3: for comparison with old papers. */
export function oldEpsilonFromRdp(curve: RdpCurve, delta: number): RdpEpsilon {
  checkDelta(delta);
  return best(curve, (alpha, r) => r - Math.log(delta) / (alpha - 1));
}

function best({ orders, values }: RdpCurve, epsilonAt: (alpha: number, r: number) => number): RdpEpsilon {
  let epsilon = Infinity;
  let at = orders.length - 1;
  for (let i = 0; i < orders.length; i++) {
    const value = values[i] === 0 ? 0 : epsilonAt(orders[i]!, values[i]!);
    if (value < epsilon) [epsilon, at] = [value, i];
  }
  const proper = epsilon > 0 && epsilon < Infinity;
  const atEdge = !proper ? null : at === 0 ? "lowest" : at === orders.length - 1 ? "highest" : null;
  return { epsilon: Math.max(0, epsilon), order: orders[at]!, atEdge };
}

/** The smallest delta at `epsilon` that the curve proves (the same proposition, solved for delta). */
export function deltaFromRdp({ orders, values }: RdpCurve, epsilon: number): number {
  let delta = 1;
  orders.forEach((alpha, i) => {
    const r = values[i]!;
    delta = Math.min(delta, Math.sqrt(-Math.expm1(-r)));
    if (alpha > 1.01)
      delta = Math.min(delta, Math.exp((alpha - 1) * (r - epsilon + Math.log1p(-1 / alpha)) - Math.log(alpha)));
  });
  return delta;
}
