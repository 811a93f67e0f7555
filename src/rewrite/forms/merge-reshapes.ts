import { getInt, type Graph, type Node } from "../../ir/index.ts";
import { producers } from "../uses.ts";

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
  /** What a value was before it was reshaped, as far back as a shape with (`copies`) or without a copied size allows. */
  const source = (name: string, copies: boolean): string => {
    const node = madeBy.get(name);
    const shape = shapeOf(node);
    if (shape === null || (copies && shape[0] !== 0)) return name;
    return source(node!.inputs[0]!, copies);
  };
  const from = (node: Node): string => {
    const shape = shapeOf(node);
    const own = node.inputs[0] ?? "";
    return shape === null || shape.lastIndexOf(0) > 0 ? own : source(own, shape[0] === 0);
  };
  return {
    ...graph,
    nodes: graph.nodes.map((node) =>
      from(node) === (node.inputs[0] ?? "") ? node : { ...node, inputs: [from(node), node.inputs[1]!] },
    ),
  };
}
