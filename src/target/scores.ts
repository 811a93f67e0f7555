import { MarauderError } from "../errors.ts";

/** Smallest probability that is told from zero: a zero would become -Infinity and a NaN in the next difference. */
const LEAST = 1e-30;

/** Natural logarithms of probabilities, with zeros taken as 1e-30. */
export function logOfProbabilities(p: Float32Array): Float32Array {
  return p.map((v) => Math.log(Math.max(v, LEAST)));
}

/** The class with the largest score of each row of [n, classes]; the first of equal ones. */
export function argmaxRows(scores: Float32Array, classes: number): Int32Array {
  const n = Math.floor(scores.length / classes);
  const out = new Int32Array(n);
  for (let i = 0; i < n; i++) {
    let best = 0;
    for (let c = 1; c < classes; c++) if (scores[i * classes + c]! > scores[i * classes + best]!) best = c;
    out[i] = best;
  }
  return out;
}

/** Throws DATA_INVALID where a label is no class of the model. */
export function checkLabels(labels: Int32Array, n: number, classes: number, what = "label"): void {
  if (labels.length !== n) {
    throw new MarauderError("SHAPE_MISMATCH", `${n} examples need ${n} ${what}s, got ${labels.length}`);
  }
  for (let i = 0; i < n; i++) {
    if (labels[i]! < 0 || labels[i]! >= classes) {
      throw new MarauderError(
        "DATA_LABELS",
        `${what} ${labels[i]} of example ${i} is no class of the model; expected 0 to ${classes - 1}`,
      );
    }
  }
}
