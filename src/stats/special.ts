/**
 * Special functions in double precision. Relative error below 1e-13 wherever the vectors of `test/vectors/special.json`
 * (mpmath, 40 digits) look; lgamma near its zeros at 1 and 2 has that error absolutely.
 */
export { normalQuantile } from "../random/normal-quantile.ts";

const HALF_LOG_TAU = 0.9189385332046728; // log(2 pi) / 2
const SQRT_PI = 1.7724538509055159;
const STIRLING = [1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156, -3617 / 122400];

/** log Gamma(x) for x > 0; Infinity at 0, NaN below. Stirling's series after a shift to x >= 10. */
export function lgamma(x: number): number {
  if (!(x >= 0)) return NaN;
  if (x === 0) return Infinity;
  if (x === 1 || x === 2) return 0;
  let product = 1;
  while (x < 10) product *= x++;
  return (x - 0.5) * Math.log(x) - x + HALF_LOG_TAU + stirlingTail(x) - Math.log(product);
}

/** lgamma(z) - ((z - 1/2) log z - z + log(2 pi) / 2), z >= 10. */
function stirlingTail(z: number): number {
  let sum = 0;
  for (let k = STIRLING.length - 1; k >= 0; k--) sum = sum / (z * z) + STIRLING[k]!;
  return sum / z;
}

/** The error of Stirling's formula for Gamma(z + 1), as in Loader (2000), "Fast and accurate computation of binomial probabilities". */
function stirlingError(z: number): number {
  return z >= 10 ? stirlingTail(z) : lgamma(z + 1) - (z + 0.5) * Math.log(z) + z - HALF_LOG_TAU;
}

/** x log(x / m) + m - x without cancellation near x = m (Loader's deviance). */
function deviance(x: number, m: number): number {
  const d = x - m;
  if (Math.abs(d) > 0.1 * (x + m)) return x * Math.log(x / m) - d;
  const v = d / (x + m);
  let term = 2 * x * v;
  let sum = d * v;
  for (let k = 3; k < 60; k += 2) {
    term *= v * v;
    const next = sum + term / k;
    if (next === sum) break;
    sum = next;
  }
  return sum;
}

/**
 * Regularized incomplete beta function I_x(a, b): the probability that a Beta(a, b) variable is at most x. a, b > 0;
 * NaN outside. Continued fraction, prefactor after Loader, so that it stays exact for counts in the millions.
 */
export function betaCdf(x: number, a: number, b: number): number {
  if (!(a > 0 && b > 0) || Number.isNaN(x)) return NaN;
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  const front = betaFront(x, a, b);
  if (x <= (a + 1) / (a + b + 2)) return Math.min(1, (front / a) * betaFraction(x, a, b));
  return 1 - Math.min(1, (front / b) * betaFraction(1 - x, b, a));
}

/** x^a (1 - x)^b / B(a, b). */
function betaFront(x: number, a: number, b: number): number {
  const n = a + b;
  const error = stirlingError(n) - stirlingError(a) - stirlingError(b);
  const exponent = error - deviance(a, n * x) - deviance(b, n * (1 - x));
  return Math.sqrt((a / n) * (b / (2 * Math.PI))) * Math.exp(exponent);
}

/** The continued fraction 26.5.8 of Abramowitz and Stegun by the modified Lentz method. */
function betaFraction(x: number, a: number, b: number): number {
  return lentz((m) => {
    if (m === 0) return [1, 1];
    const k = m >> 1;
    const top = m % 2 === 0 ? k * (b - k) : -(a + k) * (a + b + k);
    const scale = m % 2 === 0 ? (a + m - 1) * (a + m) : (a + m - 1) * (a + m);
    return [(top * x) / scale, 1];
  });
}

/** t0 / (u0 + t1 / (u1 + t2 / (u2 + …))) for [t, u] = term(0), term(1), … */
function lentz(term: (index: number) => readonly [number, number]): number {
  const tiny = 1e-300;
  const [t0, u0] = term(0);
  let c = u0 || tiny;
  let d = 0;
  let value = c;
  for (let i = 1; i < 100_000; i++) {
    const [t, u] = term(i);
    d = 1 / (u + t * d || tiny);
    c = u + t / c || tiny;
    value *= c * d;
    if (Math.abs(c * d - 1) < 1e-16) break;
  }
  return t0 / value;
}

/** The x with I_x(a, b) = p: Newton's method on the logarithm, kept inside a shrinking bracket. */
export function betaQuantile(p: number, a: number, b: number): number {
  if (!(p >= 0 && p <= 1 && a > 0 && b > 0)) return NaN;
  if (p === 0 || p === 1) return p;
  if (p > betaCdf(a / (a + b), a, b)) return 1 - lowerBetaQuantile(1 - p, b, a);
  return lowerBetaQuantile(p, a, b);
}

