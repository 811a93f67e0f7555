import { getInt, type Graph, type Node } from "../ir/index.ts";
import { producers } from "./uses.ts";

/**
 * A Reshape behind a Reshape reads what the first one read, where its shape means the same there: it copies no size, or
 * the leading one alone, which the first one copied too. Value names stay; the first one may be left without readers.
 */
export function mergeReshapes(graph: Graph): Graph {
  const madeBy = producers(graph);
  const shapeOf = (node: Node | undefined): readonly number[] | null => {
    if (node?.op !== "Reshape" || node.domain !== "" || getInt(node, "allowzero", 0) !== 0) return null;
    const shape = graph.constants.get(node.inputs[1] ?? "");
    return shape?.dtype === "int64" ? Array.from(shape.data as BigInt64Array, Number) : null;
  };
  const source = (node: Node): string => {
    const shape = shapeOf(node);
    let from = node.inputs[0] ?? "";
    while (shape !== null && shape.lastIndexOf(0) < 1) {
      const first = shapeOf(madeBy.get(from));
      if (first === null || (shape[0] === 0 && first[0] !== 0)) break;
      from = madeBy.get(from)!.inputs[0]!;
    }
    return from;
  };
  return {
    ...graph,
    nodes: graph.nodes.map((node) => {
      const from = source(node);
      return from === (node.inputs[0] ?? "") ? node : { ...node, inputs: [from, node.inputs[1]!] };
    }),
  };
}
