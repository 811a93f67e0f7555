import { grad } from "../grad/index.ts";
import { dimsIn, GraphBuilder, inferTypes, int, type Graph, type Model } from "../ir/index.ts";
import {
  findGelu,
  findNormalization,
  gatherHeads,
  geluByErf,
  lastMinute,
  mergeReshapes,
  needlessExpands,
  narrowSums,
  plainPools,
  prune,
  remake,
  tableProducts,
  turnedProducts,
  winograd,
  withMoments,
} from "../rewrite/index.ts";
import { targetDims, type Loss } from "./losses.ts";
import type { UpdateRule } from "./optimizers.ts";
import { constantOf, crossing, type Layout } from "./parameters.ts";
import type { Trainable } from "./architectures.ts";

/** Names of the inputs that the graphs here add to a model's own. */
export const names = {
  targets: "train.targets",
  weights: "train.weights",
  state: (i: number, slot: string): string => `train.state.${i}.${slot}`,
  rates: "train.rates",
  gradient: (slot: string): string => `train.gradient.${slot}`,
} as const;

/** A graph to run, and the names of its outputs by what they are. Its parameters are inputs under their own names. */
export interface Program<K extends string> {
  readonly model: Model;
  readonly outputs: Readonly<Record<K, string>>;
}

/** A graph with outputs that are vectors of the layout: one output for each slot, in its shape. */
export interface UpdateProgram<K extends string> extends Program<K> {
  /** The slots in which vectors enter and leave. */
  readonly layout: Layout;
  readonly vectors: readonly (readonly string[])[];
}

/** Inputs: input, parameters, frozen constants. Outputs: logits [N, classes] and features [N, width]. */
export function forwardProgram(trainable: Trainable, layout: Layout): Program<"logits" | "features"> {
  const b = new GraphBuilder(openParameters(trainable, layout));
  const logits = trainable.model.graph.outputs[0]!.name;
  b.clearOutputs();
  const outputs = {
    logits: b.output(logits, "float32", null),
    features: b.output(trainable.features, "float32", null, "train.features"),
  };
  return { model: { ...trainable.model, graph: b.build() }, outputs };
}

/**
 * Inputs: input, parameters, frozen constants, targets. Output: the gradient of the summed loss with respect to the input:
 * each row has its own.
 */
export function inputGradientProgram(trainable: Trainable, layout: Layout, loss: Loss): Program<"gradient"> {
  const { rows, model } = attachLoss(trainable, layout, loss);
  const input = inputOf(trainable);
  const made = grad(model, { of: rows, wrt: [input] });
  const b = new GraphBuilder(made.model.graph);
  b.clearOutputs();
  const gradient = b.output(made.gradients.get(input)!, "float32", null);
  return { model: { ...made.model, graph: b.build() }, outputs: { gradient } };
}

/**
 * One training step. Inputs: input, parameters and states in the slots of the program's own layout, frozen constants,
 * targets, weights [N], rates. Outputs: the loss (a scalar: the sum over rows of weight times loss, so the weights carry the
 * division by the batch size) and the logits before the update; vectors: the new parameters and states.
 */
export function stepProgram(
  trainable: Trainable,
  layout: Layout,
  rule: UpdateRule,
  lossOf: Loss,
): UpdateProgram<"loss" | "logits"> {
  const own = rule.uniform ? crossing(layout) : layout;
  const { b, model, values, gradients } = differentiated(trainable, layout, own, lossOf);
  const emitted = emitUpdate(b, own, rule, gradients);
  const outputs = outputsOf(b, values);
  const vectors = emitted.map((vector) => vector.map((value, k) => b.output(value, "float32", own.slots[k]!.dims)));
  return { model: { ...model, graph: finished(b, trainable) }, layout: own, outputs, vectors };
}

