import { getInts, GraphBuilder, type DimsOf, type Graph, type Node } from "../../ir/index.ts";
import { onlyReaders, producers } from "../uses.ts";

/**
 * A product that is only made to be turned, (A B)ᵀ, becomes Bᵀ Aᵀ where A or B is turned already, and what is turned twice
 * is read as it was: matrix products read turned matrices as they lie, and nothing as large as a weight is moved. The
 * gradient of a weight that a product takes turned is such a product.
 */
export function turnedProducts(graph: Graph, dimsOf: DimsOf): Graph {
  const madeBy = producers(graph);
  const onlyReader = onlyReaders(graph);
  const b = GraphBuilder.rewriting(graph);
  /** Products that are made turned instead. */
  const gone = new Set<string>();
  /** What a value was before its last two axes were exchanged; null where they were not, and where that is not made. */
  const unturned = (name: string): string | null => {
    const node = madeBy.get(name);
    return node !== undefined && exchanges(node) && !gone.has(node.inputs[0]!) ? node.inputs[0]! : null;
  };
  const turn = (name: string, rank: number): string => {
    const axes = Array.from({ length: rank }, (_, i) => i);
    return unturned(name) ?? b.transpose(name, [...axes.slice(0, -2), rank - 1, rank - 2]);
  };
  const factorsOf = (node: Node): readonly [string, string, number] | null => {
    const product = exchanges(node) ? madeBy.get(node.inputs[0]!) : undefined;
    if (product?.op !== "MatMul" || product.domain !== "" || onlyReader(product.outputs[0]!) !== node) return null;
    const [left, right] = product.inputs as [string, string];
    const [p, q] = [dimsOf(left)?.length, dimsOf(right)?.length];
    if (p === undefined || p !== q || (unturned(left) ?? unturned(right)) === null) return null;
    return [left, right, p];
  };
  const instead = new Map<string, string>();
  for (const node of graph.nodes) {
    const twice = exchanges(node) ? unturned(node.inputs[0]!) : null;
    if (twice !== null) instead.set(node.outputs[0]!, instead.get(twice) ?? twice);
    const reader = node.op === "MatMul" ? onlyReader(node.outputs[0]!) : null;
    if (reader !== null && factorsOf(reader) !== null) {
      gone.add(node.outputs[0]!);
      continue;
    }
    const factors = factorsOf(node);
    if (factors === null) b.append({ ...node, inputs: node.inputs.map((name) => instead.get(name) ?? name) });
    else {
      const [left, right, rank] = factors;
      b.append({ ...node, op: "MatMul", inputs: [turn(right, rank), turn(left, rank)], attributes: {} });
    }
  }
  return b.build();
}

/** Whether a node exchanges the last two axes, and nothing else. */
function exchanges(node: Node): boolean {
  const perm = node.op === "Transpose" && node.domain === "" ? getInts(node, "perm") : null;
  if (perm === null || perm.length < 2) return false;
  const last = perm.length - 1;
  return perm.every((axis, i) => axis === (i === last ? last - 1 : i === last - 1 ? last : i));
}
