import type { Rng } from "../../random/rng.ts";

/** How the size of a change is measured: largest coordinate, Euclidean length, or sum of absolute values. */
export type Norm = "linf" | "l2" | "l1";

/** Where inputs may lie: a range for every feature, and which features may change (1) at all; null when all may. */
export interface Space {
  readonly low: number;
  readonly high: number;
  readonly mask: Uint8Array | null;
}

/**
 * The ball of a norm, as a value. All functions work on one row of `d` floats, given as array and offset, in place and
 * without allocation, since they run once per example and step.
 */
export interface Ball {
  readonly norm: Norm;
  /** Moves row z to the nearest point (Euclidean) of the ball of radius eps about row x, intersected with the space. x must lie in the space. */
  project(z: Float32Array, zo: number, x: Float32Array, xo: number, d: number, eps: number, space: Space): void;
  /**
   * Writes the direction of unit norm in which a linear function with gradient g grows fastest. For l1, where that is a
   * single coordinate, the share `density` of the coordinates with the largest gradients is used (at least one), as in
   * Tramer & Boneh 2019, appendix A ("sparse l1 descent"); coordinates that the space does not let move that way are
   * passed over. False, and nothing written, when the gradient is zero or not finite.
   */
  ascend(step: AscentStep): boolean;
  /** Draws uniformly from the ball about row x, then moves the point into the space. */
  sample(
    rng: Rng,
    out: Float32Array,
    oo: number,
    x: Float32Array,
    xo: number,
    d: number,
    eps: number,
    space: Space,
  ): void;
  distance(a: Float32Array, ao: number, b: Float32Array, bo: number, d: number): number;
}

export interface AscentStep {
  readonly gradient: Float32Array;
  readonly go: number;
  readonly out: Float32Array;
  readonly oo: number;
  readonly d: number;
  /** The point that is about to move. */
  readonly at: Float32Array;
  readonly ao: number;
  readonly space: Space;
  readonly density: number;
}

let scratch = new Float64Array(0);
/** Room for d numbers, valid until the next call: the functions below are synchronous and do not nest. */
function room(d: number): Float64Array {
  if (scratch.length < d) scratch = new Float64Array(d);
  return scratch.subarray(0, d);
}

const finite = (sum: number): boolean => sum > 0 && sum < Infinity;

/** The float32 nearest to v that is not above `limit`. */
function atMost(v: number, limit: number): number {
  const f = Math.fround(v);
  return f > limit ? Math.fround(f - Math.abs(f) * 1e-7 - 1e-45) : f;
}

function clampRow(
  z: Float32Array,
  zo: number,
  x: Float32Array,
  xo: number,
  d: number,
  eps: number,
  space: Space,
): void {
  const { low, high, mask } = space;
  for (let j = 0; j < d; j++) {
    const c = x[xo + j]!;
    const v = z[zo + j]!;
    if ((mask !== null && mask[j] === 0) || v !== v) {
      z[zo + j] = c;
      continue;
    }
    const lo = Math.max(c - eps, low);
    const hi = Math.min(c + eps, high);
    if (v > hi) z[zo + j] = atMost(hi, hi);
    else if (v < lo) z[zo + j] = -atMost(-lo, -lo);
  }
}

/** Writes the wanted change of each coordinate into `v`, NaN and masked ones as zero. */
function changes(
  v: Float64Array,
  z: Float32Array,
  zo: number,
  x: Float32Array,
  xo: number,
  mask: Uint8Array | null,
): void {
  for (let j = 0; j < v.length; j++) {
    const c = z[zo + j]! - x[xo + j]!;
    v[j] = (mask !== null && mask[j] === 0) || c !== c ? 0 : c;
  }
}

