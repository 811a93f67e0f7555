import type { RunContext } from "../context.ts";
import type { Tensor } from "../tensor/index.ts";
import { isCancelled, MarauderError, throwIfCancelled } from "../errors.ts";
import type { Trainable } from "./architectures.ts";
import {
  checkIdentity,
  decodeCheckpoint,
  digestOf,
  encodeCheckpoint,
  type Checkpoint,
  type Checkpointing,
  type CheckpointPlace,
  type Identity,
} from "./checkpoints/checkpoint.ts";
import { updateRule } from "./optimizers.ts";
import { pack } from "./parameters.ts";
import { frozenOf, type Programs, type TrainingState, type WeightedBatch } from "./programs.ts";
import { learningRateAt } from "./schedules.ts";
import type { InputGradient, StepOptions, TrainHooks } from "./trainer.ts";

/** One training: what is trained, on what, and how. */
export interface Task<B extends StepBatch = StepBatch> {
  readonly course: Course<B>;
  readonly trainable: Trainable;
  readonly programs: Programs;
  readonly options: StepOptions;
}

export interface StepBatch extends WeightedBatch {
  /** Which examples it holds. */
  readonly rows: Uint32Array;
  readonly step: number;
}

/** What a training learns from: examples in batches, another order in each epoch. */
export interface Course<B extends StepBatch> {
  /** Number of examples in one epoch. */
  readonly size: number;
  /** The batches of an epoch without the first `from`; a batch is valid until the next one is asked for. */
  batches(epoch: number, from: number): Iterable<B>;
  /** May give other inputs of the same shape before the step. */
  before?(batch: B, inputGradient: InputGradient): Promise<Tensor>;
  /** How many of a batch's examples are answered rightly; a share of one where it has many answers. */
  correct(logits: Float32Array, batch: B): number;
  /** All that the batches depend on. */
  readonly identity: Identity;
}

/** Progress is reported at the end of an epoch, and between when an epoch takes longer than this. */
const REPORT_MS = 500;
const CHECKPOINT_MS = 20_000;

/** Trains and returns the parameters; with a checkpoint, from where it was left. */
export async function descend<B extends StepBatch>(
  task: Task<B>,
  context: RunContext,
  { checkpoint }: Pick<TrainHooks, "checkpoint">,
): Promise<Float32Array> {
  if (checkpoint === undefined) return await run(task, context, {}, null);
  const place = await checkpoint.store.open();
  try {
    return await run(task, context, checkpoint, place);
  } finally {
    await place.close();
  }
}

async function run<B extends StepBatch>(
  task: Task<B>,
  context: RunContext,
  { everyMs = CHECKPOINT_MS, everySteps = Infinity }: Omit<Checkpointing, "store">,
  place: CheckpointPlace | null,
): Promise<Float32Array> {
  const { course, trainable, programs, options } = task;
  const frozen = frozenOf(trainable);
  const rule = updateRule(options);
  const kind = { rule, loss: options.loss };
  const first = pack(trainable.model, programs.layout);
  const identity = place === null ? {} : identityOf(task, context, first);
  const left = place === null ? null : await resume(place, identity);
  let state: TrainingState =
    left === null
      ? { parameters: first, states: rule.start(first) }
      : { parameters: left.vectors[0]!, states: left.vectors.slice(1) };
  // Two places for the parameters, by turns.
  let spare: Float32Array = new Float32Array(first.length);
  let done = left?.step ?? 0;
  const perEpoch = Math.ceil(course.size / options.batch);
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
  const due = (): boolean => done - kept.step >= everySteps || performance.now() - kept.at >= everyMs;

  const started = performance.now();
  let reported = started;
  let seen = 0;
  try {
    for (let epoch = Math.floor(done / perEpoch); epoch < options.epochs; epoch++) {
      for (const batch of course.batches(epoch, done - epoch * perEpoch)) {
        throwIfCancelled(context.signal);
        let { features } = batch;
        if (course.before !== undefined) {
          const { parameters } = state;
          features = await course.before(batch, (x, targets) =>
            programs.inputGradient(options.loss, parameters, frozen, x, targets),
          );
        }
        const rates = rule.ratesAt(batch.step + 1, learningRateAt(options, batch.step, steps));
        const made = await programs.step(
          kind,
          state,
          frozen,
          rates,
          { ...batch, features },
          { ...state, parameters: spare },
        );
        const at = `epoch ${epoch + 1} of ${options.epochs}, step ${batch.step + 1} of ${steps}`;
        if (!Number.isFinite(made.loss)) throw diverged(at, `the loss is ${made.loss}`, options);
        spare = state.parameters;
        state = made.state;
        const n = batch.rows.length;
        sums.correct += course.correct(made.logits, batch);
        sums.loss += made.loss * n;
        sums.rows += n;
        seen += n;
        done++;
        const now = performance.now();
        const last = sums.rows === course.size;
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
  options: StepOptions,
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

/** All that the steps depend on. Weights go in as digests. */
function identityOf<B extends StepBatch>(task: Task<B>, context: RunContext, first: Float32Array): Identity {
  const { course, options, trainable } = task;
  const frozen = Object.values(frozenOf(trainable)).map((t) => t.data);
  return { ...plainOf(options), ...course.identity, model: digestOf(first, ...frozen), seed: context.rng.path };
}

/** Options that are no plain values are the course's to describe. */
const plainOf = (options: StepOptions): Identity =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value === null || typeof value !== "object"));

function diverged(at: string, what: string, options: StepOptions): MarauderError {
  return new MarauderError(
    "TRAIN_DIVERGED",
    `training diverged at ${at}: ${what}; expected finite numbers; lower learningRate (it is ${options.learningRate}), ` +
      `or look for extreme values in the inputs`,
    { details: { at, learningRate: options.learningRate } },
  );
}
