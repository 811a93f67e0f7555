import type { Tensor } from "../tensor/index.ts";

export type Capability = "label" | "scores" | "gradient" | "weights" | "train";

/** The legal range of the model's inputs, in the model's own units. */
export interface Bounds {
  readonly low: number;
  readonly high: number;
}

/** What was spent on a target so far. One query is one example through the model; a gradient counts in both. */
export interface Meter {
  queries: number;
  gradients: number;
}

/**
 * The loss whose gradient an attacker wants, per example, in the direction in which *more* is worse for the model.
 * cross-entropy: -log p_y. margin: max_{i != y} z_i - z_y. dlr: Croce & Hein 2020, equation 6 (needs 3 classes).
 * With `targets` (a class for each example): the loss grows as that class wins: log p_t, z_t - max_{i != t} z_i, and the
 * targeted DLR (needs 4 classes).
 */
export interface LossSpec {
  readonly kind: "cross-entropy" | "margin" | "dlr";
  readonly targets?: Int32Array;
}

export interface GradientAnswer {
  /** Loss of each example. */
  readonly loss: Float32Array;
  /** Scores, shape [n, classes]. */
  readonly scores: Float32Array;
  /** Gradient of the sum of the losses, shape of the inputs. */
  readonly gradient: Float32Array;
}

/**
 * A model under test: what it can do, its bounds, and a meter. `scores` are logits where the model has them, else log
 * probabilities (equal up to a constant for each example, which no attack notices).
 */
export interface Target {
  readonly id: string;
  readonly can: ReadonlySet<Capability>;
  /** Shape of one example, without the batch axis. */
  readonly inputShape: readonly number[];
  readonly classes: number;
  readonly bounds: Bounds;
  readonly meter: Meter;
  /** Class of each example. x has shape [n, ...inputShape]. */
  label(x: Tensor<"float32">): Promise<Int32Array>;
  /** Throws CAPABILITY_MISSING where the target answers labels only. */
  scores(x: Tensor<"float32">): Promise<Float32Array>;
  gradient(x: Tensor<"float32">, labels: Int32Array, loss: LossSpec): Promise<GradientAnswer>;
  close(): Promise<void>;
}
