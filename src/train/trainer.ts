import type { Dataset } from "../data/dataset.ts";
import type { Model } from "../ir/graph.ts";
import type { RunContext } from "../context.ts";

export type Arch = "logistic" | "mlp" | "cnn";

export interface TrainOptions {
  readonly arch: Arch;
  readonly epochs: number;
  readonly batch: number;
  readonly learningRate: number;
  readonly weightDecay: number;
}

/** A trained classifier in memory, and what it says of data. Closed by its owner. */
export interface TrainedModel {
  readonly model: Model;
  readonly classes: number;
  /** Logits, shape [n, classes]. */
  logits(data: Dataset): Promise<Float32Array>;
  /** The tensor that feeds the last linear layer, shape [n, width]. */
  features(data: Dataset): Promise<{ values: Float32Array; width: number }>;
  close(): Promise<void>;
}

/** Trains on a data set; same data, options and generator give the same model. Poisoning and memorization train through this. */
export type Trainer = (data: Dataset, options: Partial<TrainOptions>, context: RunContext) => Promise<TrainedModel>;
