import { expTimes, type LossPair, type Side } from "./loss-pairs.ts";

/** Mass of the privacy loss on the grid (start + i) * step, and at infinity; it adds up to one. */
export interface LossMasses {
  readonly start: number;
  readonly masses: Float64Array;
  readonly infinity: number;
}

/**
 * `connect-the-dots`: the smallest upper bound on the grid (Doroshenko, Ghazi, Kamath, Kumar and Manurangsi 2022,
 * "Connect the dots: tighter discrete approximations of privacy loss distributions", section 4). `up` and `down`: each
 * loss rounded to the next grid point, for bounds from above and below.
 */
export type Rounding = "connect-the-dots" | "up" | "down";

const NEGLIGIBLE = 1e-22;

/** Below this loss lies all but a negligible part, which goes to infinity (above) or to the lowest point (below). */
export function reachOf(side: Side): number {
  if (side.delta(0) <= NEGLIGIBLE) return 0;
  let high = 1e-3;
  while (side.delta(high) > NEGLIGIBLE && high < 1e9) high *= 2;
  let low = high / 2;
  while (high - low > 0.005 * high) {
    const middle = (low + high) / 2;
    if (side.delta(middle) > NEGLIGIBLE) low = middle;
    else high = middle;
  }
  return high;
}

/** The loss distributions of P against Q and of Q against P on a grid; one and the same where the pair is symmetric. */
export function discretize(pair: LossPair, step: number, rounding: Rounding): readonly [LossMasses, LossMasses] {
  const { forward, reverse } = pair;
  const high = Math.ceil(reachOf(forward) / step) + 1;
  const low = forward === reverse ? -high : -Math.ceil(reachOf(reverse) / step) - 1;
  if (rounding !== "connect-the-dots") {
    const one = round(pair, step, low, high, rounding);
    return [
      one,
      forward === reverse ? one : round({ forward: reverse, reverse: forward }, step, -high, -low, rounding),
    ];
  }
  // Each direction reads both profiles at the same points.
  const there = profile(forward, step, high);
  if (forward === reverse) {
    const one = connectDots(there, there, step);
    return [one, one];
  }
  const back = profile(reverse, step, -low);
  return [connectDots(there, back, step), connectDots(back, there, step)];
}

/** delta at 0, step, ..., last * step. */
function profile(side: Side, step: number, last: number): Float64Array {
  const out = new Float64Array(last + 1);
  for (let i = 0; i <= last; i++) out[i] = side.delta(i * step);
  return out;
}

/**
 * For negative losses the code works with gamma(e) = delta(e) - (1 - exp(e)) = exp(e) times the reverse divergence at
 * -e: the second difference below maps 1 and exp(e) to zero, so gamma gives the same masses without cancellation.
 */
function connectDots(forward: Float64Array, reverse: Float64Array, step: number): LossMasses {
  const high = forward.length - 1;
  const low = 1 - reverse.length;
  const n = high - low + 1;
  const masses = new Float64Array(n);
  const gain = Math.expm1(step);
  const delta = (i: number): number => (i >= 0 ? forward[i]! : gamma(i) - Math.expm1(i * step));
  const gamma = (i: number): number => (i < 0 ? Math.exp(i * step) * reverse[-i]! : forward[i]! + Math.expm1(i * step));
  const second = (a: number, b: number, c: number): number => Math.max(0, (c - b - (b - a) * (1 + gain)) / gain);
  let [a, b] = [gamma(low), gamma(low + 1)];
  masses[0] = Math.max(0, (b - a) / gain - a);
  for (let i = low + 1; i < 0; i++) {
    const c = gamma(i + 1);
    masses[i - low] = second(a, b, c);
    [a, b] = [b, c];
  }
  [a, b] = [delta(-1), delta(0)];
  for (let i = 0; i < high; i++) {
    const c = delta(i + 1);
    masses[i - low] = second(a, b, c);
    [a, b] = [b, c];
  }
  masses[n - 1] = Math.max(0, (b - a) / Math.expm1(-step));
  return { start: low, masses, infinity: Math.max(0, b) };
}

function round({ forward, reverse }: LossPair, step: number, low: number, high: number, to: "up" | "down"): LossMasses {
  const above = (i: number): number => forward.delta(i * step) + expTimes(i * step, forward.second(i * step));
  const below = (i: number): number => reverse.second(-i * step);
  const n = high - low + 1;
  const masses = new Float64Array(n); // masses[i]: losses in (low + i - 1, low + i]
  for (let i = low; i < 0; i++) masses[i - low] = i === low ? below(i) : Math.max(0, below(i) - below(i - 1));
  masses[-low] = Math.max(0, 1 - above(0) - below(-1));
  for (let i = 1; i <= high; i++) masses[i - low] = Math.max(0, above(i - 1) - above(i));
  const rest = above(high);
  if (to === "up") return { start: low, masses, infinity: rest };
  masses[n - 1]! += rest;
  return { start: low - 1, masses, infinity: 0 };
}
