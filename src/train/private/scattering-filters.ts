/** A complex matrix, row-major. */
export interface Complex {
  readonly rows: number;
  readonly columns: number;
  readonly re: Float64Array;
  readonly im: Float64Array;
}

/** The matrix of entries f(row, column) = [real, imaginary]. */
export function complex(
  rows: number,
  columns: number,
  f: (r: number, c: number) => readonly [number, number],
): Complex {
  const [re, im] = [new Float64Array(rows * columns), new Float64Array(rows * columns)];
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) [re[r * columns + c], im[r * columns + c]] = f(r, c);
  }
  return { rows, columns, re, im };
}

export function product(a: Complex, b: Complex): Complex {
  return complex(a.rows, b.columns, (r, c) => {
    let [x, y] = [0, 0];
    for (let k = 0; k < a.columns; k++) {
      const [i, j] = [r * a.columns + k, k * b.columns + c];
      x += a.re[i]! * b.re[j]! - a.im[i]! * b.im[j]!;
      y += a.re[i]! * b.im[j]! + a.im[i]! * b.re[j]!;
    }
    return [x, y];
  });
}

/** Discrete Fourier transform of n samples; `inverse` with 1 / n, at every `step`-th place alone. */
export const dft = (n: number): Complex => complex(n, n, (r, c) => unit((-2 * Math.PI * ((r * c) % n)) / n));
export const inverseDft = (n: number, step = 1): Complex =>
  complex(n / step, n, (r, c) => {
    const [x, y] = unit((2 * Math.PI * ((r * step * c) % n)) / n);
    return [x / n, y / n];
  });
const unit = (angle: number): [number, number] => [Math.cos(angle), Math.sin(angle)];

/** Rows that continue n samples on both sides by reflection, without repeating the last one. */
export const reflected = (n: number, before: number, after: number): Complex =>
  complex(before + n + after, n, (r, c) => {
    const period = 2 * (n - 1);
    const at = (((r - before) % period) + period) % period;
    return [Number((at < n ? at : period - at) === c), 0];
  });

const ORIENTATIONS = 8;
/** Kymatio writes pi so in the amplitude of its filters. */
const PI = 31415 / 10_000;

/** An oriented Gaussian times a wave, on the torus of n x n. */
function gabor(n: number, sigma: number, theta: number, xi: number, slant: number): Complex {
  const [cos, sin] = [Math.cos(theta), Math.sin(theta)];
  const curve = 2 * sigma * sigma;
  const xx = (cos * cos + slant * slant * sin * sin) / curve;
  const yy = (sin * sin + slant * slant * cos * cos) / curve;
  const xy = (2 * sin * cos * (1 - slant * slant)) / curve;
  const amplitude = slant / (2 * PI * sigma * sigma);
  return complex(n, n, (r, c) => {
    let [re, im] = [0, 0];
    for (let ex = -2; ex <= 2; ex++) {
      for (let ey = -2; ey <= 2; ey++) {
        const [x, y] = [r + ex * n, c + ey * n];
        const size = amplitude * Math.exp(-(xx * x * x + xy * x * y + yy * y * y));
        const phase = xi * (x * cos + y * sin);
        re += size * Math.cos(phase);
        im += size * Math.sin(phase);
      }
    }
    return [re, im];
  });
}

/** Fourier transforms, real, of the eight Morlet wavelets of scale j: mean zero, width 0.8 2^j, frequency 3 pi / 4 / 2^j. */
export function morlets(n: number, j: number): readonly Float64Array[] {
  const slant = 4 / ORIENTATIONS;
  const f = dft(n);
  return Array.from({ length: ORIENTATIONS }, (_, k) => {
    const theta = ((ORIENTATIONS / 2 - 1 - k) * Math.PI) / ORIENTATIONS;
    const wave = gabor(n, 0.8 * 2 ** j, theta, (0.75 * Math.PI) / 2 ** j, slant);
    const bump = gabor(n, 0.8 * 2 ** j, theta, 0, slant);
    const sum = (v: Float64Array): number => v.reduce((a, b) => a + b, 0);
    const total = sum(bump.re);
    const [kr, ki] = [sum(wave.re) / total, sum(wave.im) / total];
    const morlet = {
      ...wave,
      re: wave.re.map((v, i) => v - kr * bump.re[i]!),
      im: wave.im.map((v, i) => v - ki * bump.re[i]!),
    };
    return product(product(f, morlet), f).re;
  });
}

/**
 * Low-pass of width 0.8 2^(J-1), J = 2, of one axis of m samples (a whole number of octaves below n), read at every
 * fourth sample of n without the first and last: rows are outputs.
 */
export function lowPass(n: number, m: number): Float64Array {
  const sigma = 1.6;
  const signal = complex(n, 1, (x) => {
    let v = 0;
    for (let e = -2; e <= 2; e++) v += Math.exp(-((x + e * n) ** 2) / (2 * sigma * sigma));
    return [v / Math.sqrt(2 * PI * sigma * sigma), 0];
  });
  const spectrum = product(dft(n), signal).re;
  const kept = complex(m, 1, (k) => [spectrum[k < m / 2 ? k : k + n - m]!, 0]);
  const kernel = product(inverseDft(m), kept).re;
  const step = (4 * m) / n;
  const outputs = n / 4 - 2;
  return Float64Array.from({ length: outputs * m }, (_, i) => {
    const [p, y] = [Math.floor(i / m) + 1, i % m];
    return kernel[(((p * step - y) % m) + m) % m]!;
  });
}
