import { complexZeros, forward, inverse, multiplyPowers } from "./fft.ts";
import type { LossMasses } from "./discretize.ts";

export interface CountedMasses {
  readonly parts: readonly LossMasses[];
  readonly counts: readonly number[];
}

/** Mass that the truncation of a composed distribution may cut off on each side; it is added to the mass at infinity. */
const TAIL = 1e-15;

/** Where the sum of independent losses lies but for TAIL on each side, in grid steps. */
export interface InWindow extends CountedMasses {
  readonly low: number;
  readonly high: number;
}

/** Finds the window by Chernoff's bound over a few orders (small ones where losses are rare and large). */
export function inWindow(counted: CountedMasses): InWindow {
  const { parts, counts } = counted;
  let [least, most, mean, variance] = [0, 0, 0, 0];
  parts.forEach((part, p) => {
    const { masses, start } = part;
    let [sum, sumSquares, weight] = [0, 0, 0];
    for (let i = 0; i < masses.length; i++) {
      const mass = masses[i]!;
      const loss = start + i;
      weight += mass;
      sum += mass * loss;
      sumSquares += mass * loss * loss;
    }
    const average = weight > 0 ? sum / weight : 0;
    mean += counts[p]! * average;
    variance += counts[p]! * Math.max(0, sumSquares / Math.max(weight, 1e-300) - average * average);
    least += counts[p]! * part.start;
    most += counts[p]! * (part.start + part.masses.length - 1);
  });
  let [low, high] = [least, most];
  const typical = Math.sqrt((-2 * Math.log(TAIL)) / Math.max(variance, 1e-12));
  for (const factor of [1e-4, 1e-3, 0.01, 0.03, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 1, 1.3, 2, 4]) {
    const order = typical * factor;
    const [up, down] = logMoments(parts, counts, order);
    high = Math.min(high, Math.ceil((up - Math.log(TAIL)) / order));
    low = Math.max(low, Math.floor((down - Math.log(TAIL)) / -order));
  }
  return low <= high ? { parts, counts, low, high } : { parts, counts, low: Math.floor(mean), high: Math.ceil(mean) };
}

/** Sum over the parts of count * log E[exp(order * loss)], finite losses only, for order and -order. */
function logMoments(parts: readonly LossMasses[], counts: readonly number[], order: number): [number, number] {
  let [above, below] = [0, 0];
  const ratio = Math.exp(-order);
  parts.forEach(({ start, masses }, p) => {
    // Horner's rule from the end whose weight is largest, so that nothing overflows; both in one pass, for speed.
    const n = masses.length;
    let [up, down] = [0, 0];
    for (let i = 0; i < n; i++) {
      up = up * ratio + masses[i]!;
      down = down * ratio + masses[n - 1 - i]!;
    }
    above += counts[p]! * (Math.log(up) + order * (start + n - 1));
    below += counts[p]! * (Math.log(down) - order * start);
  });
  return [above, below];
}

/**
 * The distributions of two sums of losses (the two directions of a neighbouring relation) by one Fourier transform of
 * length a power of two. What the circle wraps is below TAIL, and the rounding error of the transforms grows with the
 * number of factors: both are added to the mass at infinity.
 */
export function composePair(first: InWindow, second: InWindow): [LossMasses, LossMasses] {
  const length = Math.max(first.high - first.low, second.high - second.low) + 1;
  const n = 2 ** Math.max(1, Math.ceil(Math.log2(length)));
  const product = complexZeros(n);
  product.re.fill(1); // the transform of a unit at zero, in both parts: 1 + i
  product.im.fill(1);
  const factor = complexZeros(n);
  first.parts.forEach((part, p) => {
    factor.re.fill(0);
    factor.im.fill(0);
    place(part, factor.re);
    place(second.parts[p]!, factor.im);
    forward(factor);
    multiplyPowers(product, factor, first.counts[p]!);
  });
  inverse(product);
  return [read(product.re, first), read(product.im, second)];
}

/** Adds the masses onto a circle. */
function place({ start, masses }: LossMasses, circle: Float64Array): void {
  const mask = circle.length - 1;
  const offset = ((start % circle.length) + circle.length) % circle.length;
  for (let i = 0; i < masses.length; i++) circle[(offset + i) & mask]! += masses[i]!;
}

function read(circle: Float64Array, { low, high, parts, counts }: InWindow): LossMasses {
  const n = circle.length;
  const offset = ((low % n) + n) % n;
  const masses = new Float64Array(high - low + 1);
  for (let i = 0; i < masses.length; i++) masses[i] = Math.max(0, circle[(offset + i) & (n - 1)]!);
  let logFinite = 0;
  let factors = 0;
  parts.forEach((part, p) => {
    logFinite += counts[p]! * Math.log1p(-Math.min(1, part.infinity));
    factors += counts[p]!;
  });
  const rounding = factors > 1 ? 2e-16 * factors + 1e-13 : 0;
  return { start: low, masses, infinity: Math.min(1, -Math.expm1(logFinite) + 2 * TAIL + rounding) };
}
