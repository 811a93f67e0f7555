/** For each row the `k` nearest other rows (Euclidean), nearest first, ties by position; shape [n, k], k < n. */
export function neighbours(features: Float32Array, width: number, k: number): Int32Array {
  const n = features.length / width;
  const rows = new Int32Array(n * k).fill(-1);
  const distance = new Float64Array(n * k).fill(Infinity);
  const insert = (at: number, other: number, d: number): void => {
    const base = at * k;
    if (d >= distance[base + k - 1]!) return;
    let place = k - 1;
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
  return rows;
}

export interface Votes {
  /** Share of the weighted votes that go to other classes, 0 to 1. */
  readonly against: Float64Array;
  /** 1 where another class has more votes than the row's own. */
  readonly outvoted: Uint8Array;
  /** 1 where no neighbour has the row's own label. */
  readonly alone: Uint8Array;
}

/** What the neighbours of each row say; a vote counts 1 / (rows of its class), so that a rare class is not outvoted for being rare. */
export function votesOf(lists: Int32Array, k: number, labels: Int32Array, classes: number): Votes {
  const n = labels.length;
  const size = new Float64Array(classes);
  for (const y of labels) size[y]!++;
  const out: Votes = { against: new Float64Array(n), outvoted: new Uint8Array(n), alone: new Uint8Array(n) };
  const votes = new Float64Array(classes);
  for (let i = 0; i < n; i++) {
    votes.fill(0);
    for (let place = 0; place < k; place++) {
      const other = lists[i * k + place]!;
      if (other >= 0) votes[labels[other]!]! += 1 / size[labels[other]!]!;
    }
    const own = votes[labels[i]!]!;
    let total = 0;
    let best = 0;
    for (const v of votes) {
      total += v;
      if (v > best) best = v;
    }
    out.against[i] = total === 0 ? 0 : 1 - own / total;
    out.outvoted[i] = best > own * (1 + 1e-12) ? 1 : 0;
    out.alone[i] = total > 0 && own === 0 ? 1 : 0;
  }
  return out;
}
