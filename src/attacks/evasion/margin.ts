import type { Norm } from "./balls.ts";

/**
 * How far row `row` of the scores (shape [n, classes]) is past the decision that an attacker wants: positive means fooled.
 * Untargeted (goal < 0): best other class minus the label. Targeted: goal class minus the best other. NaN when a score is NaN.
 */
export function marginOf(scores: ArrayLike<number>, row: number, classes: number, label: number, goal: number): number {
  const wanted = goal < 0 ? label : goal;
  let other = -Infinity;
  for (let c = 0; c < classes; c++) {
    const z = scores[row * classes + c]!;
    if (z !== z) return NaN;
    if (c !== wanted && z > other) other = z;
  }
  const own = scores[row * classes + wanted]!;
  return goal < 0 ? other - own : own - other;
}

/** Class with the highest score; the lowest index of equals. */
export function bestClass(scores: ArrayLike<number>, row: number, classes: number): number {
  let best = 0;
  for (let c = 1; c < classes; c++) if (scores[row * classes + c]! > scores[row * classes + best]!) best = c;
  return best;
}

/**
 * The margin that a success must exceed: scores of float32 models move in their last digits with the batch size and the
 * execution provider, and an adversarial input that lives in those digits is none.
 */
export function marginTolerance(scores: ArrayLike<number>, row: number, classes: number): number {
  let largest = 0;
  for (let c = 0; c < classes; c++) {
    const size = Math.abs(scores[row * classes + c]!);
    if (size > largest && size < Infinity) largest = size;
  }
  return 1e-5 * largest;
}

/**
 * The budget when none is given, in units of the range of the inputs: what the literature uses on data of that kind.
 * Colour images (three or more channels): linf 8/255, l2 0.5 and l1 12 on 32 x 32 x 3. Images of one channel: linf 0.3,
 * l2 2 and l1 10 on 28 x 28. l2 and l1 grow with the square root of the number of features. Rows of numbers: a tenth of
 * the range of every feature.
 */
export function defaultEps(norm: Norm, shape: readonly number[], features: number): number {
  const channels = shape.length === 3 ? Math.min(shape[0]!, shape[2]!) : 1;
  if (shape.filter((size) => size > 1).length < 2) {
    return norm === "linf" ? 0.1 : norm === "l2" ? 0.1 * Math.sqrt(features) : 0.1 * features;
  }
  if (channels >= 3) {
    const growth = Math.sqrt(features / 3072);
    return norm === "linf" ? 8 / 255 : norm === "l2" ? 0.5 * growth : 12 * growth;
  }
  const growth = Math.sqrt(features / 784);
  return norm === "linf" ? 0.3 : norm === "l2" ? 2 * growth : 10 * growth;
}
