import { getInts, GraphBuilder } from "../../ir/index.ts";
import type { Graph, Node } from "../../ir/index.ts";
import { dependents, producers } from "../uses.ts";

/**
 * A product with stacked constant matrices, transposed, as the transpose of the product with the matrices as they are:
 * A·Wᵀ = (W·Aᵀ)ᵀ. ONNX Runtime would keep Wᵀ beside W, twice the memory, to save a pass over A. Value names stay.
 */
export function shareWeights(graph: Graph): Graph {
  const varying = dependents(
    graph,
    graph.inputs.map((i) => i.name),
  );
  const madeBy = producers(graph);
  const swap = (node: Node): readonly number[] | null => {
    const turned = madeBy.get(node.inputs[1] ?? "");
    if (node.op !== "MatMul" || node.domain !== "" || turned?.op !== "Transpose" || varying.has(turned.outputs[0]!))
      return null;
    const perm = getInts(turned, "perm");
    const n = perm?.length ?? 0;
    const swaps = n > 2 && perm!.every((p, i) => p === (i < n - 2 ? i : 2 * n - 3 - i));
    return swaps ? perm : null;
  };
  if (graph.nodes.every((node) => swap(node) === null)) return graph;
  const b = GraphBuilder.rewriting(graph);
  for (const node of graph.nodes) {
    const perm = swap(node);
    if (perm === null) {
      b.append(node);
      continue;
    }
    const weights = madeBy.get(node.inputs[1]!)!.inputs[0]!;
    const product = b.matmul(weights, b.transpose(node.inputs[0]!, perm));
    const attributes = madeBy.get(node.inputs[1]!)!.attributes;
    b.append({ op: "Transpose", domain: "", name: node.name, inputs: [product], outputs: node.outputs, attributes });
  }
  return b.build();
}
