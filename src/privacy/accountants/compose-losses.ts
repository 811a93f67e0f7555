import { complexZeros, forward, inverse, multiplyPowers } from "./fft.ts";
import type { LossMasses } from "./discretize.ts";

export interface CountedMasses {
  readonly parts: readonly LossMasses[];
  readonly counts: readonly number[];
}

/** Mass that the truncation of a composed distribution may cut off on each side; it is added to the mass at infinity. */
const TAIL = 1e-15;

interface Window {
  readonly low: number;
  readonly high: number;
}

/**
 * Where the sum of independent losses lies but for TAIL on each side, by Chernoff's bound over a few orders (small ones where losses are rare and large), in grid
 * steps.
 */
export function windowOf({ parts, counts }: CountedMasses): Window {
  let [least, most, mean, variance] = [0, 0, 0, 0];
  parts.forEach((part, p) => {
    let [sum, sumSquares, weight] = [0, 0, 0];
    part.masses.forEach((mass, i) => {
      const loss = part.start + i;
      weight += mass;
      sum += mass * loss;
      sumSquares += mass * loss * loss;
    });
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
    const up = logMoments(parts, counts, order);
    const down = logMoments(parts, counts, -order);
    high = Math.min(high, Math.ceil((up - Math.log(TAIL)) / order));
    low = Math.max(low, Math.floor((down - Math.log(TAIL)) / -order));
  }
  return low <= high ? { low, high } : { low: Math.floor(mean), high: Math.ceil(mean) };
}

/** Sum over the parts of count * log E[exp(order * loss)], finite losses only. */
function logMoments(parts: readonly LossMasses[], counts: readonly number[], order: number): number {
  let total = 0;
  parts.forEach(({ start, masses }, p) => {
    // Horner's rule from the end whose weight is largest, so that nothing overflows.
    const n = masses.length;
    const ratio = Math.exp(-Math.abs(order));
    let sum = 0;
    if (order > 0) for (let i = 0; i < n; i++) sum = sum * ratio + masses[i]!;
    else for (let i = n - 1; i >= 0; i--) sum = sum * ratio + masses[i]!;
    const heaviest = order > 0 ? start + n - 1 : start;
    total += counts[p]! * (Math.log(sum) + order * heaviest);
  });
  return total;
}

/**
 * The distributions of two sums of losses (the two directions of a neighbouring relation) by one Fourier transform of
 * length a power of two. What the circle wraps is below TAIL, and the rounding error of the transforms grows with the
 * number of factors: both are added to the mass at infinity.
 */
export function composePair(first: CountedMasses, second: CountedMasses): [LossMasses, LossMasses] {
  const windows = [windowOf(first), windowOf(second)] as const;
  const length = Math.max(...windows.map((w) => w.high - w.low + 1));
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
  return [read(product.re, windows[0], first), read(product.im, windows[1], second)];
}

/** Adds the masses onto a circle. */
function place({ start, masses }: LossMasses, circle: Float64Array): void {
  const mask = circle.length - 1;
  const offset = ((start % circle.length) + circle.length) % circle.length;
  for (let i = 0; i < masses.length; i++) circle[(offset + i) & mask]! += masses[i]!;
}

function read(circle: Float64Array, { low, high }: Window, { parts, counts }: CountedMasses): LossMasses {
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
