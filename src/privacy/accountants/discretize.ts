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

/** The loss distribution of P against Q on a grid. */
export function discretize(pair: LossPair, step: number, rounding: Rounding): LossMasses {
  const high = Math.ceil(reachOf(pair.forward) / step) + 1;
  const low = -Math.ceil(reachOf(pair.reverse) / step) - 1;
  return rounding === "connect-the-dots" ? connectDots(pair, step, low, high) : round(pair, step, low, high, rounding);
}

/**
 * For negative losses the code works with gamma(e) = delta(e) - (1 - exp(e)) = exp(e) times the reverse divergence at
 * -e: the second difference below maps 1 and exp(e) to zero, so gamma gives the same masses without cancellation.
 */
function connectDots({ forward, reverse }: LossPair, step: number, low: number, high: number): LossMasses {
  const n = high - low + 1;
  const masses = new Float64Array(n);
  const gain = Math.expm1(step);
  const delta = (i: number): number => (i >= 0 ? forward.delta(i * step) : gamma(i) - Math.expm1(i * step));
  const gamma = (i: number): number =>
    i < 0 ? Math.exp(i * step) * reverse.delta(-i * step) : forward.delta(i * step) + Math.expm1(i * step);
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
