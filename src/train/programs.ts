import type { Engine, SessionOptions } from "../engine/engine.ts";
import type { Tensor } from "../tensor/index.ts";
import { float32 } from "../tensor/index.ts";
import type { Trainable } from "./architectures.ts";
import { losses } from "./losses.ts";
import type { UpdateRule } from "./optimizers.ts";
import { constantOf, feedsOf, layoutOf, type Layout } from "./parameters.ts";
import { addUp, cutOf, inLanes, joined, rowsOf, type Cut } from "./parts.ts";
import { placesBy, runInto } from "./run-into.ts";
import {
  forwardProgram,
  gradientProgram,
  inputGradientProgram,
  inputOf,
  names,
  stepProgram,
  type Program,
} from "./step.ts";
import type { LossId } from "./trainer.ts";
import { freshState, openUpdate, placesOf, stateFeeds, type TrainingState } from "./update.ts";

export type { TrainingState } from "./update.ts";

/** Values of the frozen constants (normalization) by name. */
export type Frozen = Readonly<Record<string, Tensor<"float32">>>;

/** Which update of which loss: one compiled graph each. */
export interface StepKind {
  readonly rule: UpdateRule;
  readonly loss: LossId;
}

export interface WeightedBatch {
  readonly features: Tensor;
  readonly targets: Tensor;
  /** What the loss of each row is multiplied with, shape [N]. */
  readonly weights: Float32Array;
}

/**
 * The compiled graphs of one architecture. They hold no weights: parameters, optimizer state and normalization are
 * inputs, so one set of sessions serves any number of trainings of the same shape, at any batch size.
 */
export interface Programs {
  readonly layout: Layout;
  /**
   * `spare` is memory for the new state; left out, it is fresh. The new states may take the place of the old ones,
   * the new parameters may not: they are written while the old ones are still read.
   */
  step(
    kind: StepKind,
    state: TrainingState,
    frozen: Frozen,
    rates: readonly number[],
    batch: WeightedBatch,
    spare?: TrainingState,
  ): Promise<{ state: TrainingState; loss: number; logits: Float32Array }>;
  /** Gradient of the summed loss with respect to the inputs, in their shape. */
  inputGradient(
    loss: LossId,
    parameters: Float32Array,
    frozen: Frozen,
    features: Tensor<"float32">,
    targets: Tensor<"float32">,
  ): Promise<Float32Array>;
  forward(
    parameters: Float32Array,
    frozen: Frozen,
    features: Tensor<"float32">,
    what: "logits" | "features",
  ): Promise<Tensor<"float32">>;
  close(): Promise<void>;
}

/**
 * Compiles each graph at first use. `threads` as in SessionOptions. A step is one graph; with more than one thread and
 * operators too small to share (`cut`), the parts of a batch go side by side, and one update follows.
 */
export function openPrograms(
  engine: Engine,
  trainable: Trainable,
  threads: number | undefined,
  cut: typeof cutOf = cutOf,
): Programs {
  const layout = layoutOf(trainable.model, trainable.parameters);
  const opened: { close(): Promise<void> }[] = [];
  const options = threads === undefined ? {} : { threads };
  const kept = <T extends { close(): Promise<void> }>(make: (loss: LossId, rule: UpdateRule | null) => Promise<T>) => {
    const known = new Map<string, Promise<T>>();
    return async (loss: LossId, rule: UpdateRule | null = null): Promise<T> => {
      const key = `${loss} ${rule?.key ?? ""}`;
      const open =
        known.get(key) ??
        (async () => {
          const made = await make(loss, rule);
          opened.push(made);
          return made;
        })();
      known.set(key, open);
      return await open;
    };
  };
  const loaded = async <P extends Program<string>>(program: P, further: SessionOptions = {}) => {
    const session = await engine.load(program.model, { ...options, ...further });
    return { ...program, session, close: () => session.close() };
  };
  const placed = async <P extends Program<string>>(program: P, further: SessionOptions = {}) => ({
    ...(await loaded(program, { ...further, places: true })),
    freshPlaces: placesBy(program.model, Object.values(program.outputs)),
  });
  const wholes = kept(async (loss, rule) => await placed(stepProgram(trainable, layout, rule!, losses[loss])));
  const gradients = kept(
    async (loss) => await placed(gradientProgram(trainable, layout, losses[loss]), { lanes: true }),
  );
  const updates = kept(async (_, rule) => await openUpdate(engine, rule!, layout, threads));
  const forward = kept(async () => await loaded(forwardProgram(trainable, layout)));
  const inputGradients = kept(async (loss) => await loaded(inputGradientProgram(trainable, layout, losses[loss])));
  const known = new Map<LossId, Cut | null>();
  const cuts = (loss: LossId): Cut | null => {
    if (threads === 1) return null;
    const found = known.has(loss) ? known.get(loss)! : cut(trainable, layout, loss);
    known.set(loss, found);
    return found;
  };
  const input = inputOf(trainable);
  const vector = (data: Float32Array): Tensor<"float32"> => ({ dtype: "float32", dims: [data.length], data });
  const data = (tensor: Tensor | undefined): Float32Array => tensor!.data as Float32Array;

  return {
    layout,
    async step({ rule, loss }, state, frozen, rates, { features, targets, weights }, spare) {
      const next = spare ?? freshState(layout, state);
      const rows = { [input]: features, [names.targets]: targets, [names.weights]: vector(weights) };
      const split = await inLanes(cuts(loss), weights.length, () => gradients(loss));
      if (split === null) {
        const { session, layout: own, outputs, vectors, freshPlaces } = await wholes(loss, rule);
        const packed = float32([rates.length], rates);
        const feeds = { ...frozen, ...stateFeeds(own, state), ...rows, [names.rates]: packed };
        const out = await runInto(session, feeds, { ...freshPlaces(feeds), ...placesOf(own, vectors, next) });
        return { state: next, loss: data(out[outputs.loss])[0]!, logits: data(out[outputs.logits]) };
      }
      const { layout: own, outputs, vectors } = split.program;
      const fixed = { ...frozen, ...feedsOf(own, state.parameters) };
      const feeds = split.parts.map((part) => ({ ...fixed, ...rowsOf(rows, part) }));
      // The gradient lies where the new parameters go.
      const answers = await addUp(split.program, feeds, vectors[0]!, own, next.parameters);
      await (await updates(loss, rule)).step(state, rates, next.parameters, next);
      const sum = answers.reduce((s, out) => s + data(out[outputs.loss])[0]!, 0);
      return { state: next, loss: sum, logits: joined(answers, outputs.logits) };
    },
    async inputGradient(loss, parameters, frozen, features, targets) {
      const { session, outputs } = await inputGradients(loss, null);
      const feeds = { ...frozen, ...feedsOf(layout, parameters), [input]: features, [names.targets]: targets };
      return data((await session.run(feeds))[outputs.gradient]);
    },
    async forward(parameters, frozen, features, what) {
      const { session, outputs } = await forward("cross-entropy", null);
      const out = await session.run({ ...frozen, ...feedsOf(layout, parameters), [input]: features }, [outputs[what]]);
      return out[outputs[what]] as Tensor<"float32">;
    },
    async close() {
      for (const one of opened.splice(0)) await one.close();
    },
  };
}

/** The frozen constants of a trainable model as feeds. */
export const frozenOf = ({ model, frozen }: Trainable): Frozen =>
  Object.fromEntries(frozen.map((name) => [name, constantOf(model, name)]));