const linf: Ball = {
  norm: "linf",
  project: clampRow,
  ascend({ gradient, go, out, oo, d }) {
    let sum = 0;
    for (let j = 0; j < d; j++) sum += Math.abs(gradient[go + j]!);
    if (!finite(sum)) return false;
    for (let j = 0; j < d; j++) out[oo + j] = Math.sign(gradient[go + j]!);
    return true;
  },
  sample(rng, out, oo, x, xo, d, eps, space) {
    const row = out.subarray(oo, oo + d);
    rng.fillUniform(row, -eps, eps);
    for (let j = 0; j < d; j++) row[j]! += x[xo + j]!;
    clampRow(out, oo, x, xo, d, eps, space);
  },
  distance(a, ao, b, bo, d) {
    let max = 0;
    for (let j = 0; j < d; j++) max = Math.max(max, Math.abs(a[ao + j]! - b[bo + j]!));
    return max;
  },
};

/**
 * The nearest point has the coordinates clip(t v_j, low - x_j, high - x_j) for the one t in (0, 1] that gives length eps.
 * Between two values at which a coordinate meets its bound the squared length is A t^2 + B, so a guess from the present
 * piece is exact once the piece is right; a bracket keeps it safe.
 */
function projectL2(
  z: Float32Array,
  zo: number,
  x: Float32Array,
  xo: number,
  d: number,
  eps: number,
  space: Space,
): void {
  const { low, high, mask } = space;
  const v = room(d);
  changes(v, z, zo, x, xo, mask);
  const wanted = eps * eps;
  let t = 1;
  let from = 0;
  let to = 1;
  for (let round = 0; round < 100; round++) {
    let free = 0;
    let bound = 0;
    for (let j = 0; j < d; j++) {
      const w = t * v[j]!;
      const reach = w < 0 ? low - x[xo + j]! : high - x[xo + j]!;
      if (w < 0 ? w < reach : w > reach) bound += reach * reach;
      else free += v[j]! * v[j]!;
    }
    const length = free * t * t + bound;
    if (round === 0 && length <= wanted) break;
    if (Math.abs(length - wanted) <= 1e-13 * wanted) break;
    if (length > wanted) to = t;
    else from = t;
    const guess = wanted > bound && free > 0 ? Math.sqrt((wanted - bound) / free) : -1;
    t = guess > from && guess < to ? guess : (from + to) / 2;
  }
  for (let j = 0; j < d; j++) z[zo + j] = x[xo + j]! + t * v[j]!;
  clampRow(z, zo, x, xo, d, Infinity, space);
}

const l2: Ball = {
  norm: "l2",
  project: projectL2,
  ascend({ gradient, go, out, oo, d }) {
    let sum = 0;
    for (let j = 0; j < d; j++) sum += gradient[go + j]! * gradient[go + j]!;
    if (!finite(sum)) return false;
    const scale = 1 / Math.sqrt(sum);
    for (let j = 0; j < d; j++) out[oo + j] = gradient[go + j]! * scale;
    return true;
  },
  sample(rng, out, oo, x, xo, d, eps, space) {
    const v = room(d);
    rng.fillNormal(v);
    let sum = 0;
    let n = 0;
    for (let j = 0; j < d; j++) {
      if (space.mask !== null && space.mask[j] === 0) v[j] = 0;
      else n++;
      sum += v[j]! * v[j]!;
    }
    const scale = sum > 0 ? (eps * rng.float() ** (1 / n)) / Math.sqrt(sum) : 0;
    for (let j = 0; j < d; j++) out[oo + j] = x[xo + j]! + scale * v[j]!;
    clampRow(out, oo, x, xo, d, Infinity, space);
  },
  distance(a, ao, b, bo, d) {
    let sum = 0;
    for (let j = 0; j < d; j++) sum += (a[ao + j]! - b[bo + j]!) ** 2;
    return Math.sqrt(sum);
  },
};

/**
 * The nearest point has the coordinates clip(soft(v_j, lambda), low - x_j, high - x_j), soft(v, l) = sign(v) max(|v| - l, 0),
 * for the one lambda >= 0 that gives the sum eps. The sum is piecewise linear and falls with lambda: same search as above.
 */