/** A training step without its update. Inputs and outputs as of `stepProgram`; one vector: the gradient of the loss. */
export function gradientProgram(trainable: Trainable, layout: Layout, lossOf: Loss): UpdateProgram<"loss" | "logits"> {
  const own = crossing(layout);
  const { b, model, values, gradients } = differentiated(trainable, layout, own, lossOf);
  const outputs = outputsOf(b, values);
  // Under names of their own: two parameters may have one gradient.
  const vector = own.slots.map(({ name, dims }) =>
    b.output(gradients.get(name)!, "float32", dims, names.gradient(name)),
  );
  return { model: { ...model, graph: finished(b, trainable) }, layout: own, outputs, vectors: [vector] };
}

/** An update alone. Inputs: parameters, gradients, states, rates; vectors: the new parameters and states. */
export function updateProgram(layout: Layout, rule: UpdateRule): UpdateProgram<never> {
  const b = new GraphBuilder();
  const gradients = new Map(
    layout.slots.map(({ name, dims }) => {
      b.input(name, "float32", dims);
      return [name, b.input(names.gradient(name), "float32", dims)];
    }),
  );
  const vectors = emitUpdate(b, layout, rule, gradients).map((vector) =>
    vector.map((value, k) => b.output(value, "float32", layout.slots[k]!.dims)),
  );
  const graph = { ...b.build(), name: "update" };
  const file = { irVersion: 8, opsets: { "": 18 }, producer: "marauder", producerVersion: "", metadata: {} };
  return { model: { ...file, graph }, layout, outputs: {}, vectors };
}

/** The model with its weighted loss and the gradients of it by the slots of `own`, before anything is an output. */
function differentiated(
  trainable: Trainable,
  layout: Layout,
  own: Layout,
  lossOf: Loss,
): {
  readonly b: GraphBuilder;
  readonly model: Model;
  readonly values: { readonly loss: string; readonly logits: string };
  readonly gradients: ReadonlyMap<string, string>;
} {
  const attached = attachLoss(trainable, layout, lossOf);
  const weighted = new GraphBuilder(attached.model.graph);
  const weights = weighted.input(names.weights, "float32", [null]);
  const loss = weighted.reduceSum(weighted.mul(attached.rows, weights), [0], false);
  const typed = inferTypes({ ...attached.model, graph: weighted.build() });
  const tables = tableProducts(typed.graph, dimsIn(typed.graph));
  const model = fewerProducts({ ...typed, graph: tables }, LEAST_CHANNELS);
  // From the rows' losses on: through their weighted sum a dozen small nodes would look for the shape of the weights.
  const { rows } = attached;
  const wrt = layout.slots.map((slot) => slot.name);
  const made = grad(model, { of: rows, wrt, seeds: new Map([[rows, names.weights]]) });
  const graph = balanced(made.model, loss);
  const b = own === layout ? new GraphBuilder(graph) : fedWhole(graph, layout, own.slots[0]!.name);
  b.clearOutputs();
  const values = { loss, logits: trainable.model.graph.outputs[0]!.name };
  if (own === layout) return { b, model: made.model, values, gradients: made.gradients };
  const flat = layout.slots.map(({ name, size }) => b.reshape(made.gradients.get(name)!, [size]));
  const whole = b.op("Concat", flat, { axis: int(0) }, "train.gradient");
  return { b, model: made.model, values, gradients: new Map([[own.slots[0]!.name, whole]]) };
}

/** The same graph with the input `whole` in place of the parameters, which are made of it. */
function fedWhole(graph: Graph, { slots, size }: Layout, whole: string): GraphBuilder {
  const named = new Set(slots.map(({ name }) => name));
  const b = GraphBuilder.rewriting({ ...graph, inputs: graph.inputs.filter(({ name }) => !named.has(name)) });
  const sizes = b.indices(slots.map((slot) => slot.size));
  const pieces = b.opN(
    "Split",
    [b.input(whole, "float32", [size]), sizes],
    slots.length,
    { axis: int(0) },
    "train.slot",
  );
  slots.forEach(({ name, dims }, k) => {
    const inputs = [pieces[k]!, b.indices(dims)];
    b.append({ op: "Reshape", domain: "", name: b.fresh("train.parameter"), inputs, outputs: [name], attributes: {} });
  });
  for (const node of graph.nodes) b.append(node);
  return b;
}

