import { tensorInfo } from "../ir/index.ts";
import type { Graph, ValueInfo } from "../ir/index.ts";
import { isFloat } from "../tensor/index.ts";
import { prune } from "./prune.ts";
import { namesRead } from "./uses.ts";

/**
 * The first values of floats that follow from inputs without any: embeddings looked up by ids, bytes cast to numbers.
 * `typeOf` tells what is known of a value.
 */
export function firstFloats(graph: Graph, typeOf: (name: string) => ValueInfo | undefined): string[] {
  const inputs = graph.inputs.filter((i) => !graph.constants.has(i.name));
  const whole = new Set(inputs.map((i) => i.name));
  const found: string[] = [];
  for (const node of graph.nodes) {
    if (!namesRead(node).some((name) => whole.has(name))) continue;
    for (const name of node.outputs) {
      if (name === "") continue;
      const dtype = typeOf(name)?.dtype ?? null;
      if (dtype === null) continue;
      if (isFloat(dtype)) found.push(name);
      else whole.add(name);
    }
  }
  return found;
}

/** The graph with inner values as inputs: what made only them is gone. Their types must be known. */
export function cutAt(graph: Graph, names: readonly string[], typeOf: (name: string) => ValueInfo | undefined): Graph {
  const cut = new Set(names);
  const nodes = graph.nodes.map((node) =>
    node.outputs.some((name) => cut.has(name))
      ? { ...node, outputs: node.outputs.map((name) => (cut.has(name) ? `${name} before the cut` : name)) }
      : node,
  );
  const added = names.map((name) => {
    const known = typeOf(name);
    return tensorInfo(name, known?.dtype ?? null, known?.dims ?? null);
  });
  return prune({ ...graph, nodes, inputs: [...graph.inputs, ...added] }, undefined, { dropInputs: true });
}