function projectL1(
  z: Float32Array,
  zo: number,
  x: Float32Array,
  xo: number,
  d: number,
  eps: number,
  space: Space,
): void {
  const { low, high, mask } = space;
  const v = room(d);
  changes(v, z, zo, x, xo, mask);
  let lambda = 0;
  let from = 0;
  let to = 0;
  for (let j = 0; j < d; j++) to = Math.max(to, Math.abs(v[j]!));
  for (let round = 0; round < 200; round++) {
    let free = 0;
    let count = 0;
    let bound = 0;
    for (let j = 0; j < d; j++) {
      const size = Math.abs(v[j]!) - lambda;
      if (size <= 0) continue;
      const reach = v[j]! < 0 ? x[xo + j]! - low : high - x[xo + j]!;
      if (size > reach) bound += reach;
      else {
        free += Math.abs(v[j]!);
        count++;
      }
    }
    const sum = free - count * lambda + bound;
    if (round === 0 && sum <= eps) break;
    if (Math.abs(sum - eps) <= 1e-13 * eps) break;
    if (sum > eps) from = lambda;
    else to = lambda;
    const guess = count > 0 ? (free + bound - eps) / count : -1;
    lambda = guess > from && guess < to ? guess : (from + to) / 2;
  }
  for (let j = 0; j < d; j++) z[zo + j] = x[xo + j]! + Math.sign(v[j]!) * Math.max(Math.abs(v[j]!) - lambda, 0);
  clampRow(z, zo, x, xo, d, Infinity, space);
}

const l1: Ball = {
  norm: "l1",
  project: projectL1,
  ascend({ gradient, go, out, oo, d, at, ao, space, density }) {
    const size = room(2 * d);
    const ranked = size.subarray(d);
    let sum = 0;
    for (let j = 0; j < d; j++) {
      const g = gradient[go + j]!;
      const p = at[ao + j]!;
      const stuck = (g > 0 && p >= space.high) || (g < 0 && p <= space.low);
      size[j] = stuck ? 0 : Math.abs(g);
      sum += size[j]!;
    }
    if (!finite(sum)) return false;
    ranked.set(size.subarray(0, d));
    ranked.sort();
    // A zero gradient never counts among the chosen, even where fewer than the share are not zero.
    const threshold = Math.max(ranked[d - Math.max(1, Math.round(density * d))]!, Number.MIN_VALUE);
    let chosen = 0;
    for (let j = 0; j < d; j++) if (size[j]! >= threshold) chosen++;
    for (let j = 0; j < d; j++) out[oo + j] = size[j]! >= threshold ? Math.sign(gradient[go + j]!) / chosen : 0;
    return true;
  },
  sample(rng, out, oo, x, xo, d, eps, space) {
    const v = room(d);
    let sum = -Math.log(1 - rng.float());
    for (let j = 0; j < d; j++) {
      const size = -Math.log(1 - rng.float());
      const moved = space.mask === null || space.mask[j] !== 0;
      v[j] = moved ? (rng.float() < 0.5 ? -size : size) : 0;
      if (moved) sum += size;
    }
    for (let j = 0; j < d; j++) out[oo + j] = x[xo + j]! + (eps * v[j]!) / sum;
    clampRow(out, oo, x, xo, d, Infinity, space);
  },
  distance(a, ao, b, bo, d) {
    let sum = 0;
    for (let j = 0; j < d; j++) sum += Math.abs(a[ao + j]! - b[bo + j]!);
    return sum;
  },
};

export const balls: Readonly<Record<Norm, Ball>> = { linf, l2, l1 };

/** What rounding to float32 may add to a distance: half a unit in the last place of each of d coordinates. */
export function roundingSlack(norm: Norm, d: number, space: Space): number {
  const ulp = 2 ** -24 * Math.max(Math.abs(space.low), Math.abs(space.high));
  return norm === "linf" ? ulp : norm === "l2" ? ulp * Math.sqrt(d) : ulp * d;
}
