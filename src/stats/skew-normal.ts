import { MarauderError } from "../errors.ts";
import { mean } from "./quantiles.ts";
import { logNormalCdf } from "./special.ts";

/** Azzalini 1985: density 2 / scale phi(z) Phi(shape z) with z = (x - location) / scale. */
export interface SkewNormal {
  readonly location: number;
  readonly scale: number;
  /** 0 is the normal distribution; below 0 the left tail is the long one. */
  readonly shape: number;
}

const LOG_2_OVER_ROOT_TAU = Math.log(2) - Math.log(2 * Math.PI) / 2;

export function skewNormalLogDensity({ location, scale, shape }: SkewNormal, x: number): number {
  const z = (x - location) / scale;
  return LOG_2_OVER_ROOT_TAU - Math.log(scale) - (z * z) / 2 + logNormalCdf(shape * z);
}

/** Nodes and weights of Gauss-Legendre quadrature with 8 points on [-1, 1]. */
const NODES = [0.1834346424956498, 0.525532409916329, 0.7966664774136267, 0.9602898564975363];
const WEIGHTS = [0.362683783378362, 0.3137066458778873, 0.2223810344533745, 0.1012285362903763];

/** Integral of exp(log f(x) - top) from a to b. */
function panel(logF: (x: number) => number, a: number, b: number, top: number): number {
  const middle = (a + b) / 2;
  const half = (b - a) / 2;
  let sum = 0;
  for (let i = 0; i < 4; i++) {
    const d = half * NODES[i]!;
    sum += WEIGHTS[i]! * (Math.exp(logF(middle - d) - top) + Math.exp(logF(middle + d) - top));
  }
  return half * sum;
}

/**
 * log of the distribution function, right where the probability is far too small for a double: the density is integrated
 * from x to the left, relative to its largest value there. (By Owen's T the lower tail would be a difference of equals.)
 */
export function skewNormalLogCdf(d: SkewNormal, x: number): number {
  const { scale } = d;
  const logF = (t: number): number => skewNormalLogDensity(d, t);
  // The largest density left of x: at x in the lower tail, else at the mode, which lies within one scale of the location.
  let top = logF(x);
  for (let i = 0; i <= 64; i++) {
    const t = d.location + scale * (i / 32 - 1);
    if (t < x) top = Math.max(top, logF(t));
  }
  let sum = 0;
  let right = x;
  // Steps as short as the density is steep; each panel of 8 points is then exact to about 1e-13.
  for (let i = 0; i < 10_000; i++) {
    const z = Math.abs(right - d.location) / scale;
    const step = (scale * 0.5) / (1 + z * (1 + d.shape * d.shape) * 0.25 + Math.abs(d.shape) * 0.5);
    const part = panel(logF, right - step, right, top);
    sum += part;
    right -= step;
    if (right < d.location - scale && part < sum * 1e-16) break;
  }
  return Math.min(0, Math.log(sum) + top);
}

/**
 * Distribution function at ascending points: the tail up to the first one, then the gaps between them.
 */
export function skewNormalCdfSorted(d: SkewNormal, sorted: ArrayLike<number>): Float64Array {
  const out = new Float64Array(sorted.length);
  const logF = (t: number): number => skewNormalLogDensity(d, t);
  const longest = (d.scale * 0.5) / (1 + Math.abs(d.shape) * 0.5);
  let sum = sorted.length === 0 ? 0 : Math.exp(skewNormalLogCdf(d, sorted[0]!));
  for (let i = 0; i < sorted.length; i++) {
    if (i > 0) {
      const from = sorted[i - 1]!;
      const gap = sorted[i]! - from;
      const parts = Math.max(1, Math.ceil(gap / longest));
      for (let k = 0; k < parts; k++) sum += panel(logF, from + (gap * k) / parts, from + (gap * (k + 1)) / parts, 0);
    }
    out[i] = Math.min(1, sum);
  }
  return out;
}

/** The largest shape: beyond it the density is a half-normal one and the likelihood says no more. */
const LARGEST_SHAPE = 100;

/**
 * The skew-normal distribution of largest likelihood (Nelder and Mead 1965 from the moments, in location, log scale and
 * shape). Throws NOT_ENOUGH_DATA below 20 numbers or where all are equal.
 */
