import { distanceOf, type Adjacency, type DpEvent } from "../events.ts";
import { flatten, type Culprit, type Leaf } from "../flatten.ts";
import { fullWithoutOne } from "../truncation.ts";
import { composePair, inWindow } from "./compose-losses.ts";
import { discretize, reachOf, type Rounding } from "./discretize.ts";
import { noGuarantee, readingsOf } from "./loss-readings.ts";
import * as pairs from "./loss-pairs.ts";
import { mixturePair } from "./mixture-pair.ts";
import { treeHeight } from "./rdp.ts";

/** Smallest delta for which this account claims anything: below it the rounding of the transforms could show. */
export const DELTA_FLOOR = 1e-11;

export interface PldOptions {
  /** Grid of the privacy loss. Default 1e-4, finer where all losses are smaller than some of its steps, and wider where the distribution would take more than 2^20 points. */
  readonly step?: number;
  readonly rounding?: Rounding;
  /** One direction of the neighbouring relation alone: a record removed, or added. For comparison with other accountants only. */
  readonly direction?: "remove" | "add";
}

/** The privacy loss distribution of a whole event, both directions. */
export interface Pld {
  /** Upper bound (lower, when rounded down) of epsilon at `delta`; Infinity below DELTA_FLOOR unless the loss is bounded. Throws OPTION_RANGE outside (0, 1). */
  epsilon(delta: number): number;
  /** Upper bound of delta at `epsilon`, never below DELTA_FLOOR unless the loss is bounded by epsilon. */
  delta(epsilon: number): number;
  /** Upper bound of the share of members that any test finds when it takes the given share of non-members for members. */
  truePositives(falsePositives: number): number;
  /** The grid that was used. */
  readonly step: number;
}

/** The part of an event that this accountant does not know, or null. Costs nothing to ask. */
export function unsupportedByPld(event: DpEvent, adjacency: Adjacency): Culprit | null {
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
    case "discrete-gaussian":
      if (event.dimension > 1 || !Number.isInteger(event.sensitivity))
        return "a discrete Gaussian on several coordinates has no known loss distribution; use the Rényi account";
      return event.sigma > 1e4 ? "the table of so wide a discrete Gaussian is too large; use the Rényi account" : null;
    case "mixture-of-gaussians":
      return adjacency === "replace-one" ? "a mixture of Gaussians is accounted for units added or removed" : null;
    case "fixed-size-sampled":
      if (adjacency === "add-or-remove")
        return "a batch of fixed size is accounted for a public number of records; use zero-out or replace-one";
      return inner(event.event, ["gaussian", "laplace"], "without-replacement sampling", adjacency);
    case "truncated-poisson-sampled":
      return inner(event.event, ["gaussian"], "truncated Poisson sampling", adjacency);
    case "poisson-sampled":
      return inner(
        event.event,
        adjacency === "replace-one"
          ? ["gaussian"]
          : ["gaussian", "laplace", "discrete-gaussian", "discrete-laplace", "exponential-mechanism", "pure"],
        `Poisson sampling under ${adjacency}`,
        adjacency,
      );
    default:
      return null;
  }
}

function inner(event: DpEvent, known: readonly DpEvent["kind"][], what: string, adjacency: Adjacency): string | null {
  if (event.kind === "non-private") return null;
  if (known.includes(event.kind)) return whyNot(event, adjacency);
  const name = event.kind === "unsupported" ? `unsupported (${event.name})` : event.kind;
  return `loss distributions are known for ${what} of ${known.join(", ")} events, this one holds ${name}`;
}

/** Null: nothing is protected. */
function pairOf(event: DpEvent, distance: 1 | 2): pairs.LossPair | null {
  switch (event.kind) {
    case "gaussian":
      return event.sigma === 0 ? null : pairs.gaussianPair(distance / event.sigma);
    case "tree-aggregation":
      return event.sigma === 0
        ? null
        : pairs.gaussianPair((distance * Math.sqrt(treeHeight(event.steps))) / event.sigma);
    case "mixture-of-gaussians":
      return event.sigma === 0 ? null : mixturePair(event.sigma, event.shifts, event.weights);
    case "laplace":
      return event.scale === 0 ? null : pairs.laplacePair(distance / event.scale);
    case "discrete-gaussian":
      return event.sigma === 0 ? null : pairs.discreteGaussianPair(event.sigma, distance * event.sensitivity);
    case "discrete-laplace":
      return pairs.discreteLaplacePair(event.decay, distance * event.sensitivity);
    case "randomized-response": {
      const low = event.noise / event.buckets;
      return low === 0 ? null : pairs.responsePair(1 - event.noise + low, low);
    }
    case "pure":
    case "exponential-mechanism": {
      const odds = Math.exp(distance * event.epsilon);
      return odds === Infinity ? null : pairs.responsePair(odds / (1 + odds), 1 / (1 + odds));
    }
    default:
      return null;
  }
}

