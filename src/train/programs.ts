import type { Engine, Session } from "../engine/engine.ts";
import type { Tensor } from "../tensor/index.ts";
import { float32 } from "../tensor/index.ts";
import type { Trainable } from "./architectures.ts";
import { losses } from "./losses.ts";
import type { UpdateRule } from "./optimizers.ts";
import { constantOf, feedsOf, layoutOf, type Layout } from "./parameters.ts";
import { runInto } from "./run-into.ts";
import { forwardProgram, inputGradientProgram, inputOf, names, stepProgram, type Program } from "./step.ts";
import type { LossId } from "./trainer.ts";

/** All that changes from step to step. Vectors of the length of the layout. */
export interface TrainingState {
  readonly parameters: Float32Array;
  readonly states: readonly Float32Array[];
}

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

/** Compiles each graph at first use. `threads` as in SessionOptions. */
export function openPrograms(engine: Engine, trainable: Trainable, threads: number | undefined): Programs {
  const layout = layoutOf(trainable.model, trainable.parameters);
  const loaded: Session[] = [];
  const options = threads === undefined ? {} : { threads };
  const opened = async <P extends Program<string>>(program: P): Promise<P & { session: Session }> => {
    const session = await engine.load(program.model, options);
    loaded.push(session);
    return { ...program, session };
  };
  const kept = <P extends Program<string>>(make: (loss: LossId, rule: UpdateRule | null) => P) => {
    const known = new Map<string, Promise<P & { session: Session }>>();
    return (loss: LossId, rule: UpdateRule | null): Promise<P & { session: Session }> => {
      const key = `${loss} ${rule?.key ?? ""}`;
      const open = known.get(key) ?? (async () => await opened(make(loss, rule)))();
      known.set(key, open);
      return open;
    };
  };
  const steps = kept((loss, rule) => stepProgram(trainable, layout, rule!, losses[loss]));
  const forward = kept(() => forwardProgram(trainable, layout));
  const inputGradients = kept((loss) => inputGradientProgram(trainable, layout, losses[loss]));
  const input = inputOf(trainable);
  const vector = (data: Float32Array): Tensor<"float32"> => ({ dtype: "float32", dims: [data.length], data });
  const data = (tensor: Tensor | undefined): Float32Array => tensor!.data as Float32Array;

  return {
    layout,
    async step({ rule, loss }, state, frozen, rates, { features, targets, weights }, spare) {
      const { session, outputs, vectors } = await steps(loss, rule);
      const feeds: Record<string, Tensor> = {
        ...frozen,
        ...feedsOf(layout, state.parameters),
        [input]: features,
        [names.targets]: targets,
        [names.weights]: vector(weights),
        [names.rates]: float32([rates.length], rates),
      };
      state.states.forEach((s, i) =>
        Object.assign(
          feeds,
          feedsOf(layout, s, (name) => names.state(i, name)),
        ),
      );
      const fresh = (): Float32Array => new Float32Array(layout.size);
      const next = spare ?? { parameters: fresh(), states: state.states.map(fresh) };
      const into: Record<string, Tensor<"float32">> = {};
      [next.parameters, ...next.states].forEach((flat, i) =>
        Object.assign(
          into,
          feedsOf(layout, flat, (_, k) => vectors[i]![k]!),
        ),
      );
      const out = await runInto(session, feeds, into);
      return { state: next, loss: data(out[outputs.loss])[0]!, logits: data(out[outputs.logits]) };
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
      for (const session of loaded.splice(0)) await session.close();
    },
  };
}

/** The frozen constants of a trainable model as feeds. */
export const frozenOf = ({ model, frozen }: Trainable): Frozen =>
  Object.fromEntries(frozen.map((name) => [name, constantOf(model, name)]));
