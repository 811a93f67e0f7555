/**
 * Fourier transforms of real sequences in pairs, length a power of two. The forward transform leaves its result in
 * bit-reversed order and the inverse takes it so: powers and products are taken element by element, and no reordering
 * is needed.
 */
export interface ComplexArray {
  readonly re: Float64Array;
  readonly im: Float64Array;
}

export const complexZeros = (n: number): ComplexArray => ({ re: new Float64Array(n), im: new Float64Array(n) });

let cached: ComplexArray = complexZeros(0);

/**
 * exp(-pi i j / half) at index half + j, for every half = 1, 2, 4, ... below n: each pass reads its own stretch in order. A
 * table serves all shorter lengths.
 */
function twiddles(n: number): ComplexArray {
  if (cached.re.length < n) {
    cached = complexZeros(n);
    for (let half = 1; half < n; half *= 2) {
      for (let j = 0; j < half; j++) {
        cached.re[half + j] = Math.cos((Math.PI * j) / half);
        cached.im[half + j] = -Math.sin((Math.PI * j) / half);
      }
    }
  }
  return cached;
}

/** In place, decimation in frequency: natural order in, bit-reversed order out. */
export function forward({ re, im }: ComplexArray): void {
  const n = re.length;
  const { re: wr, im: wi } = twiddles(n);
  for (let half = n >> 1; half >= 1; half >>= 1) {
    for (let start = 0; start < n; start += 2 * half) {
      for (let j = 0, k = half; j < half; j++, k++) {
        const a = start + j;
        const b = a + half;
        const dr = re[a]! - re[b]!;
        const di = im[a]! - im[b]!;
        re[a] = re[a]! + re[b]!;
        im[a] = im[a]! + im[b]!;
        re[b] = dr * wr[k]! - di * wi[k]!;
        im[b] = dr * wi[k]! + di * wr[k]!;
      }
    }
  }
}

/** In place, the inverse of `forward`, scaled by 1 / n: bit-reversed order in, natural order out. */
export function inverse({ re, im }: ComplexArray): void {
  const n = re.length;
  const { re: wr, im: wi } = twiddles(n);
  for (let half = 1; half < n; half <<= 1) {
    for (let start = 0; start < n; start += 2 * half) {
      for (let j = 0, k = half; j < half; j++, k++) {
        const a = start + j;
        const b = a + half;
        const br = re[b]! * wr[k]! + im[b]! * wi[k]!;
        const bi = im[b]! * wr[k]! - re[b]! * wi[k]!;
        re[b] = re[a]! - br;
        im[b] = im[a]! - bi;
        re[a] = re[a]! + br;
        im[a] = im[a]! + bi;
      }
    }
  }
  for (let i = 0; i < n; i++) {
    re[i]! /= n;
    im[i]! /= n;
  }
}

/** Where the frequency -k stands in bit-reversed order, given where k stands. */
export function mirror(index: number): number {
  if (index < 2) return index;
  const block = 1 << (31 - Math.clz32(index));
  return 3 * block - 1 - index;
}

/**
 * The transform of one real sequence in `re` and another in `im`, each raised to the whole power `count`, multiplied
 * into `product` (same packing: the spectrum of re + i im).
 */
export function multiplyPowers(product: ComplexArray, factor: ComplexArray, count: number): void {
  const { re, im } = factor;
  const out = new Float64Array(2);
  for (let j = 0; j < re.length; j++) {
    const m = mirror(j);
    if (m < j) continue;
    // Spectra of the two real sequences at this frequency; at -k they are the conjugates.
    power((re[j]! + re[m]!) / 2, (im[j]! - im[m]!) / 2, count, out);
    const [ar, ai] = [out[0]!, out[1]!];
    power((im[j]! + im[m]!) / 2, (re[m]! - re[j]!) / 2, count, out);
    const [br, bi] = [out[0]!, out[1]!];
    const pr = (product.re[j]! + product.re[m]!) / 2;
    const pi = (product.im[j]! - product.im[m]!) / 2;
    const qr = (product.im[j]! + product.im[m]!) / 2;
    const qi = (product.re[m]! - product.re[j]!) / 2;
    const sr = pr * ar - pi * ai;
    const si = pr * ai + pi * ar;
    const tr = qr * br - qi * bi;
    const ti = qr * bi + qi * br;
    product.re[j] = sr - ti;
    product.im[j] = si + tr;
    product.re[m] = sr + ti;
    product.im[m] = tr - si;
  }
}

/** (x + i y)^count by squaring. */
function power(x: number, y: number, count: number, out: Float64Array): void {
  let r = 1;
  let i = 0;
  for (let n = count; n > 0; n = Math.floor(n / 2)) {
    if (n % 2 === 1) {
      const before = r;
      r = before * x - i * y;
      i = before * y + i * x;
    }
    const square = x * x - y * y;
    y = 2 * x * y;
    x = square;
    if (r * r + i * i < 1e-300) break;
  }
  out[0] = r;
  out[1] = i;
}
