/**
 * Exact samplers: Canonne, Kamath and Steinke 2020, "The discrete Gaussian for differential privacy", section 5. Every
 * decision compares a uniform random number, drawn bit by bit as far as needed, with a rational number. Doubles serve
 * only to decide the clear cases: each carries a bound of its error, and what is closer goes to whole numbers of any size.
 */
import type { NoiseSource } from "./source.ts";

/** A rational number, d > 0. */
export interface Ratio {
  readonly n: bigint;
  readonly d: bigint;
}

/** The exact value of a finite double. */
export function ratioOf(x: number): Ratio {
  let d = 1n;
  let scaled = x;
  while (!Number.isInteger(scaled)) {
    scaled *= 2;
    d *= 2n;
  }
  return { n: BigInt(scaled), d };
}

const TWO_32 = 2 ** 32;
const ULP = 2 ** -52;

/** Uniform on 0 .. n - 1 for a whole n from 1 to 2^53, by rejection. */
export function uniformBelow(source: NoiseSource, n: number): number {
  if (n <= TWO_32) {
    const limit = TWO_32 - (TWO_32 % n);
    for (;;) {
      const word = source.uint32();
      if (word < limit) return word % n;
    }
  }
  const top = 2 ** 53;
  const limit = top - (top % n);
  for (;;) {
    const word = (source.uint32() >>> 11) * TWO_32 + source.uint32();
    if (word < limit) return word % n;
  }
}

/** True when a fresh uniform number of [0, 1) is below the ratio, of which `near` is a double within `error`. */
function uniformIsBelow(source: NoiseSource, near: number, error: number, exact: () => Ratio): boolean {
  const bits = (source.uint32() >>> 12) * TWO_32 + source.uint32();
  const u = bits * ULP;
  if (u + ULP <= near - error) return true;
  if (u >= near + error) return false;
  const { n, d } = exact();
  let drawn = BigInt(bits);
  for (let size = 52n; ; size += 32n) {
    if ((drawn + 1n) * d <= n << size) return true;
    if (drawn * d >= n << size) return false;
    drawn = (drawn << 32n) | BigInt(source.uint32());
  }
}

export function bernoulli(source: NoiseSource, p: Ratio): boolean {
  return uniformIsBelow(source, Number(p.n) / Number(p.d), 4 * ULP, () => p);
}

const ONE: Ratio = { n: 1n, d: 1n };

/** True with probability exp(-x) for x in [0, 1]: von Neumann's series. */
function bernoulliExpUnit(source: NoiseSource, near: number, error: number, exact: () => Ratio): boolean {
  for (let k = 1; ; k++) {
    const at = k;
    const part = (): Ratio => {
      const { n, d } = exact();
      return { n, d: d * BigInt(at) };
    };
    if (!uniformIsBelow(source, near / k, error / k + ULP, part)) return k % 2 === 1;
  }
}

/** True with probability exp(-x), x >= 0 given as a double within `error` and exactly. */
export function bernoulliExp(source: NoiseSource, near: number, error: number, exact: () => Ratio): boolean {
  let whole = Math.floor(near - error);
  if (whole !== Math.floor(near + error) || whole < 0) {
    const { n, d } = exact();
    whole = Number(n / d);
  }
  for (let i = 0; i < whole; i++) if (!bernoulliExpUnit(source, 1, 0, () => ONE)) return false;
  const rest = (): Ratio => {
    const { n, d } = exact();
    return { n: n - BigInt(whole) * d, d };
  };
  return bernoulliExpUnit(source, near - whole, error + ULP * Math.max(1, near), rest);
}

/** Integer x with probability proportional to exp(-|x| / scale), scale a whole number up to 2^40. */
export function discreteLaplaceSample(source: NoiseSource, scale: number): number {
  for (;;) {
    const u = uniformBelow(source, scale);
    if (!bernoulliExp(source, u / scale, ULP, () => ({ n: BigInt(u), d: BigInt(scale) }))) continue;
    let v = 0;
    while (bernoulliExpUnit(source, 1, 0, () => ONE)) v++;
    const size = u + scale * v;
    const negative = source.uint32() >= 2 ** 31;
    if (negative && size === 0) continue;
    return negative ? -size : size;
  }
}

/** The same for a rational scale. */
export function discreteLaplaceOfRatio(source: NoiseSource, scale: Ratio): bigint {
  const t = scale.n;
  for (;;) {
    const u = uniformBelowBig(source, t);
    if (!bernoulliExp(source, Number(u) / Number(t), 4 * ULP, () => ({ n: u, d: t }))) continue;
    let v = 0n;
    while (bernoulliExpUnit(source, 1, 0, () => ONE)) v++;
    const size = (u + t * v) / scale.d;
    const negative = source.uint32() >= 2 ** 31;
    if (negative && size === 0n) continue;
    return negative ? -size : size;
  }
}

function uniformBelowBig(source: NoiseSource, n: bigint): bigint {
  if (n <= BigInt(Number.MAX_SAFE_INTEGER)) return BigInt(uniformBelow(source, Number(n)));
  const words = Math.ceil(n.toString(2).length / 32);
  const excess = BigInt(32 * words - n.toString(2).length);
  for (;;) {
    let drawn = 0n;
    for (let i = 0; i < words; i++) drawn = (drawn << 32n) | BigInt(source.uint32());
    drawn >>= excess;
    if (drawn < n) return drawn;
  }
}

/** A sampler of integers x with probability proportional to exp(-x² / (2 sigma²)), sigma a double from 2^-20 to 2^38. */
export function discreteGaussianSampler(source: NoiseSource, sigma: number): () => number {
  const { n, d } = ratioOf(sigma);
  const t = Math.floor(sigma) + 1;
  const big = BigInt(t);
  const centre = (sigma * sigma) / t;
  return () => {
    for (;;) {
      const y = discreteLaplaceSample(source, t);
      const off = Math.abs(y) - centre;
      const near = (off * off) / (2 * sigma * sigma);
      const error = 16 * ULP * (Math.abs(y) / sigma + sigma / t + 1) ** 2;
      const exact = (): Ratio => {
        const top = BigInt(Math.abs(y)) * d * d * big - n * n;
        return { n: top * top, d: 2n * d * d * big * big * n * n };
      };
      if (bernoulliExp(source, near, error, exact)) return y;
    }
  };
}
