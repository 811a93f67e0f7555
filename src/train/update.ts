import type { Engine } from "../engine/engine.ts";
import { float32, type Tensor } from "../tensor/index.ts";
import type { UpdateRule } from "./optimizers.ts";
import { feedsOf, type Layout } from "./parameters.ts";
import { runInto } from "./run-into.ts";
import { names, updateProgram } from "./step.ts";

/** All that changes from step to step. Vectors of the length of the layout. */
export interface TrainingState {
  readonly parameters: Float32Array;
  readonly states: readonly Float32Array[];
}

/** One optimizer step from a gradient. */
export interface Update {
  /**
   * `next` is memory for the new state; left out, it is fresh. The gradient may lie where the new parameters go, and the
   * old states where the new ones go.
   */
  step(
    state: TrainingState,
    rates: readonly number[],
    gradient: Float32Array,
    next?: TrainingState,
  ): Promise<TrainingState>;
  close(): Promise<void>;
}

/** Numbers of a vector that are updated at a time where all are treated alike: what is made of them stays in the caches. */
const CHUNK = 2 ** 17;

/** The same vector in slots of one size, whatever parameters are in them. */
function inChunks({ size }: Layout): Layout {
  const slots = Array.from({ length: Math.ceil(size / CHUNK) }, (_, i) => {
    const own = Math.min(CHUNK, size - i * CHUNK);
    return { name: `chunk.${i}`, dims: [own], size: own };
  });
  return { slots, size };
}

/** Compiles an update rule alone. `threads` as in SessionOptions. */
export async function openUpdate(
  engine: Engine,
  rule: UpdateRule,
  whole: Layout,
  threads: number | undefined,
): Promise<Update> {
  const layout = rule.uniform ? inChunks(whole) : whole;
  const { model, vectors } = updateProgram(layout, rule);
  const session = await engine.load(model, { ...(threads !== undefined && { threads }), places: true });
  return {
    async step(state, rates, gradient, next = freshState(layout, state)) {
      const feeds = {
        ...feedsOf(layout, gradient, names.gradient),
        ...stateFeeds(layout, state),
        [names.rates]: float32([rates.length], rates),
      };
      await runInto(session, feeds, placesOf(layout, vectors, next));
      return next;
    },
    close: () => session.close(),
  };
}

/** Memory for a state like this one. */
export const freshState = ({ size }: Layout, { states }: TrainingState): TrainingState => ({
  parameters: new Float32Array(size),
  states: states.map(() => new Float32Array(size)),
});

/** Parameters and states as feeds. */
export function stateFeeds(layout: Layout, { parameters, states }: TrainingState): Record<string, Tensor> {
  const feeds = feedsOf(layout, parameters);
  states.forEach((flat, i) =>
    Object.assign(
      feeds,
      feedsOf(layout, flat, (slot) => names.state(i, slot)),
    ),
  );
  return feeds;
}

/** Where the outputs `vectors`, new parameters and states, are to be written. */
export function placesOf(
  layout: Layout,
  vectors: readonly (readonly string[])[],
  { parameters, states }: TrainingState,
): Record<string, Tensor<"float32">> {
  const places: Record<string, Tensor<"float32">> = {};
  [parameters, ...states].forEach((flat, i) =>
    Object.assign(
      places,
      feedsOf(layout, flat, (_, k) => vectors[i]![k]!),
    ),
  );
  return places;
}
