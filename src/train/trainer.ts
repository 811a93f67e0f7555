import type { Dataset } from "../data/dataset.ts";
import type { Model } from "../ir/graph.ts";
import type { RunContext } from "../context.ts";
import type { Tensor } from "../tensor/index.ts";

export type Arch = "logistic" | "mlp" | "cnn";
export type OptimizerId = "sgd" | "adam";
export type ScheduleId = "constant" | "cosine";

/** How to train. What is left out gets a default that fits the architecture and the number of rows (`resolveTrainOptions`). */
export interface TrainOptions {
  readonly arch: Arch;
  /** Passes over the data. */
  readonly epochs: number;
  /** Rows per step; a batch larger than the data is the whole data. The last batch of an epoch may be smaller. */
  readonly batch: number;
  /** Peak learning rate. */
  readonly learningRate: number;
  /** sgd: L2 penalty added to the gradient. adam: decoupled (AdamW). */
  readonly weightDecay: number;
  readonly optimizer: OptimizerId;
  /** Momentum of sgd; ignored by adam (beta1 0.9, beta2 0.999). */
  readonly momentum: number;
  readonly schedule: ScheduleId;
  /** Share of the target's probability that is spread over all classes, 0 to below 1. */
  readonly labelSmoothing: number;
  /** Widths of the hidden dense layers (mlp, cnn). */
  readonly hidden: readonly number[];
  /** Channels of the two convolutions (cnn). */
  readonly channels: readonly number[];
  /** A class without a row is refused; "allow" is for subsets, as memorization scores draw them. */
  readonly emptyClasses: "refuse" | "allow";
  /** Weight of each row in the loss, in row order; null gives all rows weight 1. */
  readonly rowWeights: Float32Array | null;
}

/** A trained classifier in memory, and what it says of data. Closed by its owner. */
export interface TrainedModel {
  /** An ordinary ONNX model that takes raw inputs, with the weights as constants: input "input", output "logits". */
  readonly model: Model;
  readonly classes: number;
  /** Logits, shape [n, classes]. */
  logits(data: Dataset): Promise<Float32Array>;
  /** The tensor that feeds the last linear layer, shape [n, width]. */
  features(data: Dataset): Promise<{ values: Float32Array; width: number }>;
  close(): Promise<void>;
}

/** One batch on its way into a step. */
export interface Batch {
  /** Raw inputs, shape [n, ...exampleShape]. */
  readonly features: Tensor<"float32">;
  /** Target probabilities, shape [n, classes]. */
  readonly targets: Tensor<"float32">;
  /** Position in the data set of each row of the batch. */
  readonly rows: Uint32Array;
  readonly epoch: number;
  /** Number of this step and of all steps of the training, from 0. */
  readonly step: number;
  readonly steps: number;
}

/** Gradient of the sum of the cross-entropies with respect to the raw inputs, at the weights as they stand now. */
export type InputGradient = (features: Tensor<"float32">, targets: Tensor<"float32">) => Promise<Float32Array>;

/** Where a defense takes part in training. */
export interface TrainHooks {
  /** May replace a batch's features (same shape) before the step, as adversarial training does. */
  batch?(batch: Batch, inputGradient: InputGradient): Promise<Tensor<"float32">>;
}

/**
 * Trains on a data set; same data, options and generator give the same model. Poisoning and memorization train through
 * this. Throws DATA_LABELS, DATA_INVALID, NOT_ENOUGH_DATA, OPTION_RANGE, TRAIN_DIVERGED, CANCELLED.
 */
export type Trainer = (
  data: Dataset,
  options: Partial<TrainOptions>,
  context: RunContext,
  hooks?: TrainHooks,
) => Promise<TrainedModel>;
