import { grad } from "../grad/index.ts";
import { dimsIn, GraphBuilder, inferTypes, int, type Graph, type Model } from "../ir/index.ts";
import {
  findGelu,
  findNormalization,
  gatherHeads,
  geluByErf,
  mergeReshapes,
  narrowSums,
  remakeKernels,
  tableProducts,
  winograd,
  withMoments,
} from "../rewrite/index.ts";
import { targetDims, type Loss } from "./losses.ts";
import type { UpdateRule } from "./optimizers.ts";
import { constantOf, type Layout } from "./parameters.ts";
import type { Trainable } from "./architectures.ts";

/** Names of the inputs that the graphs here add to a model's own. */
export const names = {
  targets: "train.targets",
  weights: "train.weights",
  state: (i: number, slot: string): string => `train.state.${i}.${slot}`,
  rates: "train.rates",
} as const;

/** A graph to run, and the names of its outputs by what they are. Its parameters are inputs under their own names. */
export interface Program<K extends string> {
  readonly model: Model;
  readonly outputs: Readonly<Record<K, string>>;
}

/** A graph with outputs that are vectors of the layout: one output for each slot, in its shape. */
export interface UpdateProgram<K extends string> extends Program<K> {
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
 * One training step. Inputs: input, parameters, frozen constants, targets, weights [N], states, rates. Outputs: the
 * loss (a scalar: the sum over rows of weight times loss, so the weights carry the division by the batch size) and the
 * logits before the update; vectors: the new parameters and states.
 */
export function stepProgram(
  trainable: Trainable,
  layout: Layout,
  rule: UpdateRule,
  lossOf: Loss,
): UpdateProgram<"loss" | "logits"> {
  const attached = attachLoss(trainable, layout, lossOf);
  const weighted = new GraphBuilder(attached.model.graph);
  const weights = weighted.input(names.weights, "float32", [null]);
  const loss = weighted.reduceSum(weighted.mul(attached.rows, weights), [0], false);
  const typed = inferTypes({ ...attached.model, graph: weighted.build() });
  const tables = tableProducts(typed.graph, dimsIn(typed.graph));
  const model = fewerProducts({ ...typed, graph: tables }, LEAST_CHANNELS);
  const made = grad(model, { of: loss, wrt: layout.slots.map((slot) => slot.name) });
  const b = new GraphBuilder(balanced(made.model, loss));
  b.clearOutputs();
  const packed = b.input(names.rates, "float32", [rule.rates]);
  const rates = b
    .opN("Split", [packed], rule.rates, { axis: int(0), num_outputs: int(rule.rates) }, "rate")
    .map((rate) => b.squeeze(rate, [0]));
  const tensors = layout.slots.map(({ name, dims }) => ({
    parameter: name,
    gradient: made.gradients.get(name)!,
    states: Array.from({ length: rule.states }, (_, i) => b.input(names.state(i, name), "float32", dims)),
    rank: dims.length,
  }));
  const updated = rule.emit(b, tensors, rates);
  const outputs = {
    loss: b.output(loss, "float32", []),
    logits: b.output(trainable.model.graph.outputs[0]!.name, "float32", null),
  };
  const vectors = Array.from({ length: rule.states + 1 }, (_, i) =>
    updated.map(({ parameters, states }, k) => b.output([parameters, ...states][i]!, "float32", layout.slots[k]!.dims)),
  );
  return { model: { ...made.model, graph: b.build() }, outputs, vectors };
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

/** The graph of a gradient, where its two passes share work, and keep less for each other; the first ends with the value `loss`. */
export function balanced(model: Model, loss: string): Graph {
  const { graph } = inferTypes(model);
  const kernels = remakeKernels(graph, graph.nodes.findIndex((node) => node.outputs.includes(loss)) + 1);
  const dimsOf = dimsIn(graph);
  return geluByErf(mergeReshapes(gatherHeads(narrowSums(kernels, dimsOf), dimsOf)));
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
