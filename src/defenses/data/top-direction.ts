/** A leading direction of some rows, and every row's coordinate on it. */
export interface TopDirection {
  /** Unit vector. */
  readonly direction: Float64Array;
  /** Coordinate of each of the rows, after centring. */
  readonly coordinates: Float64Array;
  readonly variance: number;
}

/**
 * Leading singular directions of the given rows, each by power iteration from the direction of the longest row on what the
 * ones before it leave. `centred` false keeps the mean in, as some implementations do by mistake. Features have shape
 * [n, width].
 */
export function topDirections(
  features: Float32Array,
  width: number,
  rows: readonly number[],
  count: number,
  centred = true,
): TopDirection[] {
  const n = rows.length;
  const x = new Float64Array(n * width);
  const mean = new Float64Array(width);
  if (centred) {
    for (const row of rows) for (let j = 0; j < width; j++) mean[j]! += features[row * width + j]! / n;
  }
  rows.forEach((row, i) => {
    for (let j = 0; j < width; j++) x[i * width + j] = features[row * width + j]! - mean[j]!;
  });
  return Array.from({ length: count }, () => {
    const top = power(x, n, width);
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < width; j++) x[i * width + j]! -= top.coordinates[i]! * top.direction[j]!;
    }
    return top;
  });
}

function power(x: Float64Array, n: number, width: number): TopDirection {
  const direction = new Float64Array(width);
  let longest = 0;
  for (let i = 0; i < n; i++) {
    let square = 0;
    for (let j = 0; j < width; j++) square += x[i * width + j]! ** 2;
    if (square > longest) {
      longest = square;
      for (let j = 0; j < width; j++) direction[j] = x[i * width + j]! / Math.sqrt(square);
    }
  }
  const coordinates = new Float64Array(n);
  if (longest === 0) return { direction, coordinates, variance: 0 };
  let before = 0;
  for (let round = 0; round < 200; round++) {
    let total = 0;
    for (let i = 0; i < n; i++) {
      let dot = 0;
      for (let j = 0; j < width; j++) dot += x[i * width + j]! * direction[j]!;
      coordinates[i] = dot;
      total += dot * dot;
    }
    if (round > 0 && total - before <= 1e-9 * total) break;
    before = total;
    const next = new Float64Array(width);
    for (let i = 0; i < n; i++) for (let j = 0; j < width; j++) next[j]! += coordinates[i]! * x[i * width + j]!;
    let square = 0;
    for (const v of next) square += v * v;
    if (square === 0) break;
    for (let j = 0; j < width; j++) direction[j] = next[j]! / Math.sqrt(square);
  }
  return { direction, coordinates, variance: before / Math.max(1, n) };
}
