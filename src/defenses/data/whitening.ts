/** Share of the mean variance that is added to every direction, so that directions without spread do not explode. */
const RIDGE = 0.02;

/**
 * For each class its centred rows, in units of how much rows of all classes spread around their class's mean in every
 * direction (the pooled covariance within classes becomes the identity). What all classes vary in is levelled, and a
 * planted group, which only one class has, stands out. Features have shape [n, width]; the answer holds one
 * [rows of the class, width] array for each class.
 */
export function whitenedWithin(
  features: Float32Array,
  width: number,
  classes: readonly (readonly number[])[],
): Float32Array[] {
  const centred = classes.map((rows) => centre(features, width, rows));
  const total = new Float64Array(width * width);
  for (const x of centred) addScatter(total, x, width);
  const all = classes.reduce((sum, rows) => sum + rows.length, 0);
  const factor = cholesky(
    total.map((v) => v / Math.max(1, all)),
    width,
  );
  return factor === null ? centred : centred.map((x) => solve(x, factor, width));
}

function centre(features: Float32Array, width: number, rows: readonly number[]): Float32Array {
  const mean = new Float64Array(width);
  for (const row of rows) for (let j = 0; j < width; j++) mean[j]! += features[row * width + j]! / rows.length;
  const out = new Float32Array(rows.length * width);
  rows.forEach((row, i) => {
    for (let j = 0; j < width; j++) out[i * width + j] = features[row * width + j]! - mean[j]!;
  });
  return out;
}

/** Adds the lower triangle of x^T x. */
function addScatter(out: Float64Array, x: Float32Array, width: number): void {
  for (let from = 0; from < x.length; from += width) {
    for (let a = 0; a < width; a++) {
      const v = x[from + a]!;
      if (v !== 0) for (let b = 0; b <= a; b++) out[a * width + b]! += v * x[from + b]!;
    }
  }
}

/** Lower factor of the matrix with a ridge; null when there is no variance at all. Writes into its argument. */
function cholesky(c: Float64Array, width: number): Float64Array | null {
  let trace = 0;
  for (let a = 0; a < width; a++) trace += c[a * width + a]!;
  if (!(trace > 0)) return null;
  for (let a = 0; a < width; a++) c[a * width + a]! += (RIDGE * trace) / width;
  for (let a = 0; a < width; a++) {
    for (let b = 0; b <= a; b++) {
      let v = c[a * width + b]!;
      for (let k = 0; k < b; k++) v -= c[a * width + k]! * c[b * width + k]!;
      c[a * width + b] = a === b ? Math.sqrt(Math.max(v, Number.MIN_VALUE)) : v / c[b * width + b]!;
    }
  }
  return c;
}

/** L^-1 applied to every row, by forward substitution. */
function solve(x: Float32Array, factor: Float64Array, width: number): Float32Array {
  const out = new Float32Array(x.length);
  for (let from = 0; from < x.length; from += width) {
    for (let a = 0; a < width; a++) {
      let v = x[from + a]!;
      for (let k = 0; k < a; k++) v -= factor[a * width + k]! * out[from + k]!;
      out[from + a] = v / factor[a * width + a]!;
    }
  }
  return out;
}