function lowerBetaQuantile(p: number, a: number, b: number): number {
  let low = 0;
  let high = 1;
  let x = a / (a + b);
  for (let i = 0; i < 300; i++) {
    const cdf = betaCdf(x, a, b);
    if (cdf > p) high = x;
    else low = x;
    const slope = betaFront(x, a, b) / (x * (1 - x));
    let next = cdf > 0 && slope > 0 ? x - (Math.log(cdf / p) * cdf) / slope : NaN;
    if (!(next > low && next < high)) next = low === 0 ? high / 16 : (low + high) / 2;
    if (Math.abs(next - x) <= 1e-16 * x || next === low || next === high) return next;
    x = next;
  }
  return x;
}

/** Upper tail of the chi-square distribution with `degrees` of freedom. */
export function chiSquareTail(x: number, degrees: number): number {
  return x <= 0 ? 1 : upperGamma(degrees / 2, x / 2);
}

/** Regularized upper incomplete gamma function Q(a, x), a > 0, x >= 0. */
export function upperGamma(a: number, x: number): number {
  if (!(a > 0 && x >= 0)) return NaN;
  if (x === 0) return 1;
  if (x === Infinity) return 0;
  const front = Math.sqrt(a / (2 * Math.PI)) * Math.exp(-stirlingError(a) - deviance(a, x));
  if (x > a + 1) return front * lentz((i) => [i === 0 ? 1 : i * (a - i), x - a + 2 * i + 1]);
  let term = 1 / a;
  let sum = term;
  for (let k = 1; term > sum * 1e-17; k++) sum += term *= x / (a + k);
  return 1 - front * sum;
}

/** The error function. */
export function erf(x: number): number {
  const z = Math.abs(x);
  if (Number.isNaN(x)) return NaN;
  return Math.sign(x) * (z < 1.5 ? erfSeries(z) : 1 - erfcTail(z));
}

/** 1 - erf(x), exact in the upper tail. */
export function erfc(x: number): number {
  if (Number.isNaN(x)) return NaN;
  if (x < 0) return 2 - erfc(-x);
  return x < 0.75 ? 1 - erfSeries(x) : erfcTail(x);
}

/** 2 / sqrt(pi) exp(-x²) (x + 2 x³ / 3 + 4 x⁵ / 15 + …): all terms positive. */
function erfSeries(x: number): number {
  let term = x;
  let sum = x;
  for (let k = 1; term > sum * 1e-17; k++) sum += term *= (2 * x * x) / (2 * k + 1);
  return (2 / SQRT_PI) * expMinusSquare(x, 1) * sum;
}

const erfcTail = (x: number): number => (x > 27.3 ? 0 : expMinusSquare(x, 1) * erfcScaled(x));

/** exp(x²) erfc(x), x >= 0.75. */
function erfcScaled(x: number): number {
  return lentz((i) => [i === 0 ? 1 : i / 2, x]) / SQRT_PI;
}

/** exp(-x² / by) with the square split into an exact part and a rest, since its rounding error would count x² times. */
function expMinusSquare(x: number, by: 1 | 2): number {
  const head = Math.fround(x);
  return Math.exp((-head * head) / by) * Math.exp((-(x - head) * (x + head)) / by);
}

/** Standard normal distribution function, exact in the lower tail. */
export function normalCdf(x: number): number {
  const z = -x / Math.SQRT2;
  if (!(z >= 0.75)) return erfc(z) / 2;
  return x < -39 ? 0 : (expMinusSquare(x, 2) * erfcScaled(z)) / 2;
}

/** log of the standard normal distribution function, finite for every finite x. */
export function logNormalCdf(x: number): number {
  if (x > 0) return Math.log1p(-normalCdf(-x));
  if (x > -5) return Math.log(normalCdf(x));
  return -0.5 * x * x + Math.log(erfcScaled(-x / Math.SQRT2) / 2);
}

/** log(sum(exp(z))) over all but the one at `except` (-1 for none), without overflow. */
export function logSumExp(z: ArrayLike<number>, except = -1): number {
  let max = -Infinity;
  for (let k = 0; k < z.length; k++) if (k !== except && z[k]! > max) max = z[k]!;
  if (max === -Infinity) return -Infinity;
  let sum = 0;
  for (let k = 0; k < z.length; k++) if (k !== except) sum += Math.exp(z[k]! - max);
  return max + Math.log(sum);
}