export function fitSkewNormal(values: ArrayLike<number>): SkewNormal {
  const n = values.length;
  const { centre, sd, skewness } = moments(values);
  if (n < 20 || !(sd > 1e-12 * (1 + Math.abs(centre)))) {
    throw new MarauderError(
      "NOT_ENOUGH_DATA",
      `a skew-normal distribution needs at least 20 numbers that differ; got ${n} with a spread of ${sd}`,
    );
  }
  // Standardized, so that steps and tolerance mean the same for all data.
  const { points, weights } = binned(Float64Array.from(values, (v) => (v - centre) / sd));
  const cost = ([location, logScale, shape]: readonly number[]): number => {
    if (Math.abs(shape!) > LARGEST_SHAPE || Math.abs(logScale!) > 20) return Infinity;
    const d = { location: location!, scale: Math.exp(logScale!), shape: shape! };
    let sum = 0;
    for (let i = 0; i < points.length; i++) sum -= weights[i]! * skewNormalLogDensity(d, points[i]!);
    return sum / n;
  };
  const start = byMoments(skewness);
  let best = nelderMead(cost, [start.location, Math.log(start.scale), start.shape], 0.1);
  // Where the skewness is small the likelihood is flat around shape 0: the search is begun again from what it found, and
  // from the other side.
  for (const from of [best.at, [-best.at[0]!, best.at[1]!, -best.at[2]!]]) {
    const again = nelderMead(cost, from, 0.3);
    if (again.cost < best.cost) best = again;
  }
  const [location, logScale, shape] = best.at as [number, number, number];
  return { location: centre + sd * location, scale: sd * Math.exp(logScale), shape };
}

const BINS = 512;

/** Many numbers as the means of narrow bins: a fiftieth of a deviation, which moves the estimate by far less than its error. */
function binned(z: Float64Array): { points: Float64Array; weights: Float64Array } {
  if (z.length <= 4 * BINS) return { points: z, weights: new Float64Array(z.length).fill(1) };
  let low = Infinity;
  let high = -Infinity;
  for (const v of z) [low, high] = [Math.min(low, v), Math.max(high, v)];
  const sums = new Float64Array(BINS);
  const counts = new Float64Array(BINS);
  for (const v of z) {
    const bin = Math.min(BINS - 1, Math.floor(((v - low) / (high - low)) * BINS));
    sums[bin]! += v;
    counts[bin]!++;
  }
  const used = counts.reduce<number[]>((list, c, i) => (c > 0 ? [...list, i] : list), []);
  return {
    points: Float64Array.from(used, (i) => sums[i]! / counts[i]!),
    weights: Float64Array.from(used, (i) => counts[i]!),
  };
}

function moments(values: ArrayLike<number>): { centre: number; sd: number; skewness: number } {
  const n = values.length;
  const centre = mean(values);
  let square = 0;
  let cube = 0;
  for (let i = 0; i < n; i++) {
    square += (values[i]! - centre) ** 2 / n;
    cube += (values[i]! - centre) ** 3 / n;
  }
  const sd = Math.sqrt(square);
  return { centre, sd, skewness: sd > 0 ? cube / sd ** 3 : 0 };
}

/** Parameters of mean 0, deviation 1 and a skewness, which is cut at what the family reaches (0.995). */
function byMoments(skewness: number): SkewNormal {
  const g = Math.min(0.95, Math.abs(skewness)) ** (2 / 3);
  const delta = Math.sign(skewness || 1) * Math.sqrt(((Math.PI / 2) * g) / (g + ((4 - Math.PI) / 2) ** (2 / 3)));
  const scale = 1 / Math.sqrt(1 - (2 * delta * delta) / Math.PI);
  return { location: -scale * delta * Math.sqrt(2 / Math.PI), scale, shape: delta / Math.sqrt(1 - delta * delta) };
}

/** The downhill simplex of Nelder and Mead, until all corners agree to 1e-10. */
function nelderMead(
  cost: (at: readonly number[]) => number,
  start: readonly number[],
  size: number,
): { at: readonly number[]; cost: number } {
  const corner = (at: readonly number[]) => ({ at, cost: cost(at) });
  const corners = [start, ...start.map((_, i) => start.map((v, k) => (k === i ? v + size : v)))].map(corner);
  const n = start.length;
  for (let step = 0; step < 600; step++) {
    corners.sort((a, b) => a.cost - b.cost);
    const [low, high] = [corners[0]!, corners[n]!];
    const wide = Math.max(...corners.map((c) => Math.max(...c.at.map((v, k) => Math.abs(v - low.at[k]!)))));
    if (high.cost - low.cost < 1e-13 && wide < 1e-5) break;
    const centre = start.map((_, k) => corners.slice(0, n).reduce((s, c) => s + c.at[k]! / n, 0));
    const towards = (t: number) => corner(centre.map((v, k) => v + t * (high.at[k]! - v)));
    const reflected = towards(-1);
    if (reflected.cost < low.cost) {
      const expanded = towards(-2);
      corners[n] = expanded.cost < reflected.cost ? expanded : reflected;
    } else if (reflected.cost < corners[n - 1]!.cost) corners[n] = reflected;
    else {
      const contracted = reflected.cost < high.cost ? towards(-0.5) : towards(0.5);
      if (contracted.cost < Math.min(reflected.cost, high.cost)) corners[n] = contracted;
      else for (let i = 1; i <= n; i++) corners[i] = corner(corners[i]!.at.map((v, k) => (v + low.at[k]!) / 2));
    }
  }
  corners.sort((a, b) => a.cost - b.cost);
  return corners[0]!;
}
