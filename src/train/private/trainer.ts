import type { RunContext } from "../../context.ts";
import type { Engine } from "../../engine/engine.ts";
import { MarauderError, throwIfCancelled } from "../../errors.ts";
import type { Model } from "../../ir/index.ts";
import { mechanisms, pldOf, unsupportedByPld, type DpEvent, type Ledger } from "../../privacy/index.ts";
import { sizeOf, type Tensor } from "../../tensor/index.ts";
import type { Trainable } from "../architectures.ts";
import type { Checkpointing } from "../checkpoints/checkpoint.ts";
import { openClipped } from "../clipping/clipped.ts";
import { updateRule } from "../optimizers.ts";
import { pack, unpack } from "../parameters.ts";
import { frozenOf } from "../programs.ts";
import { learningRateAt } from "../schedules.ts";
import { openUpdate, type TrainingState } from "../update.ts";
import { openKept } from "./checkpoint.ts";
import { adaptiveBound } from "./adaptive.ts";
import { eventLog } from "./event-log.ts";
import { openNoise } from "./noise.ts";
import { resolvePrivateOptions, updateOptionsOf, type PrivateTrainOptions } from "./options.ts";
import { sourceOf, wholeOf, type PrivatePlan } from "./plan.ts";
import { views } from "./rows.ts";
import { samplerOf, type DrawnBatch } from "./sampler.ts";

/** Records to learn from: entry i of the first axis of both is one record. */
export interface PrivateExamples {
  readonly features: Tensor;
  /** As the loss takes them. */
  readonly targets: Tensor;
}

export interface PrivateHooks {
  /** A real budget: the whole training is reserved before its first step. */
  readonly ledger?: Ledger;
  /** What the ledger's entry is called. */
  readonly label?: string;
  readonly checkpoint?: Checkpointing;
  /** Sees the parameters after each step: they are already private. */
  step?(done: number, parameters: Float32Array): void;
}

export interface PrivateResult {
  /** The file, with the trained weights. */
  readonly model: Model;
  readonly parameters: Float32Array;
  readonly plan: PrivatePlan;
  /** What the sampler emitted, steps that were lost in a crash included. */
  readonly event: DpEvent;
  /** The account of these events at the plan's delta; Infinity for seeded noise. */
  readonly epsilon: number;
  /** Noise as added, over the clip norm. */
  readonly sigma: number;
  /** Parameters are updated this often; less than the plan's steps where a crash cost some. */
  readonly updates: number;
}

export type PrivateTrainer = (
  trainable: Trainable,
  examples: PrivateExamples,
  plan: PrivatePlan,
  options: Partial<PrivateTrainOptions>,
  context: RunContext,
  hooks?: PrivateHooks,
) => Promise<PrivateResult>;

/**
 * What a private training is made of. There is one right set; tests exchange a part for a wrong one and see that it is
 * noticed (docs/dp-kill-table.md).
 */
export interface Parts {
  readonly source: typeof sourceOf;
  readonly clipped: typeof openClipped;
  readonly sampler: typeof samplerOf;
  readonly noise: typeof openNoise;
  /** What the noisy sum is divided by. */
  readonly divisor: (plan: PrivatePlan, drawn: DrawnBatch) => number;
}

const parts: Parts = {
  source: sourceOf,
  clipped: openClipped,
  sampler: samplerOf,
  noise: openNoise,
  divisor: (plan) => plan.expectedBatch,
};

/**
 * The part of the clip norm that is kept back for float32: a sum of m vectors of norm at most C is off by at most
 * m (m - 1) 2^-24 C, with a record and without it; the rest covers the rounding of a gradient and its norm.
 */
export const roundingMargin = (rows: number): number => 2 ** -10 + 2 * rows * (rows - 1) * 2 ** -24;

/**
 * DP-SGD (Abadi et al. 2016, algorithm 1): truncated Poisson batches, gradients clipped one by one, exact noise from the
 * system's generator once in a step, divided by the expected batch. An empty batch is noised like any other; a gradient
 * that is not finite counts as 0. Progress shows nothing that depends on the data: no loss, no batch size.
 *
 * Throws PLAN_INVALID for a plan that calibratePlan did not make, MODEL_UNSUPPORTED with the node where an operator mixes
 * examples, SHAPE_MISMATCH, OPTION_RANGE, OPTION_UNKNOWN, USAGE (seeded noise with a ledger), BUDGET_SPENT, TRAIN_DIVERGED,
 * CANCELLED; with a checkpoint FILE_WRITE, DATA_CORRUPT.
 */
export const makePrivateTrainer = (engine: Engine, options: { threads?: number } = {}): PrivateTrainer =>
  privateTrainerOf(engine, parts, options);

