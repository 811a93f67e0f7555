/** For each row the `length` nearest other rows (Euclidean), nearest first; ties by position. */
export interface NeighbourLists {
  readonly length: number;
  /** Shape [n, length]; unused places hold -1. */
  readonly rows: Int32Array;
}

/** Exact, by brute force: n^2 width / 2 multiplications and n * length memory. */
export function neighbours(features: Float32Array, width: number, length: number): NeighbourLists {
  const n = features.length / width;
  const rows = new Int32Array(n * length).fill(-1);
  const distance = new Float64Array(n * length).fill(Infinity);
  const insert = (at: number, other: number, d: number): void => {
    const base = at * length;
    if (d >= distance[base + length - 1]!) return;
    let place = length - 1;
    while (place > 0 && distance[base + place - 1]! > d) {
      distance[base + place] = distance[base + place - 1]!;
      rows[base + place] = rows[base + place - 1]!;
      place--;
    }
    distance[base + place] = d;
    rows[base + place] = other;
  };
  for (let i = 0; i < n; i++) {
    for (let j = i + 1; j < n; j++) {
      let d = 0;
      for (let c = 0; c < width; c++) {
        const gap = features[i * width + c]! - features[j * width + c]!;
        d += gap * gap;
      }
      insert(i, j, d);
      insert(j, i, d);
    }
  }
  return { length, rows };
}

/**
 * Share of the vote against each row's own label among its k nearest members, where a vote counts 1 / (rows of its class):
 * a rare class is not outvoted for being rare. `outvoted` says that another class has more votes.
 */
export function disagreement(
  lists: NeighbourLists,
  labels: Int32Array,
  classes: number,
  member: Uint8Array,
  k: number,
  out: { against: Float64Array; outvoted: Uint8Array; alone: Uint8Array },
): void {
  const size = new Float64Array(classes);
  labels.forEach((y, i) => (size[y]! += member[i]!));
  const votes = new Float64Array(classes);
  const { rows, length } = lists;
  for (let i = 0; i < labels.length; i++) {
    votes.fill(0);
    let seen = 0;
    let total = 0;
    for (let place = 0; place < length && seen < k; place++) {
      const other = rows[i * length + place]!;
      if (other < 0) break;
      if (member[other] === 0) continue;
      const y = labels[other]!;
      votes[y]! += 1 / size[y]!;
      total += 1 / size[y]!;
      seen++;
    }
    const own = votes[labels[i]!]!;
    let best = 0;
    for (const v of votes) if (v > best) best = v;
    out.against[i] = total === 0 ? 0 : 1 - own / total;
    out.outvoted[i] = best > own * (1 + 1e-12) ? 1 : 0;
    out.alone[i] = total > 0 && own === 0 ? 1 : 0;
  }
}
