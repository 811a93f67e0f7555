/** Share of the mean variance that is added to every direction, so that directions without spread do not explode. */
const RIDGE = 0.02;

/** Share of each class whose rows lie farthest out that the robust covariance leaves out, and how often it looks again. */
const TRIM = 0.25;
const PASSES = 3;

/**
 * For each class its centred rows, in units of how much rows of all classes spread around their class's mean in every
 * direction (the pooled covariance within classes becomes the identity). What all classes vary in is levelled, and a
 * planted group, which only one class has, stands out. So that the group does not hide itself by spreading the covariance,
 * the farthest quarter of every class is left out of it, three times over (concentration steps, Rousseeuw and Van Driessen
 * 1999). Features have shape [n, width]; the answer holds one [rows of the class, width] array for each class.
 */
export function whitenedWithin(
  features: Float32Array,
  width: number,
  classes: readonly (readonly number[])[],
): Float32Array[] {
  let white = whitenedBy(features, width, classes, classes);
  for (let pass = 0; pass < PASSES; pass++) {
    const core = classes.map((rows, label) => nearest(rows, white[label]!, width, 1 - TRIM));
    white = whitenedBy(features, width, classes, core);
  }
  return white;
}

/** Whitened by mean and covariance of the rows of `core`, class by class. */
function whitenedBy(
  features: Float32Array,
  width: number,
  classes: readonly (readonly number[])[],
  core: readonly (readonly number[])[],
): Float32Array[] {
  const means = core.map((rows) => meanOf(features, width, rows));
  const total = new Float64Array(width * width);
  core.forEach((rows, label) => addScatter(total, centre(features, width, rows, means[label]!), width));
  const all = core.reduce((sum, rows) => sum + rows.length, 0);
  const factor = cholesky(
    total.map((v) => v / Math.max(1, all)),
    width,
  );
  const centred = classes.map((rows, label) => centre(features, width, rows, means[label]!));
  return factor === null ? centred : centred.map((x) => solve(x, factor, width));
}

/** The given share of rows whose whitened vectors are the shortest. */
function nearest(rows: readonly number[], white: Float32Array, width: number, share: number): number[] {
  const length = rows.map((_, i) => {
    let square = 0;
    for (let j = 0; j < width; j++) square += white[i * width + j]! ** 2;
    return square;
  });
  return rows
    .map((_, i) => i)
    .toSorted((a, b) => length[a]! - length[b]! || a - b)
    .slice(0, Math.ceil(share * rows.length))
    .map((i) => rows[i]!);
}

function meanOf(features: Float32Array, width: number, rows: readonly number[]): Float64Array {
  const mean = new Float64Array(width);
  for (const row of rows) for (let j = 0; j < width; j++) mean[j]! += features[row * width + j]! / rows.length;
  return mean;
}

function centre(features: Float32Array, width: number, rows: readonly number[], mean: Float64Array): Float32Array {
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
