import { MarauderError } from "../errors.ts";
import type { Rng } from "../random/index.ts";
import type { Interval } from "./intervals.ts";
import { quantileSorted } from "./quantiles.ts";
import { normalCdf, normalQuantile } from "./special.ts";

export interface BootstrapOptions {
  readonly method?: "bca" | "percentile";
  readonly resamples?: number;
  readonly level?: number;
}

/**
 * Bootstrap interval of a statistic of `size` rows: `statistic` gets row positions, drawn with replacement, so rows that
 * belong together (before and after, prediction and label) stay together. BCa by default (Efron 1987), which needs `size`
 * more evaluations for the acceleration. Resample i draws from its own child of `rng`. Throws NOT_ENOUGH_DATA below 2 rows.
 */
export function bootstrap(
  size: number,
  statistic: (rows: Uint32Array) => number,
  rng: Rng,
  options: BootstrapOptions = {},
): Interval {
  const { method = "bca", resamples = 2000, level = 0.95 } = options;
  if (size < 2) throw new MarauderError("NOT_ENOUGH_DATA", `a bootstrap needs at least 2 rows, got ${size}`);
  const all = Uint32Array.from({ length: size }, (_, i) => i);
  const value = statistic(all);
  const draws = Float64Array.from({ length: resamples }, (_, i) => {
    const stream = rng.child(i);
    const rows = new Uint32Array(size);
    for (let k = 0; k < size; k++) rows[k] = stream.int(size);
    return statistic(rows);
  }).sort();
  if (Number.isNaN(draws.at(-1)) || Number.isNaN(value)) {
    throw new MarauderError(
      "NOT_ENOUGH_DATA",
      "the statistic is undefined on a resample of the rows; give more rows of each kind",
    );
  }
  const tail = (1 - level) / 2;
  const ends = method === "percentile" ? [tail, 1 - tail] : bcaEnds(value, draws, statistic, size, tail);
  return { value, low: quantileSorted(draws, ends[0]!), high: quantileSorted(draws, ends[1]!), level };
}

/** The quantiles to read off, corrected for bias and for a spread that changes with the value (jackknife acceleration). */
function bcaEnds(
  value: number,
  sorted: Float64Array,
  statistic: (rows: Uint32Array) => number,
  size: number,
  tail: number,
): number[] {
  const below = sorted.filter((x) => x < value).length + sorted.filter((x) => x === value).length / 2;
  if (below === 0 || below === sorted.length) return [tail, 1 - tail]; // no bias correction exists
  const bias = normalQuantile(below / sorted.length);
  const left = Float64Array.from({ length: size }, (_, out) =>
    statistic(Uint32Array.from({ length: size - 1 }, (_, i) => (i < out ? i : i + 1))),
  );
  const centre = left.reduce((a, b) => a + b, 0) / size;
  let cubes = 0;
  let squares = 0;
  for (const x of left) {
    cubes += (centre - x) ** 3;
    squares += (centre - x) ** 2;
  }
  const acceleration = squares === 0 ? 0 : cubes / (6 * squares ** 1.5);
  return [tail, 1 - tail].map((q) => {
    const z = bias + normalQuantile(q);
    return normalCdf(bias + z / (1 - acceleration * z));
  });
}
