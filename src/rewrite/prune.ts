import { excerpt, MarauderError } from "../errors.ts";
import type { Graph, ValueInfo } from "../ir/index.ts";
import { ancestors } from "./uses.ts";

/**
 * Keeps only the nodes and constants that `outputs` need (names of any values; by default the graph's own outputs),
 * and makes them the outputs. Inputs stay, but for those that `dropInputs` lets go because nothing reads them.
 * Throws MODEL_INPUT where the graph has no such value.
 */
export function prune(
  graph: Graph,
  outputs: readonly string[] = graph.outputs.map((o) => o.name),
  options: { readonly dropInputs?: boolean } = {},
): Graph {
  const declared = new Map<string, ValueInfo>(graph.values);
  for (const info of [...graph.inputs, ...graph.outputs]) declared.set(info.name, info);
  const made = new Set<string>([...graph.constants.keys(), ...graph.inputs.map((i) => i.name)]);
  for (const node of graph.nodes) for (const name of node.outputs) made.add(name);
  const missing = outputs.find((name) => !made.has(name));
  if (missing !== undefined) {
    throw new MarauderError(
      "MODEL_INPUT",
      `the model has no value named ${JSON.stringify(excerpt(missing))}; ` +
        `its outputs are ${excerpt(graph.outputs.map((o) => o.name).join(", "))}`,
    );
  }
  const wanted = ancestors(graph, outputs);
  return {
    ...graph,
    inputs: options.dropInputs === true ? graph.inputs.filter((i) => wanted.has(i.name)) : graph.inputs,
    outputs: outputs.map((name) => declared.get(name) ?? { name, dtype: null, dims: null, kind: "unknown" }),
    nodes: graph.nodes.filter((node) => node.outputs.some((name) => wanted.has(name))),
    constants: new Map([...graph.constants].filter(([name]) => wanted.has(name))),
    values: new Map([...graph.values].filter(([name]) => wanted.has(name))),
  };
}