function sampledPairOf(event: DpEvent, distance: 1 | 2): pairs.LossPair | null {
  if (event.kind === "fixed-size-sampled") {
    const inside = pairOf(event.event, distance);
    return inside && pairs.fixedSizePair(event.size / event.records, inside);
  }
  if (event.kind !== "poisson-sampled" && event.kind !== "truncated-poisson-sampled") return pairOf(event, distance);
  const { rate, event: inside } = event;
  if (distance === 2)
    return inside.kind !== "gaussian" || inside.sigma === 0
      ? null
      : rate === 1
        ? pairs.gaussianPair(2 / inside.sigma)
        : pairs.replacedPair(rate, 1 / inside.sigma);
  if (event.kind === "truncated-poisson-sampled") {
    if (inside.kind !== "gaussian" || inside.sigma === 0) return null;
    return pairs.truncatedPair(rate, event.cap, fullWithoutOne(rate, event.cap, event.records), 1 / inside.sigma);
  }
  const base = pairOf(inside, 1);
  return base && (rate === 1 ? base : pairs.sampledPair(rate, base));
}

const takesPart = ({ event }: Leaf): boolean =>
  event.kind === "fixed-size-sampled"
    ? event.size > 0
    : event.kind === "poisson-sampled" || event.kind === "truncated-poisson-sampled"
      ? event.rate > 0
      : true;

/** The largest single loss spans so many points of the grid at least. */
const FINEST = 64;

/** The loss distribution of an event. Unsupported or non-private parts give infinite epsilon: ask `unsupportedByPld`. */
export function pldOf(event: DpEvent, adjacency: Adjacency, options: PldOptions = {}): Pld {
  const rounding = options.rounding ?? "connect-the-dots";
  const leaves = flatten(event).filter(takesPart);
  const found = leaves.map((leaf) =>
    whyNot(leaf.event, adjacency) === null ? sampledPairOf(leaf.event, distanceOf(adjacency)) : null,
  );
  let step = options.step ?? 1e-4;
  if (found.some((pair) => pair === null)) return { step, ...noGuarantee };
  const known = found as readonly pairs.LossPair[];
  const counts = leaves.map((leaf) => leaf.count);
  const reaches = known.map((p) => Math.max(reachOf(p.forward), reachOf(p.reverse)));
  const points = options.step === undefined ? 2 ** 20 : 2 ** 22;
  const reach = Math.max(...reaches);
  while (reach / step > points / 4) step *= 2;
  // Losses that are smaller than the grid would be blown up to its size, once for each step.
  if (options.step === undefined && reach > 0 && reach < FINEST * step) step = Math.max(1e-9, reach / FINEST);
  for (;;) {
    const parts = known.map((pair) => discretize(pair, step, rounding));
    const same = known.every((p) => p.forward === p.reverse);
    const one = inWindow({ parts: parts.map(([there]) => there), counts });
    const other = same ? one : inWindow({ parts: parts.map(([, back]) => back), counts });
    const length = Math.max(...[one, other].map((w) => w.high - w.low));
    if (length > points) {
      step *= 2 ** Math.ceil(Math.log2(length / points));
      continue;
    }
    // A loss that is bounded in every part is bounded in all: pure differential privacy.
    const bound = known.reduce((sum, pair, i) => sum + counts[i]! * pureBound(pair, reaches[i]!), 0);
    const composed = composePair(one, other);
    const kept =
      options.direction === undefined ? composed : composed.slice(Number(options.direction === "add")).slice(0, 1);
    return { step, ...readingsOf(kept, step, bound, DELTA_FLOOR) };
  }
}

/** The largest loss when it is finite (the divergence is exactly zero from there), else Infinity. */
function pureBound({ forward, reverse }: pairs.LossPair, reach: number): number {
  const beyond = reach * (1 + 1e-12) + 1e-300;
  const zero = (e: number): boolean => forward.delta(e) === 0 && reverse.delta(e) === 0;
  if (!zero(beyond * 1.01)) return Infinity;
  let [low, high] = [0, beyond * 1.01];
  for (let i = 0; i < 100 && high - low > 1e-15 * high; i++) {
    const middle = (low + high) / 2;
    if (zero(middle)) high = middle;
    else low = middle;
  }
  return forward.second(low * 0.999999) > 1e-18 ? high * (1 + 1e-12) : Infinity;
}
