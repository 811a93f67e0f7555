import type { RunContext } from "../../context.ts";
import type { Dataset } from "../../data/dataset.ts";
import type { Engine } from "../../engine/engine.ts";
import { float32 } from "../../tensor/index.ts";
import { buildArchitecture, type Trainable } from "../architectures.ts";
import type { Normalization } from "../normalization.ts";
import { openPrograms } from "../programs.ts";
import { trainedModel } from "../trained-model.ts";
import type { Arch, TrainedModel } from "../trainer.ts";
import { checkTrainingData } from "../training-data.ts";
import { privateCnn } from "./architectures.ts";
import type { PrivateTrainOptions } from "./options.ts";
import type { PrivatePlan } from "./plan.ts";
import { makePrivateTrainer, type PrivateExamples, type PrivateHooks, type PrivateResult } from "./trainer.ts";

/** Lowest and highest value of each input, or of all of them. Public, or else not covered by the guarantee. */
export type InputBounds = readonly [low: ArrayLike<number>, high: ArrayLike<number>];

/** Inputs brought to -1 .. 1 by their declared range; what cannot vary becomes 0. */
export function normalizationOf([low, high]: InputBounds): Normalization {
  const n = low.length;
  const scale = (i: number): number => (high[i]! > low[i]! ? 2 / (high[i]! - low[i]!) : 1);
  return {
    mean: float32(
      [n],
      Array.from({ length: n }, (_, i) => (low[i]! + high[i]!) / 2),
    ),
    scale: float32(
      [n],
      Array.from({ length: n }, (_, i) => scale(i)),
    ),
  };
}

/** A network to train privately: nothing in it depends on the data. Images from 16 pixels get `privateCnn`. */
export function privateArchitecture(arch: Arch, data: Dataset, bounds: InputBounds, context: RunContext): Trainable {
  const inputShape = data.features.dims.slice(1);
  const spec = { inputShape, classes: data.classNames.length, rng: context.rng.child("init") };
  const [, h = 0, w = 0] = inputShape;
  if (arch === "cnn" && inputShape.length === 3 && bounds[0].length === 1 && h >= 16 && w >= 16) {
    return privateCnn({ ...spec, bounds: [bounds[0][0]!, bounds[1][0]!] });
  }
  return buildArchitecture(arch, { ...spec, normalization: normalizationOf(bounds) });
}

/** Rows and one-hot labels of a data set. An empty class is allowed: whether it is empty may not be told. */
export function examplesOf(data: Dataset): PrivateExamples {
  const { labels, classes } = checkTrainingData(data, "allow");
  const targets = float32([data.size, classes]);
  labels.forEach((label, row) => (targets.data[row * classes + label] = 1));
  return { features: data.features, targets };
}

/** Trains a classifier of a data set; the model is closed by its owner. Throws what the private trainer throws. */
export async function trainPrivateClassifier(
  engine: Engine,
  { trainable, data, plan, options = {}, threads }: PrivateTask,
  context: RunContext,
  hooks: PrivateHooks = {},
): Promise<{ readonly trained: TrainedModel; readonly result: PrivateResult }> {
  const trainer = makePrivateTrainer(engine, threads === undefined ? {} : { threads });
  const result = await trainer(trainable, examplesOf(data), plan, options, context, hooks);
  const programs = openPrograms(engine, trainable, threads);
  const trained = trainedModel(trainable, programs, result.parameters, data.classNames.length);
  const close = async (): Promise<void> => {
    await trained.close();
    await programs.close();
  };
  return { trained: Object.freeze({ ...trained, close }), result };
}

export interface PrivateTask {
  readonly trainable: Trainable;
  readonly data: Dataset;
  readonly plan: PrivatePlan;
  readonly options?: Partial<PrivateTrainOptions>;
  readonly threads?: number;
}
