import type { Tensor } from "../tensor/index.ts";
import { constantOf } from "./infer.ts";
import type { DimsOf, Graph, ValueInfo } from "./graph.ts";

/** What is known of the types of a graph's values, those of its inputs and outputs included. */
export function typesOf(graph: Graph): Map<string, ValueInfo> {
  const types = new Map(graph.values);
  for (const v of [...graph.outputs, ...graph.inputs]) types.set(v.name, v);
  return types;
}

/** What is known of the sizes of a graph's values, constants included. */
export function dimsIn(graph: Graph): DimsOf {
  const types = typesOf(graph);
  return (name) => graph.constants.get(name)?.dims ?? types.get(name)?.dims ?? null;
}

/** Constants by name: initializers that no input overrides, and the values of Constant nodes. */
export function constantValues(graph: Graph): Map<string, Tensor> {
  const inputs = new Set(graph.inputs.map((v) => v.name));
  const out = new Map([...graph.constants].filter(([name]) => !inputs.has(name)));
  for (const node of graph.nodes) {
    const value = node.op === "Constant" && node.domain === "" ? constantOf(node) : null;
    if (value !== null) out.set(node.outputs[0]!, value);
  }
  return out;
}
