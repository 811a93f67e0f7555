import type { Dataset } from "../data/dataset.ts";
import type { Checkpointing } from "./checkpoints/checkpoint.ts";
import type { Model } from "../ir/graph.ts";
import type { RunContext } from "../context.ts";
import type { Tensor } from "../tensor/index.ts";

export type Arch = "logistic" | "mlp" | "cnn" | "resnet";
export type OptimizerId = "sgd" | "adam";
export type ScheduleId = "constant" | "cosine" | "step" | "one-cycle";
/** next-token is for graphs that give logits at every position; this trainer's data have one label a row. */
export type LossId = "cross-entropy" | "binary" | "mse" | "huber" | "margin" | "dlr" | "kl" | "next-token";

/** Random changes of images [C, H, W], another one in each epoch. */
export interface Augmentation {
  /** Largest shift along each axis, in pixels. */
  readonly shift: number;
  /** Mirror from left to right half of the time. */
  readonly flip: boolean;
}

/** How steps are taken, whatever is trained. */
export interface StepOptions {
  /** Passes over the data. */
  readonly epochs: number;
  /** Rows per step; a batch larger than the data is the whole data. The last batch of an epoch may be smaller. */
  readonly batch: number;
  /** Peak learning rate. */
  readonly learningRate: number;
  readonly weightDecay: number;
  /** "l2" adds the decay to the gradient, "decoupled" keeps it beside the step; null: l2 for sgd, decoupled for adam (AdamW). */
  readonly decay: "l2" | "decoupled" | null;
  /** What decays: everything, or only tensors of two axes and more (no biases, no scales of normalizations). */
  readonly decayed: "all" | "weights";
  readonly optimizer: OptimizerId;
  /** Momentum of sgd; ignored by adam (beta1 0.9, beta2 0.999). */
  readonly momentum: number;
  /** Nesterov's look-ahead; sgd only. */
  readonly nesterov: boolean;
  readonly schedule: ScheduleId;
  /** Share of the steps over which the rate rises; null: cosine 0.1, one-cycle 0.3, else 0. */
  readonly warmUp: number | null;
  /** Schedule "step": the rate is multiplied by stepFactor after each such share of all steps. */
  readonly stepEvery: number;
  readonly stepFactor: number;
  /** Largest global norm of the gradient; null does not clip. */
  readonly clipNorm: number | null;
  /** Decay of the moving average of the weights that the training ends with; 0 ends with the last weights. */
  readonly ema: number;
  readonly loss: LossId;
}

/** How to train. What is left out gets a default that fits the architecture and the number of rows (`resolveTrainOptions`). */
export interface TrainOptions extends StepOptions {
  readonly arch: Arch;
  /** null: rows are used as they are. */
  readonly augment: Augmentation | null;
  /** Share of the target's probability that is spread over all classes, 0 to below 1. */
  readonly labelSmoothing: number;
  /** Widths of the hidden dense layers (mlp, cnn, resnet). */
  readonly hidden: readonly number[];
  /** Channels of the convolutions (cnn) or stages (resnet). */
  readonly channels: readonly number[];
  /** Residual blocks in each stage (resnet). */
  readonly blocks: number;
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

/** Where others take part in training: a defense in each batch, a store in what is kept of the training. */
export interface TrainHooks {
  /** Where the training is kept while it runs, and taken up again after it was stopped or killed. */
  readonly checkpoint?: Checkpointing;
  /** May replace a batch's features (same shape) before the step, as adversarial training does. */
  batch?(batch: Batch, inputGradient: InputGradient): Promise<Tensor<"float32">>;
}

/**
 * Trains on a data set; same data, options and generator give the same model. Poisoning and memorization train through
 * this. Throws DATA_LABELS, DATA_INVALID, NOT_ENOUGH_DATA, OPTION_RANGE, TRAIN_DIVERGED, CANCELLED; with a checkpoint FILE_WRITE, DATA_CORRUPT.
 */
export type Trainer = (
  data: Dataset,
  options: Partial<TrainOptions>,
  context: RunContext,
  hooks?: TrainHooks,
) => Promise<TrainedModel>;
