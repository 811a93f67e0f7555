import type { LossSpec } from "../../target/target.ts";
import type { Attack } from "../attack.ts";
import type { Norm, Space } from "./balls.ts";

/**
 * What an evasion attack works on: examples that the model classifies correctly, and questions to the model. The subject
 * watches every answer: an input that fools the model is kept, and its example is closed, whatever the attack makes of it.
 * Rows are packed: `x` has shape [rows.length, d], and row k belongs to example rows[k]. Examples may appear more than once.
 */
export interface EvasionSubject {
  readonly size: number;
  /** Features of one example, and its shape. */
  readonly d: number;
  readonly shape: readonly number[];
  readonly classes: number;
  /** Clean inputs, shape [size, d]. */
  readonly x: Float32Array;
  readonly labels: Int32Array;
  /** The class that each example is to be taken for; null when any wrong class will do. */
  readonly goals: Int32Array | null;
  readonly ids: readonly string[];
  readonly norm: Norm;
  readonly eps: number;
  readonly space: Space;
  /** Examples that are not fooled yet, ascending. */
  open(): Int32Array;
  isOpen(example: number): boolean;
  /** Margin of each row, positive means fooled. NaN where the model's answer is not a number. */
  ask(rows: Int32Array, x: Float32Array): Promise<Float32Array>;
  /**
   * Loss, margin and gradient (shape [rows.length, d]) of each row; features that may not change have gradient 0. Where
   * the gradient of another loss is exactly zero in float32 (a saturated softmax), that row's loss and gradient are those
   * of the margin: negative before the decision flips, so below every cross-entropy. Throws CAPABILITY_MISSING unless the
   * attack declares "gradient".
   */
  climb(rows: Int32Array, x: Float32Array, loss: LossSpec["kind"]): Promise<Ascent>;
}

export interface Ascent {
  readonly loss: Float32Array;
  readonly margin: Float32Array;
  readonly gradient: Float32Array;
}

/** An evasion attack explores; the subject keeps what it finds, so there is nothing to hand back. */
export interface EvasionAttack<O = Record<string, unknown>> extends Attack<O, EvasionSubject, void> {
  readonly risk: "evasion";
  /** Norms that it is made for. */
  readonly norms: readonly Norm[];
}

/** Packs the rows of some examples of an array of shape [size, d] into `buffer`, and returns the filled part of it. */
export function pack(from: Float32Array, rows: Int32Array, d: number, buffer: Float32Array): Float32Array {
  for (let k = 0; k < rows.length; k++) {
    const o = rows[k]! * d;
    buffer.set(from.subarray(o, o + d), k * d);
  }
  return buffer.subarray(0, rows.length * d);
}
