import type { Session } from "../engine/engine.ts";
import { MarauderError } from "../errors.ts";
import { inferTypes, raiseOpset, type Graph } from "../ir/index.ts";
import { decompose } from "../rewrite/index.ts";
import { bitsPerElement, sizeOf, tensor, type Tensor } from "../tensor/index.ts";
import type { Trainable } from "./architectures.ts";
import { batchAxes, knownOf, unopened } from "./clipping/batch-axis.ts";
import { losses } from "./losses.ts";
import { slotsOf, type Layout } from "./parameters.ts";
import type { Feeds, Places } from "./run-into.ts";
import { attachLoss, inputOf, names } from "./step.ts";
import type { LossId } from "./trainer.ts";

/** Rows from `from` up to `to` of a batch. */
export interface Part {
  readonly from: number;
  readonly to: number;
}

/** Which batches of a model are worth cutting into parts that go side by side, each with one thread. */
export interface Cut {
  /** Rows that a part must have. */
  readonly least: number;
  /** Rows of a batch from which on threads inside the operators have enough to share. */
  readonly most: number;
}

/** Mean bytes of a value from which on threads inside operators are as fast (bench/training/notes.md). */
const SHARED = 2 ** 19;
/** Bytes of values that pay for the question to another thread. */
const LEAST_VALUES = 2 ** 20;
/** Every part reads all weights and has a gradient as large as they are: it must hold so many times their bytes. */
const TIMES_WEIGHTS = 40;

/**
 * Which batches are cut; null where an operator mixes examples (BatchNormalization in training mode, a reduction over the
 * batch) or is not known to keep them apart, and where the number of rows is fixed.
 */
export function cutOf(trainable: Trainable, layout: Layout, loss: LossId): Cut | null {
  if (typeof trainable.model.graph.inputs[0]!.dims?.[0] === "number") return null;
  const { model, rows } = attachLoss(trainable, layout, losses[loss]);
  let graph: Graph;
  let axes: ReadonlyMap<string, number>;
  try {
    const simple = decompose(inferTypes(raiseOpset(model)), { only: ({ op }) => !unopened.test(op) });
    ({ graph } = inferTypes(simple.model));
    axes = batchAxes(graph, [inputOf(trainable), names.targets], knownOf(graph));
  } catch (error) {
    if (error instanceof MarauderError && error.code === "MODEL_UNSUPPORTED") return null;
    throw error;
  }
  if (axes.get(rows) !== 0 || axes.get(trainable.model.graph.outputs[0]!.name) !== 0) return null;
  let each = 1; // bytes of the values of one row
  for (const [name, axis] of axes) {
    const { dims = null, dtype = null } = graph.values.get(name) ?? {};
    const others = dims?.filter((_, i) => i !== axis);
    if (dtype !== null && others?.every((d) => typeof d === "number")) {
      each += (sizeOf(others) * bitsPerElement(dtype)) / 8;
    }
  }
  return {
    least: Math.ceil(Math.max(TIMES_WEIGHTS * 4 * layout.size, LEAST_VALUES) / each),
    most: Math.floor((SHARED * axes.size) / each),
  };
}

/** Parts of nearly equal size, in order; `unit` rows after one another stay together. */
export function partsOf(rows: number, parts: number, unit = 1): Part[] {
  const at = (i: number): number => unit * Math.floor((i * (rows / unit)) / parts);
  return Array.from({ length: parts }, (_, i) => ({ from: at(i), to: at(i + 1) }));
}

/** The parts of a batch, one for each lane of the session that `open` gives; null for a batch that is not cut. */
export async function inLanes<P extends { readonly session: Session }>(
  cut: Cut | null,
  rows: number,
  open: () => Promise<P>,
  unit = 1,
): Promise<{ readonly program: P; readonly parts: readonly Part[] } | null> {
  if (cut === null || rows < 2 * Math.max(unit, cut.least) || rows > cut.most) return null;
  const program = await open();
  const { lanes } = program.session;
  const fits = lanes > 1 && rows >= lanes * Math.max(unit, cut.least);
  return fits ? { program, parts: partsOf(rows, lanes, unit) } : null;
}

/** Rows of tensors, views of their memory. */
export const rowsOf = (values: Feeds, { from, to }: Part): Record<string, Tensor> =>
  Object.fromEntries(
    Object.entries(values).map(([name, { dtype, dims, data }]) => {
      const width = data.length / dims[0]!;
      const own = (data as Float32Array).subarray(from * width, to * width);
      return [name, tensor(dtype, [to - from, ...dims.slice(1)], own as never)];
    }),
  );

/**
 * Runs a graph on parts of a batch and adds up in `sum` the vector that its outputs `vector` are: in the order of the
 * parts, so that the lanes do not change a bit. Gives the outputs, part by part.
 */
export async function addUp(
  { session, freshPlaces }: { readonly session: Session; readonly freshPlaces: (feeds: Feeds) => Places },
  feeds: readonly Feeds[],
  vector: readonly string[],
  layout: Layout,
  sum: Float32Array,
): Promise<readonly Feeds[]> {
  const slots = slotsOf(layout, sum);
  const into = Object.fromEntries(vector.map((name, k) => [name, slots[k]!]));
  const answers = await session.runAll(
    feeds.map((own, i) => ({ feeds: own, ...(i === 0 && { into: { ...freshPlaces(own), ...into } }) })),
  );
  answers.forEach((answer, i) =>
    vector.forEach((name, k) => {
      const own = answer[name]!.data as Float32Array;
      const { data } = slots[k]!;
      if (i > 0) add(data, own);
      else if (own !== data) data.set(own); // an engine need not write where it is told to
    }),
  );
  return answers;
}

function add(sum: Float32Array, own: Float32Array): void {
  for (let i = 0; i < sum.length; i++) sum[i]! += own[i]!;
}

/** An output of all parts, in the order of their rows. */
export function joined(answers: readonly Feeds[], name: string): Float32Array {
  const own = answers.map((answer) => answer[name]!.data as Float32Array);
  if (own.length === 1) return own[0]!;
  const out = new Float32Array(own.reduce((n, { length }) => n + length, 0));
  let at = 0;
  for (const part of own) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
