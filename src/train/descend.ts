import type { RunContext } from "../context.ts";
import type { Dataset } from "../data/dataset.ts";
import { isCancelled, MarauderError, throwIfCancelled } from "../errors.ts";
import type { Trainable } from "./architectures.ts";
import { batchesOf } from "./batches.ts";
import {
  checkIdentity,
  decodeCheckpoint,
  digestOf,
  encodeCheckpoint,
  type Checkpoint,
  type CheckpointPlace,
  type Identity,
} from "./checkpoint.ts";
import { updateRule } from "./optimizers.ts";
import { pack } from "./parameters.ts";
import { frozenOf, type Programs, type TrainingState } from "./programs.ts";
import { learningRateAt } from "./schedules.ts";
import type { TrainHooks, TrainOptions } from "./trainer.ts";

/** One training: what is trained, on what, and how. */
export interface Task {
  readonly data: Dataset;
  readonly labels: Int32Array;
  readonly classes: number;
  readonly trainable: Trainable;
  readonly programs: Programs;
  readonly options: TrainOptions;
}

/** Progress is reported at the end of an epoch, and between when an epoch takes longer than this. */
const REPORT_MS = 500;
const CHECKPOINT_MS = 20_000;

/** Trains and returns the parameters; with a checkpoint, from where it was left. */
export async function descend(task: Task, context: RunContext, hooks: TrainHooks): Promise<Float32Array> {
  const { checkpoint } = hooks;
  if (checkpoint === undefined) return await run(task, context, hooks, null);
  const place = await checkpoint.store.open();
  try {
    return await run(task, context, hooks, place);
  } finally {
    await place.close();
  }
}

async function run(
  task: Task,
  context: RunContext,
  hooks: TrainHooks,
  place: CheckpointPlace | null,
): Promise<Float32Array> {
  const { data, labels, classes, trainable, programs, options } = task;
  const frozen = frozenOf(trainable);
  const rule = updateRule(options, programs.layout);
  const kind = { rule, loss: options.loss };
  const first = pack(trainable.model, programs.layout);
  const identity = place === null ? {} : identityOf(task, context, first);
  const left = place === null ? null : await resume(place, identity);
  let state: TrainingState =
    left === null
      ? { parameters: first, states: rule.start(first) }
      : { parameters: left.vectors[0]!, states: left.vectors.slice(1) };
  let done = left?.step ?? 0;
  const perEpoch = Math.ceil(data.size / options.batch);
  const steps = options.epochs * perEpoch;
  let sums = { ...(left?.epoch ?? nothing) };

  let kept = { at: performance.now(), step: done };
  const keep = async (): Promise<void> => {
    if (place === null || kept.step === done) return;
    await place.write(
      encodeCheckpoint({ identity, step: done, epoch: sums, vectors: [state.parameters, ...state.states] }),
    );
    kept = { at: performance.now(), step: done };
  };
  const { everyMs = CHECKPOINT_MS, everySteps = Infinity } = hooks.checkpoint ?? {};
  const due = (): boolean => done - kept.step >= everySteps || performance.now() - kept.at >= everyMs;

  const epochBatches = batchesOf(data, labels, classes, options, context.rng);
  const started = performance.now();
  let reported = started;
  let seen = 0;
  try {
    for (let epoch = Math.floor(done / perEpoch); epoch < options.epochs; epoch++) {
      for (const batch of epochBatches(epoch, done - epoch * perEpoch)) {
        throwIfCancelled(context.signal);
        let { features } = batch;
        if (hooks.batch !== undefined) {
          const { parameters } = state;
          features = await hooks.batch(batch, (x, targets) =>
            programs.inputGradient(options.loss, parameters, frozen, x, targets),
          );
        }
        const rates = rule.ratesAt(batch.step + 1, learningRateAt(options, batch.step, steps));
        const made = await programs.step(kind, state, frozen, rates, { ...batch, features });
        const at = `epoch ${epoch + 1} of ${options.epochs}, step ${batch.step + 1} of ${steps}`;
        if (!Number.isFinite(made.loss)) throw diverged(at, `the loss is ${made.loss}`, options);
        state = made.state;
        const n = batch.rows.length;
        sums.correct += countCorrect(made.logits, labels, batch.rows, classes);
        sums.loss += made.loss * n;
        sums.rows += n;
        seen += n;
        done++;
        const now = performance.now();
        const last = sums.rows === data.size;
        if (last || now - reported > REPORT_MS) {
          reported = now;
          const rows = `loss ${(sums.loss / sums.rows).toFixed(4)}, accuracy ${((100 * sums.correct) / sums.rows).toFixed(1)} %`;
          const speed = (1000 * seen) / Math.max(1e-3, now - started);
          const note = `epoch ${epoch + 1}/${options.epochs}, ${rows}, ${Math.round(speed)} examples/s`;
          context.step(done, steps, note);
        }
        if (last) sums = { ...nothing };
        if (due()) await keepFinite(keep, state, at, options);
      }
    }
  } catch (error) {
    if (isCancelled(error)) await keep();
    throw error;
  }
  await keepFinite(keep, state, "the last step", options);
  return rule.result(state.parameters, state.states);
}

const nothing = Object.freeze({ correct: 0, loss: 0, rows: 0 });

/** A checkpoint with weights that are no numbers would only fail again: the good one before it stays. */
async function keepFinite(
  keep: () => Promise<void>,
  state: TrainingState,
  at: string,
  options: TrainOptions,
): Promise<void> {
  if (!state.parameters.every(Number.isFinite)) throw diverged(at, "a weight is not finite", options);
  await keep();
}

async function resume(place: CheckpointPlace, identity: Identity): Promise<Checkpoint | null> {
  const content = await place.read();
  if (content === null) return null;
  const found = decodeCheckpoint(content);
  checkIdentity(found.identity, identity);
  return found;
}

/** All that the steps depend on. Data, weights and row weights go in as digests. */
function identityOf(task: Task, context: RunContext, first: Float32Array): Identity {
  const { data, labels, options, trainable } = task;
  const { rowWeights, hidden, channels, augment, ...plain } = options;
  const frozen = Object.values(frozenOf(trainable)).map((t) => t.data);
  return {
    ...plain,
    hidden: hidden.join(" "),
    channels: channels.join(" "),
    augment: JSON.stringify(augment),
    rowWeights: rowWeights === null ? null : digestOf(rowWeights),
    model: digestOf(first, ...frozen),
    shape: data.features.dims.join(" "),
    data: digestOf(data.features.data, labels),
    seed: context.rng.path,
  };
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
