import type { Engine, Session } from "../engine/engine.ts";
import type { Tensor } from "../tensor/index.ts";
import { float32 } from "../tensor/index.ts";
import type { Trainable } from "./architectures.ts";
import { optimizers } from "./optimizers.ts";
import { constantOf, layoutOf, type Layout } from "./parameters.ts";
import { forwardProgram, inputGradientProgram, names, stepProgram, type Program } from "./step.ts";
import type { OptimizerId } from "./trainer.ts";

/** All that changes from step to step. Vectors of the length of the layout. */
export interface TrainingState {
  readonly parameters: Float32Array;
  readonly states: readonly Float32Array[];
}

/** Values of the frozen constants (normalization) by name. */
export type Frozen = Readonly<Record<string, Tensor<"float32">>>;

/**
 * The compiled graphs of one architecture. They hold no weights: parameters, optimizer state and normalization are
 * inputs, so one set of sessions serves any number of trainings of the same shape, at any batch size.
 */
export interface Programs {
  readonly layout: Layout;
  step(
    optimizer: OptimizerId,
    state: TrainingState,
    frozen: Frozen,
    rates: readonly number[],
    features: Tensor<"float32">,
    targets: Tensor<"float32">,
  ): Promise<{ state: TrainingState; loss: number; logits: Float32Array }>;
  /** Gradient of the summed loss with respect to the inputs, in their shape. */
  inputGradient(
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
  const lazy = <K extends string>(make: () => Program<K>): (() => Promise<Loaded<K>>) => {
    let kept: Promise<Loaded<K>> | null = null;
    return () => {
      kept ??= (async () => {
        const { model, outputs } = make();
        const session = await engine.load(model, options);
        loaded.push(session);
        return { session, outputs };
      })();
      return kept;
    };
  };
  const steps = {
    sgd: lazy(() => stepProgram(trainable, layout, optimizers.sgd)),
    adam: lazy(() => stepProgram(trainable, layout, optimizers.adam)),
  };
  const forward = lazy(() => forwardProgram(trainable, layout));
  const inputGradient = lazy(() => inputGradientProgram(trainable, layout));
  const vector = (data: Float32Array): Tensor<"float32"> => ({ dtype: "float32", dims: [data.length], data });
  const data = (tensor: Tensor | undefined): Float32Array => tensor!.data as Float32Array;

  return {
    layout,
    async step(optimizer, state, frozen, rates, features, targets) {
      const { session, outputs } = await steps[optimizer]();
      const feeds: Record<string, Tensor> = {
        ...frozen,
        [names.input]: features,
        [names.parameters]: vector(state.parameters),
        [names.targets]: targets,
        [names.rates]: float32([rates.length], rates),
      };
      state.states.forEach((s, i) => (feeds[names.state(i)] = vector(s)));
      const out = await session.run(feeds);
      return {
        state: {
          parameters: data(out[outputs.parameters]),
          states: state.states.map((_, i) => data(out[outputs[`state${i}`]])),
        },
        loss: data(out[outputs.loss])[0]!,
        logits: data(out[outputs.logits]),
      };
    },
    async inputGradient(parameters, frozen, features, targets) {
      const { session, outputs } = await inputGradient();
      const given = { [names.input]: features, [names.parameters]: vector(parameters), [names.targets]: targets };
      return data((await session.run({ ...frozen, ...given }))[outputs.gradient]);
    },
    async forward(parameters, frozen, features, what) {
      const { session, outputs } = await forward();
      const given = { [names.input]: features, [names.parameters]: vector(parameters) };
      const out = await session.run({ ...frozen, ...given }, [outputs[what]]);
      return out[outputs[what]] as Tensor<"float32">;
    },
    async close() {
      for (const session of loaded.splice(0)) await session.close();
    },
  };
}

interface Loaded<K extends string> {
  readonly session: Session;
  readonly outputs: Readonly<Record<K, string>>;
}

/** The frozen constants of a trainable model as feeds. */
export const frozenOf = ({ model, frozen }: Trainable): Frozen =>
  Object.fromEntries(frozen.map((name) => [name, constantOf(model, name)]));
