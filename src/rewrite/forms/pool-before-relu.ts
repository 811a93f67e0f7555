import type { Graph, Node } from "../../ir/index.ts";
import { onlyReaders, producers } from "../uses.ts";

/**
 * MaxPool(Relu(x)) as Relu(MaxPool(x)), where nothing else reads the Relu: the same numbers, since the larger of two
 * stays the larger, and the gradient's mask has the size of the pooled value. Value names behind the pair stay.
 */
export function poolBeforeRelu(graph: Graph): Graph {
  const madeBy = producers(graph);
  const onlyReader = onlyReaders(graph);
  const replaced = new Map<Node, Node>();
  for (const pool of graph.nodes) {
    if (pool.op !== "MaxPool" || pool.domain !== "" || pool.outputs.filter((name) => name !== "").length !== 1)
      continue;
    const [middle] = pool.inputs as [string];
    const relu = madeBy.get(middle);
    if (relu?.op !== "Relu" || relu.domain !== "" || onlyReader(middle) === null) continue;
    // The names keep their places: the first node of the pair makes the inner value, the second the outer one.
    replaced.set(relu, { ...pool, inputs: relu.inputs, outputs: [middle] });
    replaced.set(pool, { ...relu, inputs: [middle], outputs: [pool.outputs[0]!] });
  }
  if (replaced.size === 0) return graph;
  const moved = new Set([...replaced.values()].map((node) => node.outputs[0]!));
  return {
    ...graph,
    nodes: graph.nodes.map((node) => replaced.get(node) ?? node),
    values: new Map([...graph.values].filter(([name]) => !moved.has(name))),
  };
}