const outputsOf = (b: GraphBuilder, { loss, logits }: { readonly loss: string; readonly logits: string }) => ({
  loss: b.output(loss, "float32", []),
  logits: b.output(logits, "float32", null),
});

/** Appends the update of all parameters, which have gradients of these names; gives the names of the new vectors. */
function emitUpdate(
  b: GraphBuilder,
  layout: Layout,
  rule: UpdateRule,
  gradients: ReadonlyMap<string, string>,
): string[][] {
  const packed = b.input(names.rates, "float32", [rule.rates]);
  const rates = b
    .opN("Split", [packed], rule.rates, { axis: int(0), num_outputs: int(rule.rates) }, "rate")
    .map((rate) => b.squeeze(rate, [0]));
  const tensors = layout.slots.map(({ name, dims }) => {
    const states = Array.from({ length: rule.states }, (_, i) => b.input(names.state(i, name), "float32", dims));
    return { parameter: name, gradient: gradients.get(name)!, states, rank: dims.length };
  });
  const updated = rule.emit(b, tensors, rates);
  return Array.from({ length: rule.states + 1 }, (_, i) =>
    updated.map(({ parameters, states }) => [parameters, ...states][i]!),
  );
}

/** Where minimal filtering begins to pay in a plain step, whose forward pass and gradients share it: 32 to 64 channels. */
const LEAST_CHANNELS = 20;

/**
 * The same model in forms whose gradients cost less: convolutions by minimal filtering from so many channels on (by
 * default where it pays for gradients clipped one by one, which need the patches all the same).
 */
export function fewerProducts(model: Model, leastChannels?: number): Model {
  const typed = inferTypes(model);
  const dimsOf = dimsIn(typed.graph);
  const filtered = winograd(typed.graph, dimsOf, leastChannels);
  return { ...typed, graph: withMoments(findNormalization(findGelu(filtered), dimsOf)) };
}

/** The graph without what nothing reads, in an order that keeps little in memory. */
export const finished = (b: GraphBuilder, trainable: Trainable): Graph =>
  lastMinute(prune(b.build()), [inputOf(trainable), names.targets, names.weights]);

/** The graph of a gradient, where its two passes share work, and keep less for each other; the first ends with the value `loss`. */
export function balanced(model: Model, loss: string): Graph {
  const { graph } = inferTypes(model);
  const dimsOf = dimsIn(graph);
  const first = graph.nodes.findIndex((node) => node.outputs.includes(loss)) + 1;
  const kernels = turnedProducts(remake(graph, first, dimsOf), dimsOf);
  const passes = gatherHeads(narrowSums(needlessExpands(kernels, dimsOf), dimsOf), dimsOf);
  return plainPools(geluByErf(mergeReshapes(passes)), dimsOf);
}

/** The model's graph with its parameters and its frozen constants as inputs. */
export function openParameters(trainable: Trainable, layout: Layout): Graph {
  const { model, parameters, frozen } = trainable;
  const opened = new Set([...parameters, ...frozen]);
  const base = model.graph;
  const b = new GraphBuilder({
    ...base,
    constants: new Map([...base.constants].filter(([name]) => !opened.has(name))),
  });
  for (const { name, dims } of layout.slots) b.input(name, "float32", dims);
  for (const name of frozen) b.input(name, "float32", constantOf(model, name).dims);
  return b.build();
}

/** The name of the input that holds the examples. */
export const inputOf = (trainable: Trainable): string => trainable.model.graph.inputs[0]!.name;

/** The opened graph with the input "targets" and the loss of each row, shape [N]. */
export function attachLoss(trainable: Trainable, layout: Layout, loss: Loss): { model: Model; rows: string } {
  const b = new GraphBuilder(openParameters(trainable, layout));
  const logits = trainable.model.graph.outputs[0]!;
  const targets = b.input(names.targets, loss.targets, targetDims(loss, logits.dims));
  const rows = loss.emit(b, logits.name, targets);
  return { model: { ...trainable.model, graph: b.build() }, rows };
}
