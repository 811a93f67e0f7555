import { grad } from "../grad/index.ts";
import { GraphBuilder, inferTypes, int, tensorInfo, type Graph, type Model } from "../ir/index.ts";
import { winograd } from "../rewrite/index.ts";
import { int64 } from "../tensor/index.ts";
import { targetDims, type Loss } from "./losses.ts";
import type { UpdateRule } from "./optimizers.ts";
import { constantOf, type Layout } from "./parameters.ts";
import type { Trainable } from "./architectures.ts";
import { knownOf } from "./batch-axis.ts";

/** Names of the inputs that the graphs here add to a model's own. */
export const names = {
  parameters: "train.parameters",
  targets: "train.targets",
  weights: "train.weights",
  state: (i: number): string => `train.state.${i}`,
  rates: "train.rates",
} as const;

/** A graph to run, and the names of its outputs by what they are. */
export interface Program<K extends string> {
  readonly model: Model;
  readonly outputs: Readonly<Record<K, string>>;
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
 * One training step. Inputs: input, parameters, frozen constants, targets, weights [N], state.0 …, rates. Outputs: the
 * new parameters and states, the loss (a scalar: the sum over rows of weight times loss, so the weights carry the division
 * by the batch size) and the logits before the update.
 */
export function stepProgram(
  trainable: Trainable,
  layout: Layout,
  rule: UpdateRule,
  lossOf: Loss,
): Program<"parameters" | "loss" | "logits" | `state${number}`> {
  const attached = attachLoss(trainable, layout, lossOf);
  const weighted = new GraphBuilder(attached.model.graph);
  const weights = weighted.input(names.weights, "float32", [null]);
  const loss = weighted.reduceSum(weighted.mul(attached.rows, weights), [0], false);
  const model = fewerProducts({ ...attached.model, graph: weighted.build() });
  const made = grad(model, { of: loss, wrt: [names.parameters] });
  const b = new GraphBuilder(made.model.graph);
  b.clearOutputs();
  const states = Array.from({ length: rule.states }, (_, i) => b.input(names.state(i), "float32", [layout.size]));
  const packed = b.input(names.rates, "float32", [rule.rates]);
  const rates = b.opN("Split", [packed], rule.rates, { axis: int(0), num_outputs: int(rule.rates) }, "rate");
  const updated = rule.emit(b, names.parameters, made.gradients.get(names.parameters)!, states, rates);
  const outputs: Record<string, string> = {
    parameters: b.output(updated.parameters, "float32", [layout.size]),
    loss: b.output(loss, "float32", []),
    logits: b.output(trainable.model.graph.outputs[0]!.name, "float32", null),
  };
  updated.states.forEach((state, i) => (outputs[`state${i}`] = b.output(state, "float32", [layout.size])));
  return {
    model: { ...made.model, graph: b.build() },
    outputs: outputs as Record<"parameters" | "loss" | "logits" | `state${number}`, string>,
  };
}

/** The same model with convolutions by minimal filtering, where that pays in a training step. */
export function fewerProducts(model: Model): Model {
  const typed = inferTypes(model);
  return { ...typed, graph: winograd(typed.graph, knownOf(typed.graph).dims) };
}

/** The model's graph with its parameters read from one vector, and the frozen constants as inputs. */
export function openParameters(trainable: Trainable, layout: Layout): Graph {
  const { model, parameters, frozen } = trainable;
  const opened = new Set([...parameters, ...frozen]);
  const base = model.graph;
  const constants = new Map([...base.constants].filter(([name]) => !opened.has(name)));
  const b = new GraphBuilder({ ...base, nodes: [], constants });
  const flat = b.input(names.parameters, "float32", [layout.size]);
  for (const name of frozen) b.input(name, "float32", constantOf(model, name).dims);
  const split = (outputs: string[]): void =>
    b.append({
      op: "Split",
      domain: "",
      name: "train.split",
      inputs: [
        flat,
        b.constant(
          int64(
            [outputs.length],
            layout.slots.map((s) => s.size),
          ),
          "train.sizes",
        ),
      ],
      outputs,
      attributes: { axis: int(0) },
    });
  split(layout.slots.map(({ name, dims }) => (dims.length === 1 ? name : `train.flat.${name}`)));
  for (const { name, dims } of layout.slots) {
    if (dims.length === 1) continue;
    const inputs = [`train.flat.${name}`, b.indices(dims)];
    b.append({ op: "Reshape", domain: "", name: `train.shape.${name}`, inputs, outputs: [name], attributes: {} });
  }
  for (const node of base.nodes) b.append(node);
  const graph = b.build();
  const known = layout.slots.map(({ name, dims }) => [name, tensorInfo(name, "float32", dims)] as const);
  return { ...graph, values: new Map([...graph.values, ...known]) };
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
