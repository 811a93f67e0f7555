import { getInt, GraphBuilder } from "../../ir/index.ts";
import type { DimsOf, Graph, Node } from "../../ir/index.ts";
import { onlyReaders, producers } from "../uses.ts";

/** Up to so many rows the gradient of a table is a product (rule of Gather): beyond, adding rows up is faster. */
export const SMALL_TABLE = 128;

/**
 * A product with rows that were looked up in a small table, as rows looked up in the product of the whole table, and a
 * bias added to them as one added to the table: Gather(E)·W + b = Gather(E·W + b). The same sums, far fewer of them: one
 * for each row of the table instead of each position. Backward one product remains of three, the table's own. Value
 * names behind the last operator stay. `dims` knows the shapes of values.
 */
export function tableProducts(graph: Graph, dims: DimsOf): Graph {
  const madeBy = producers(graph);
  const onlyReader = onlyReaders(graph);
  const fixed = (name: string, rank: number): readonly number[] | null => {
    const known = dims(name);
    return known?.length === rank && known.every((d) => typeof d === "number") ? known : null;
  };
  const before = new Map<Node, readonly Node[]>();
  for (const product of graph.nodes) {
    const gather = madeBy.get(product.inputs[0] ?? "");
    if (product.op !== "MatMul" || product.domain !== "" || gather?.op !== "Gather" || gather.domain !== "") continue;
    if (getInt(gather, "axis", 0) !== 0 || onlyReader(product.inputs[0]!) === null) continue;
    const table = fixed(gather.inputs[0]!, 2);
    const weight = fixed(product.inputs[1]!, 2);
    if (table === null || weight === null || table[0]! > Math.min(SMALL_TABLE, 2 * table[1]!)) continue;
    const next = onlyReader(product.outputs[0]!);
    const bias =
      next?.op === "Add" && next.domain === "" ? next.inputs.find((name) => name !== product.outputs[0]) : undefined;
    const ends = bias !== undefined && fixed(bias, 1) !== null;
    before.set(ends ? next! : product, ends ? [gather, product] : [gather]);
  }
  if (before.size === 0) return graph;
  const gone = new Set([...before.values()].flat());
  const b = GraphBuilder.rewriting(graph);
  for (const node of graph.nodes) {
    if (gone.has(node)) continue;
    const [gather, product = node] = before.get(node) ?? [];
    if (gather === undefined) {
      b.append(node);
      continue;
    }
    let table = b.matmul(gather.inputs[0]!, product.inputs[1]!);
    if (product !== node)
      table = b.add(
        table,
        node.inputs.find((name) => name !== product.outputs[0])!,
      );
    b.append({ ...gather, name: node.name, inputs: [table, gather.inputs[1]!], outputs: node.outputs });
  }
  return b.build();
}
