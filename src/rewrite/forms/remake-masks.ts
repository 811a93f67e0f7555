import { GraphBuilder, int, type DimsOf, type Graph, type Node } from "../../ir/index.ts";
import { sizeOf } from "../../tensor/index.ts";
import { readers } from "../uses.ts";

/** Numbers of an operand up to which a value costs a pass and no more: a scale, a shift. */
const SMALL = 2 ** 16;
const scaled: ReadonlySet<string> = new Set(["Add", "Sub", "Mul", "Div"]);

/**
 * Where nodes from `first` on, the backward pass, read a ReLU's output only for its mask, and what was scaled and shifted
 * before it stays in memory anyway (a normalized value), the mask is made of that again: two passes in place of a value of
 * the size of the layer. What needs no gradient comes ahead of the backward pass's other nodes: of two inputs, ONNX
 * Runtime makes the earlier one last.
 */
export function remakeMasks(graph: Graph, first: number, dimsOf: DimsOf): Graph {
  const position = new Map<string, number>();
  graph.nodes.forEach((node, i) => node.outputs.forEach((name) => position.set(name, i)));
  const readBy = readers(graph);
  const isOutput = new Set(graph.outputs.map(({ name }) => name));
  const isForward = (name: string): boolean => (position.get(name) ?? first) < first;
  const later = (name: string): Node[] =>
    (readBy.get(name) ?? []).filter((node) => position.get(node.outputs[0]!)! >= first);
  const isSmall = (name: string): boolean => {
    const dims = dimsOf(name);
    return dims !== null && dims.every((d) => typeof d === "number") && sizeOf(dims) <= SMALL;
  };
  /** The nodes that lead from a value that the backward pass reads to `name`; null where there is none. */
  const chainTo = (name: string): readonly Node[] | null => {
    if (later(name).length > 0) return [];
    if (!isForward(name)) return null;
    const node = graph.nodes[position.get(name)!]!;
    const [a, b] = node.inputs as [string, string];
    const view = node.op === "Reshape" || node.op === "Identity";
    if (node.domain !== "" || !(view || (scaled.has(node.op) && (isSmall(a) || isSmall(b))))) return null;
    const before = chainTo(view || isSmall(b) ? a : b);
    return before === null ? null : [...before, node];
  };
  const chainOf = (
    node: Node,
  ): { readonly from: string; readonly sizes: readonly number[]; readonly chain: readonly Node[] } | null => {
    if (node.op !== "HardSigmoid" || !isForward(node.inputs[0]!)) return null;
    const output = node.inputs[0]!;
    const relu = graph.nodes[position.get(output)!]!;
    if (relu.op !== "Relu" || later(output).length !== 1 || isOutput.has(output)) return null;
    const chain = chainTo(relu.inputs[0]!);
    if (chain === null || chain.length === 0) return null;
    const from = chain[0]!.inputs.find((name) => !isSmall(name))!;
    const sizes = dimsOf(from)?.slice(1);
    return sizes?.every((d) => typeof d === "number") ? { from, sizes, chain } : null;
  };
  const b = GraphBuilder.rewriting(graph);
  const [before, after] = [graph.nodes.slice(0, first), graph.nodes.slice(first)];
  for (const node of before) b.append(node);
  const made = new Set<Node>();
  for (const node of after) {
    const found = chainOf(node);
    if (found === null) continue;
    // Flat in between: a node with the same inputs as the forward pass's would be found to be the same.
    let [old, own] = [found.from, b.reshape(b.op("Flatten", [found.from], { axis: int(1) }), [0, ...found.sizes])];
    for (const { op, inputs, outputs, attributes } of found.chain) {
      const again = inputs.map((name) => (name === old ? own : name));
      own = b.op(op, again, attributes);
      old = outputs[0]!;
    }
    b.append({ ...node, inputs: [own] });
    made.add(node);
  }
  if (made.size === 0) return graph;
  for (const node of after) if (!made.has(node)) b.append(node);
  return b.build();
}
