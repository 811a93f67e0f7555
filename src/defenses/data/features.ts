import type { Dataset } from "../../data/dataset.ts";
import type { Rng } from "../../random/rng.ts";
import type { TrainedModel } from "../../train/trainer.ts";
import type { Suspects } from "./detector.ts";
import { MarauderError } from "../../errors.ts";

/** The rows of `data` (and of a trusted `reference`) as the last layer's input of a model sees them. */
export async function modelFeatures(model: TrainedModel, data: Dataset, reference: Dataset | null): Promise<Suspects> {
  const own = await model.features(data);
  const other = reference === null ? null : await model.features(reference);
  return suspects(data, reference, own.values, other?.values ?? null, own.width);
}

/**
 * The rows without a model: numbers of a table in units of their standard deviation, pixels as they are (a pixel that is
 * nearly always empty would otherwise outweigh all others). More than `components` numbers are reduced to that many
 * principal components, computed from all rows, data and reference alike, so that neither is favoured.
 */
export function rawFeatures(data: Dataset, reference: Dataset | null, rng: Rng, components = 32): Suspects {
  const width = data.features.data.length / Math.max(1, data.size);
  const m = reference?.size ?? 0;
  const all = new Float32Array((data.size + m) * width);
  all.set(data.features.data);
  if (reference !== null) all.set(reference.features.data, data.size * width);
  standardize(all, width, data.features.dims.length <= 2);
  const reduced = width > components ? principal(all, width, components, rng.child("principal")) : all;
  const kept = Math.min(width, components);
  return suspects(
    data,
    reference,
    reduced.subarray(0, data.size * kept),
    reference === null ? null : reduced.subarray(data.size * kept),
    kept,
  );
}

function suspects(
  data: Dataset,
  reference: Dataset | null,
  own: Float32Array,
  other: Float32Array | null,
  width: number,
): Suspects {
  if (data.labels === null)
    throw new MarauderError("DATA_LABELS", `data set ${data.name} has no labels; detectors of poisoned rows need them`);
  return {
    features: own,
    labels: data.labels,
    width,
    classes: data.classNames.length,
    rowIds: data.rowIds,
    reference:
      reference === null || other === null || reference.labels === null
        ? null
        : { features: other, labels: reference.labels },
  };
}

/** Centres every column in place and, with `scale`, divides by its standard deviation (constant columns become 0). */
export function standardize(x: Float32Array, width: number, scale: boolean): void {
  const n = x.length / width;
  for (let j = 0; j < width; j++) {
    let mean = 0;
    for (let i = 0; i < n; i++) mean += x[i * width + j]!;
    mean /= n;
    let square = 0;
    for (let i = 0; i < n; i++) square += (x[i * width + j]! - mean) ** 2;
    const sd = Math.sqrt(square / n);
    const factor = !scale ? 1 : sd > 1e-12 ? 1 / sd : 0;
    for (let i = 0; i < n; i++) x[i * width + j] = (x[i * width + j]! - mean) * factor;
  }
}

/** Coordinates of centred rows on the leading principal directions, by subspace iteration (Halko et al. 2011, 4.4). */
function principal(x: Float32Array, width: number, components: number, rng: Rng): Float32Array {
  const n = x.length / width;
  const basis = new Float64Array(components * width); // rows are directions
  rng.fillNormal(basis);
  const scores = new Float64Array(n * components);
  const sums = new Float64Array(4);
  const project = (): void => {
    for (let i = 0; i < n; i++) {
      // Four sums at a time, so that none waits for its own last addition.
      for (let c = 0; c < components; c += 4) {
        const at = i * width;
        const of = (k: number): number => Math.min(c + k, components - 1) * width;
        const [p, q, r, s] = [of(0), of(1), of(2), of(3)];
        let [first, second, third, fourth] = [0, 0, 0, 0];
        for (let j = 0; j < width; j++) {
          const v = x[at + j]!;
          first += v * basis[p + j]!;
          second += v * basis[q + j]!;
          third += v * basis[r + j]!;
          fourth += v * basis[s + j]!;
        }
        sums.set([first, second, third, fourth]);
        scores.set(sums.subarray(0, Math.min(4, components - c)), i * components + c);
      }
    }
  };
  orthonormalize(basis, components, width);
  for (let round = 0; round < 3; round++) {
    project();
    basis.fill(0);
    for (let i = 0; i < n; i++) {
      const at = i * width;
      for (let c = 0; c < components; c += 4) {
        // Where fewer than four are left, the last one is added to once, by the weight of its first turn.
        const weight = (k: number): number => (c + k < components ? scores[i * components + c + k]! : 0);
        const [a, b, d, e] = [weight(0), weight(1), weight(2), weight(3)];
        const of = (k: number): number => Math.min(c + k, components - 1) * width;
        const [p, q, r, s] = [of(0), of(1), of(2), of(3)];
        for (let j = 0; j < width; j++) {
          const v = x[at + j]!;
          basis[p + j]! += a * v;
          basis[q + j]! += b * v;
          basis[r + j]! += d * v;
          basis[s + j]! += e * v;
        }
      }
    }
    orthonormalize(basis, components, width);
  }
  project();
  return Float32Array.from(scores);
}

/** Modified Gram-Schmidt on rows; a row that depends on earlier ones becomes 0. */
function orthonormalize(basis: Float64Array, rows: number, width: number): void {
  for (let a = 0; a < rows; a++) {
    const own = basis.subarray(a * width, (a + 1) * width);
    const before = norm(own);
    for (let b = 0; b < a; b++) {
      const other = basis.subarray(b * width, (b + 1) * width);
      let dot = 0;
      for (let j = 0; j < width; j++) dot += own[j]! * other[j]!;
      for (let j = 0; j < width; j++) own[j]! -= dot * other[j]!;
    }
    const length = norm(own);
    const factor = length > 1e-9 * before && length > 0 ? 1 / length : 0;
    for (let j = 0; j < width; j++) own[j]! *= factor;
  }
}

function norm(v: Float64Array): number {
  let square = 0;
  for (const value of v) square += value * value;
  return Math.sqrt(square);
}
