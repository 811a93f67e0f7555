import { float, getString, GraphBuilder, type Graph } from "../../ir/index.ts";

/**
 * Gelu(x) = x·Φ(x) with Φ as nodes of its own, x·(½ + ½·erf(x/√2)). The gradient of the operator needs Φ as well, and a
 * training step then computes it once: ONNX Runtime finds that the two are the same. Value names stay.
 */
export function geluByErf(graph: Graph): Graph {
  if (!graph.nodes.some((node) => node.op === "Gelu")) return graph;
  const b = GraphBuilder.rewriting(graph);
  for (const node of graph.nodes) {
    if (node.op !== "Gelu" || node.domain !== "" || getString(node, "approximate", "none") !== "none") {
      b.append(node);
      continue;
    }
    const x = node.inputs[0]!;
    const erf = b.op("Erf", [b.mul(x, b.scalar(Math.SQRT1_2))]);
    const phi = b.op("HardSigmoid", [erf], { alpha: float(0.5), beta: float(0.5) });
    b.append({ op: "Mul", domain: "", name: node.name, inputs: [x, phi], outputs: node.outputs, attributes: {} });
  }
  return b.build();
}
