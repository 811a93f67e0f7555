import type { Engine } from "../engine/engine.ts";
import { MarauderError } from "../errors.ts";
import { buildArchitecture, type Trainable } from "./architectures.ts";
import { rowsCourse } from "./batches.ts";
import { descend } from "./descend.ts";
import { losses } from "./losses.ts";
import { fitNormalization } from "./normalization.ts";
import { openPrograms, type Programs } from "./programs.ts";
import { ofImages, resolveTrainOptions } from "./train-options.ts";
import { fits, trainedModel } from "./trained-model.ts";
import { checkTrainingData } from "./training-data.ts";
import type { Trainer } from "./trainer.ts";

export interface TrainerOptions {
  /**
   * Threads inside one operator, or for parts of a batch side by side where operators are small; default 1 for logistic and
   * mlp, and the engine's choice for cnn and resnet. With 1, the same data, options and generator give bit-equal weights.
   */
  readonly threads?: number;
  /**
   * What is trained, from the weights that it has (`trainableOf`), in place of an architecture; the training options then
   * have no arch, hidden and channels.
   */
  readonly start?: Trainable;
}

/** A trainer that owns its compiled graphs: close it when no model of it is asked any more. */
export interface OpenTrainer extends Trainer {
  close(): Promise<void>;
}

/**
 * Makes a trainer on an engine. Graphs are compiled once for each architecture and input shape, then shared by all
 * trainings, so that a thousand tiny trainings cost their steps and little else.
 */
export function makeTrainer(engine: Engine, { threads, start }: TrainerOptions = {}): OpenTrainer {
  const compiled = new Map<string, Programs>();
  const programsFor = (trainable: Trainable, few: boolean): Programs => {
    const { graph } = trainable.model;
    const dims = [...graph.constants].map(([name, value]) => `${name}:${value.dims.join("x")}`);
    const key = [graph.name, graph.inputs[0]!.dims!.join("x"), ...dims].join(" ");
    const known = compiled.get(key);
    if (known !== undefined) return known;
    const made = openPrograms(engine, trainable, threads ?? (few ? 1 : undefined));
    compiled.set(key, made);
    return made;
  };
  const train: Trainer = async (data, given, context, hooks = {}) => {
    const { labels, classes } = checkTrainingData(data, given.emptyClasses ?? "refuse");
    const shape = data.features.dims.slice(1);
    const options = resolveTrainOptions(given, data.size, shape, start !== undefined);
    if (start !== undefined) checkFit(start, shape, classes);
    const trainable =
      start ??
      buildArchitecture(options.arch, {
        inputShape: shape,
        classes,
        rng: context.rng.child("init"),
        normalization: fitNormalization(data.features),
        hidden: options.hidden,
        channels: options.channels,
        blocks: options.blocks,
      });
    checkLoss(options.loss, classes);
    const programs = programsFor(trainable, start === undefined && !ofImages(options.arch));
    const rows = rowsCourse(data, labels, classes, options, context.rng);
    const course = hooks.batch === undefined ? rows : { ...rows, before: hooks.batch };
    const parameters = await descend({ course, trainable, programs, options }, context, hooks);
    return trainedModel(trainable, programs, parameters, classes);
  };
  const close = async (): Promise<void> => {
    for (const programs of compiled.values()) await programs.close();
    compiled.clear();
  };
  return Object.assign(train, { close });
}

function checkLoss(id: keyof typeof losses, classes: number): void {
  const { least } = losses[id];
  if (classes >= least) return;
  throw new MarauderError(
    "OPTION_RANGE",
    `the loss ${id} needs at least ${least} classes, the data have ${classes}; use cross-entropy`,
  );
}

/** Throws DTYPE_MISMATCH, SHAPE_MISMATCH and DATA_LABELS where data do not fit a given model. */
function checkFit({ model }: Trainable, shape: readonly number[], classes: number): void {
  const { dtype } = model.graph.inputs[0]!;
  if (dtype !== null && dtype !== "float32") {
    throw new MarauderError(
      "DTYPE_MISMATCH",
      `the model takes inputs of ${dtype}; expected float32, as rows of a data set are; put a Cast in front of it`,
    );
  }
  const declared = model.graph.inputs[0]!.dims?.slice(1) ?? null;
  if (declared !== null && !fits(shape, declared)) {
    throw new MarauderError(
      "SHAPE_MISMATCH",
      `the data do not fit the model; expected rows of shape [${declared.map((d) => d ?? "?").join(", ")}], got ` +
        `[${shape.join(", ")}]`,
    );
  }
  const width = model.graph.outputs[0]!.dims;
  if (width?.length !== 2 || (typeof width[1] === "number" && width[1] !== classes)) {
    const found =
      width === null || width === undefined
        ? "of unknown shape"
        : `of shape [${width.map((d) => d ?? "?").join(", ")}]`;
    throw new MarauderError(
      "DATA_LABELS",
      `the data have ${classes} classes, the model gives scores ${found}; expected [N, ${classes}]`,
    );
  }
}
