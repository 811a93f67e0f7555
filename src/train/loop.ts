import type { RunContext } from "../context.ts";
import type { Dataset } from "../data/dataset.ts";
import type { Engine } from "../engine/engine.ts";
import { MarauderError, throwIfCancelled } from "../errors.ts";
import type { Tensor } from "../tensor/index.ts";
import { buildArchitecture, type Trainable } from "./architectures.ts";
import { batchesOf } from "./batches.ts";
import { fitNormalization } from "./normalization.ts";
import { learningRateAt, optimizers } from "./optimizers.ts";
import { pack } from "./parameters.ts";
import { frozenOf, openPrograms, type Programs, type TrainingState } from "./programs.ts";
import { resolveTrainOptions } from "./train-options.ts";
import { trainedModel } from "./trained-model.ts";
import { checkTrainingData } from "./training-data.ts";
import type { Trainer, TrainHooks, TrainOptions } from "./trainer.ts";

export interface TrainerOptions {
  /**
   * Threads inside one operator; default 1 for logistic and mlp, whose operators are too small to share, and the engine's
   * choice for cnn. With 1, the same data, options and generator give bit-equal weights.
   */
  readonly threads?: number;
}

/** A trainer that owns its compiled graphs: close it when no model of it is asked any more. */
export interface OpenTrainer extends Trainer {
  close(): Promise<void>;
}

/**
 * Makes a trainer on an engine. Graphs are compiled once for each architecture and input shape, then shared by all
 * trainings, so that a thousand tiny trainings cost their steps and little else.
 */
export function makeTrainer(engine: Engine, { threads }: TrainerOptions = {}): OpenTrainer {
  const compiled = new Map<string, Programs>();
  const programsFor = (trainable: Trainable, options: TrainOptions): Programs => {
    const { graph } = trainable.model;
    const dims = [...graph.constants].map(([name, value]) => `${name}:${value.dims.join("x")}`);
    const key = [graph.name, graph.inputs[0]!.dims!.join("x"), ...dims].join(" ");
    const known = compiled.get(key);
    if (known !== undefined) return known;
    const made = openPrograms(engine, trainable, threads ?? (options.arch === "cnn" ? undefined : 1));
    compiled.set(key, made);
    return made;
  };
  const train: Trainer = async (data, given, context, hooks = {}) => {
    const { labels, classes } = checkTrainingData(data, given.emptyClasses ?? "refuse");
    const options = resolveTrainOptions(given, data.size, data.features.dims.slice(1));
    const trainable = buildArchitecture(options.arch, {
      inputShape: data.features.dims.slice(1),
      classes,
      rng: context.rng.child("init"),
      normalization: fitNormalization(data.features),
      hidden: options.hidden,
      channels: options.channels,
    });
    const programs = programsFor(trainable, options);
    const parameters = await descend(data, labels, classes, trainable, programs, options, context, hooks);
    return trainedModel(trainable, programs, parameters, classes);
  };
  const close = async (): Promise<void> => {
    for (const programs of compiled.values()) await programs.close();
    compiled.clear();
  };
  return Object.assign(train, { close });
}

/** Progress is reported at the end of an epoch, and between when an epoch takes longer than this. */
const REPORT_MS = 500;

async function descend(
  data: Dataset,
  labels: Int32Array,
  classes: number,
  trainable: Trainable,
  programs: Programs,
  options: TrainOptions,
  context: RunContext,
  hooks: TrainHooks,
): Promise<Float32Array> {
  const frozen = frozenOf(trainable);
  const optimizer = optimizers[options.optimizer];
  const { size } = programs.layout;
  let state: TrainingState = {
    parameters: pack(trainable.model, programs.layout),
    states: Array.from({ length: optimizer.states }, () => new Float32Array(size)),
  };
  const epochBatches = batchesOf(data, labels, classes, options, context.rng);
  const started = performance.now();
  let reported = started;
  let seen = 0;
  for (let epoch = 0; epoch < options.epochs; epoch++) {
    let correct = 0;
    let lossSum = 0;
    let rows = 0;
    for (const batch of epochBatches(epoch)) {
      throwIfCancelled(context.signal);
      const at = `epoch ${epoch + 1} of ${options.epochs}, step ${batch.step + 1} of ${batch.steps}`;
      let { features } = batch;
      if (hooks.batch !== undefined) {
        const { parameters } = state;
        features = await hooks.batch(batch, (x, targets) => programs.inputGradient(parameters, frozen, x, targets));
      }
      const n = batch.rows.length;
      const learningRate = learningRateAt(options.schedule, options.learningRate, batch.step, batch.steps);
      const rates = optimizer.ratesAt(batch.step + 1, learningRate, options);
      const targets = weighted(batch.targets, batch.weights);
      const done = await programs.step(options.optimizer, state, frozen, rates, features, targets);
      if (!Number.isFinite(done.loss)) throw diverged(at, `the loss is ${done.loss}`, options);
      state = done.state;
      correct += countCorrect(done.logits, labels, batch.rows, classes);
      lossSum += done.loss * n;
      rows += n;
      seen += n;
      const now = performance.now();
      const last = rows === data.size;
      if (last || now - reported > REPORT_MS) {
        reported = now;
        const speed = Math.round((1000 * seen) / Math.max(1e-3, now - started));
        const note = `epoch ${epoch + 1}/${options.epochs}, loss ${(lossSum / rows).toFixed(4)}, accuracy ${((100 * correct) / rows).toFixed(1)} %, ${speed} examples/s`;
        context.step(batch.step + 1, batch.steps, note);
      }
    }
  }
  if (!state.parameters.every(Number.isFinite)) throw diverged("the last step", "a weight is not finite", options);
  return state.parameters;
}

/** Targets times row weight over batch size, so that the summed loss of the graph is the weighted mean. */
function weighted(targets: Tensor<"float32">, weights: Float32Array | null): Tensor<"float32"> {
  const [n = 1, classes = 1] = targets.dims;
  const data = new Float32Array(targets.data.length);
  for (let i = 0, k = 0; i < n; i++) {
    const share = (weights === null ? 1 : weights[i]!) / n;
    for (let c = 0; c < classes; c++, k++) data[k] = targets.data[k]! * share;
  }
  return { ...targets, data };
}

function countCorrect(logits: Float32Array, labels: Int32Array, rows: Uint32Array, classes: number): number {
  let correct = 0;
  for (let i = 0; i < rows.length; i++) {
    let best = 0;
    for (let c = 1; c < classes; c++) if (logits[i * classes + c]! > logits[i * classes + best]!) best = c;
    if (best === labels[rows[i]!]) correct++;
  }
  return correct;
}

function diverged(at: string, what: string, options: TrainOptions): MarauderError {
  return new MarauderError(
    "TRAIN_DIVERGED",
    `training diverged at ${at}: ${what}; expected finite numbers; lower learningRate (it is ${options.learningRate}), ` +
      `or look for extreme values in the inputs`,
    { details: { at, learningRate: options.learningRate } },
  );
}