/** The loop over given parts; `makePrivateTrainer` has the right ones. */
export function privateTrainerOf(
  engine: Engine,
  given: Partial<Parts>,
  { threads }: { threads?: number } = {},
): PrivateTrainer {
  const use: Parts = { ...parts, ...given };
  return async (trainable, examples, plan, wanted, context, hooks = {}) => {
    const { secure } = sourceOf(plan);
    const options = resolvePrivateOptions(wanted);
    checkExamples(examples, plan);
    checkAugmentation(examples, options);
    if (!secure && hooks.ledger !== undefined) {
      throw new MarauderError(
        "USAGE",
        `seeded noise and a privacy ledger do not go together: who knows the seed subtracts the noise (${mechanisms.NOT_PRIVATE}); ` +
          "make the plan without a seed",
      );
    }
    const session = threads === undefined ? {} : { threads };
    const clipped = await use.clipped(engine, trainable, {
      loss: options.loss,
      copies: options.multiplicity,
      ...session,
    });
    try {
      const rule = updateRule(updateOptionsOf(options));
      const update = await openUpdate(engine, rule, clipped.layout, 1);
      try {
        return await descend();
      } finally {
        await update.close();
      }

      async function descend(): Promise<PrivateResult> {
        const { layout } = clipped;
        const frozen = frozenOf(trainable);
        const first = pack(trainable.model, layout);
        const kept = await openKept(hooks.checkpoint, { trainable, first, frozen, examples, plan, options });
        try {
          const start = kept.start ?? { spent: 0, updates: 0, vectors: [first, ...rule.start(first)] };
          const source = use.source(plan, start.spent);
          const noise = use.noise(plan, source, layout.size);
          let state: TrainingState = { parameters: start.vectors[0]!, states: start.vectors.slice(1, 1 + rule.states) };
          let { updates } = start;
          const bound = adaptiveBound(plan, noise, source, start.vectors[1 + rule.states]);
          const log = eventLog(plan.also);
          // A tree of noise cannot be taken up again: what is left of its epoch is left out.
          let done = Math.ceil(start.spent / plan.stepsPerEvent) * plan.stepsPerEvent;
          log.add(plan.event, done / plan.stepsPerEvent);
          const reservation = reserve(plan, hooks, start.spent > 0);
          const changes = context.rng.child("augment");
          const sampler = use.sampler(plan, source, options.rows);
          const margin = 1 - roundingMargin(options.rows);
          const place = new Float32Array(layout.size);
          const note = `${Math.round(plan.expectedBatch)} records expected in a step`;
          while (done < plan.steps) {
            throwIfCancelled(context.signal);
            const at = done;
            await kept.before(at, updates, () => [state.parameters, ...state.states, ...bound.state()]);
            const drawn = sampler.draw();
            if (drawn.event !== null) log.add(drawn.event);
            done++;
            const sum = bound.sum();
            for (const rows of drawn.groups) {
              if (rows.length === 0) continue;
              const x = views(examples.features, rows, options.multiplicity, options.augment, changes.child(at));
              const t = views(examples.targets, rows, options.multiplicity, null, changes);
              const made = await clipped.run(state.parameters, frozen, x, t, bound.norm * margin, place);
              sum.add(made.sum);
              bound.see(made.norms);
            }
            const gradient = sum.release(use.divisor(plan, drawn));
            bound.move();
            const rates = rule.ratesAt(updates + 1, learningRateAt(options, at, plan.steps));
            state = await update.step(state, rates, gradient);
            updates++;
            hooks.step?.(done, state.parameters);
            context.step(done, plan.steps, note);
            await kept.after(
              done,
              updates,
              () => [state.parameters, ...state.states, ...bound.state()],
              context.signal,
            );
          }
          reservation?.commit();
          const parameters = rule.result(state.parameters, state.states);
          if (!parameters.every(Number.isFinite)) {
            throw new MarauderError(
              "TRAIN_DIVERGED",
              `private training diverged: a weight is not finite; lower learningRate (it is ${options.learningRate})`,
            );
          }
          return Object.freeze({
            model: unpack(trainable.exported ?? trainable.model, layout, parameters),
            parameters,
            plan,
            event: log.total(),
            epsilon: epsilonOf(log.total(), plan),
            sigma: noise.sigma,
            updates,
          });
        } finally {
          await kept.close();
        }
      }
    } finally {
      await clipped.close();
    }
  };
}

/** Reserves the whole training; one that is taken up again finds its reservation, which stays spent. */
function reserve(plan: PrivatePlan, { ledger, label = "private training" }: PrivateHooks, again: boolean) {
  const event = wholeEvent(plan);
  const same = JSON.stringify(event);
  const there = ledger?.entries.some((e) => !e.committed && e.label === label && JSON.stringify(e.event) === same);
  return again && there === true ? undefined : ledger?.reserve(event, label);
}

function epsilonOf(event: DpEvent, plan: PrivatePlan): number {
  return unsupportedByPld(event, plan.adjacency) === null ? pldOf(event, plan.adjacency).epsilon(plan.delta) : Infinity;
}

/** The event of all steps of a plan, with what else it counts. */
export const wholeEvent = ({ also, event, steps, stepsPerEvent }: PrivatePlan): DpEvent =>
  wholeOf(also, event, steps / stepsPerEvent);

function checkExamples({ features, targets }: PrivateExamples, plan: PrivatePlan): void {
  for (const [name, { dims, data }] of [
    ["features", features],
    ["targets", targets],
  ] as const) {
    if (dims[0] !== plan.records || data.length !== sizeOf(dims)) {
      throw new MarauderError(
        "SHAPE_MISMATCH",
        `the plan is for ${plan.records} records, the ${name} have shape [${dims.join(", ")}] and ${data.length} values; make a plan for these data`,
      );
    }
  }
}

function checkAugmentation({ features }: PrivateExamples, { augment }: PrivateTrainOptions): void {
  if (augment === null || (features.dtype === "float32" && features.dims.length === 4)) return;
  throw new MarauderError(
    "OPTION_RANGE",
    `augmentation is for images [N, C, H, W], the features have shape [${features.dims.join(", ")}]; leave it out`,
  );
}
