import { float, getFloat, GraphBuilder, int, type DimsOf, type Graph, type Node } from "../../ir/index.ts";

/**
 * An InstanceNormalization of float32 that neither scales nor shifts (the inner part of a group normalization, as
 * exporters write it) as LayerNormalization over space, whose deviation is an output: its gradient then needs neither
 * the input nor the statistics a second time. ONNX Runtime's kernel for it is the more exact of the two. `dimsOf` tells the
 * shapes of values. Value names stay.
 */
export function normalizeRows(graph: Graph, dimsOf: DimsOf): Graph {
  const inner = graph.nodes.map((node) => spaceOf(node, graph, dimsOf));
  if (inner.every((space) => space === null)) return graph;
  const b = GraphBuilder.rewriting(graph);
  graph.nodes.forEach((node, i) => {
    const space = inner[i]!;
    if (space === null) return b.append(node);
    const [y] = node.outputs as [string];
    b.append({
      ...node,
      op: "LayerNormalization",
      inputs: [node.inputs[0]!, b.ones(space)],
      outputs: [y, b.fresh(`${y}_mean`), b.fresh(`${y}_inverse`)],
      attributes: { axis: int(2), epsilon: float(getFloat(node, "epsilon", 1e-5)) },
    });
  });
  return b.build();
}

/** The sizes behind the channels, where a node is such a normalization and they are known. */
function spaceOf(node: Node, graph: Graph, dimsOf: DimsOf): number[] | null {
  if (node.op !== "InstanceNormalization" || node.domain !== "") return null;
  const [x, scale, bias] = node.inputs as [string, string, string];
  const holds = (name: string, value: number): boolean => {
    const constant = graph.inputs.some((v) => v.name === name) ? undefined : graph.constants.get(name);
    return constant?.dtype === "float32" && (constant.data as Float32Array).every((v) => v === value);
  };
  if (!holds(scale, 1) || !holds(bias, 0)) return null;
  const space = dimsOf(x)?.slice(2) ?? [];
  return space.length > 0 && space.every((d) => typeof d === "number" && d > 0) ? (space as number[]) : null;
}
