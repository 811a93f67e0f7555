import { getInt, getInts, GraphBuilder, int, type DimsOf, type Graph, type Node } from "../../ir/index.ts";
import { int64 } from "../../tensor/index.ts";
import { dependents, onlyReaders, producers, readers } from "../uses.ts";

/** Fewest numbers in a row that is moved as a whole. */
const LEAST_ROW = 8;

/**
 * What carries the positions of a sequence to its attention heads and back, [N, T, H, E] to [N, H, T, E], as a Gather of
 * rows: ONNX Runtime transposes on one thread and gathers on all, and it melts a transposition behind a Gather into the
 * product that reads it, where it would melt it into another Transpose and copy twice. Value names stay.
 */
export function gatherHeads(graph: Graph, dimsOf: DimsOf): Graph {
  const madeBy = producers(graph);
  const onlyReader = onlyReaders(graph);
  const varying = dependents(
    graph,
    graph.inputs.map((i) => i.name),
  );
  const sizes = (name: string): readonly [number, number, number] | null => {
    const dims = dimsOf(name);
    const [, a, c, e] = dims ?? [];
    const known = dims?.length === 4 && varying.has(name);
    return known && typeof a === "number" && typeof c === "number" && typeof e === "number" ? [a, c, e] : null;
  };
  const permOf = (node: Node | undefined): string =>
    node?.op === "Transpose" && node.domain === "" ? (getInts(node, "perm")?.join() ?? "") : "";
  const product = (name: string): Node | null => {
    const node = madeBy.get(name);
    return node?.op === "MatMul" && onlyReader(name) !== null ? node : null;
  };
  /** What can be done with a transposition: rows are as long as the last axis, which stays the last one. */
  const ways: Record<string, (node: Node) => readonly [number, number, number] | null> = {
    [KEEP]: (node) => sizes(node.inputs[0]!),
    [BACK]: (node) => sizes(node.inputs[0]!),
    [TURNED]: (node) => {
      const [h, e, t] = (product(node.inputs[0]!) === null ? null : sizes(node.inputs[0]!)) ?? [0, 0, 0];
      return h === 0 ? null : [h, t, e];
    },
  };
  const sizesOf = (node: Node): readonly [number, number, number] | null => {
    const found = ways[permOf(node)]?.(node) ?? null;
    return found !== null && found[0] > 1 && found[1] > 1 && found[2] >= LEAST_ROW ? found : null;
  };
  if (!graph.nodes.some((node) => sizesOf(node) !== null)) return graph;

  const b = GraphBuilder.rewriting(graph);
  /** Values that are another one with its last two axes exchanged. */
  const exchanged = new Map<string, string>();
  const exchange = (name: string): string => exchanged.get(name) ?? b.transpose(name, [0, 1, 3, 2]);
  const turned = new Set(graph.nodes.filter((node) => permOf(node) === TURNED && sizesOf(node) !== null));
  const left = new Set([...turned].map((node) => madeBy.get(node.inputs[0]!)!));
  for (const node of graph.nodes) {
    if (left.has(node)) continue;
    const perm = permOf(node);
    const found = sizesOf(node);
    if (perm === EXCHANGE) {
      const before = exchanged.get(node.inputs[0]!);
      if (before === undefined) exchanged.set(node.outputs[0]!, node.inputs[0]!);
      b.append(before === undefined ? node : { ...node, op: "Identity", inputs: [before], attributes: {} });
    } else if (found === null) b.append(node);
    else {
      const [p, q] = turned.has(node) ? (madeBy.get(node.inputs[0]!)!.inputs as [string, string]) : ["", ""];
      const x = turned.has(node) ? b.matmul(exchange(q), exchange(p)) : node.inputs[0]!;
      const [outer, inner, row] = found;
      const places = Array.from({ length: outer * inner }, (_, k) => (k % outer) * inner + Math.floor(k / outer));
      const rows = b.reshape(x, [0, outer * inner, row]);
      const moved = b.op("Gather", [rows, b.constant(int64([places.length], places), "rows")], { axis: int(1) });
      const last = { domain: "", name: node.name, outputs: node.outputs };
      const dims = b.indices([0, inner, outer, row]);
      if (perm === BACK) {
        const inRows = b.op("Reshape", [moved, dims]);
        exchanged.set(node.outputs[0]!, inRows);
        b.append({ ...node, inputs: [inRows], attributes: { perm: { type: "ints", value: [0n, 1n, 3n, 2n] } } });
      } else b.append({ ...last, op: "Reshape", inputs: [moved, dims], attributes: {} });
    }
  }
  return b.build();
}

const KEEP = "0,2,1,3";
const BACK = "0,2,3,1";
const TURNED = "0,3,1,2";
const EXCHANGE = "0,1,3,2";

/**
 * In the gradient of an attention, Y = P·V, the sums of dP·P along a row of P = softmax(…) with dP = dY·Vᵀ are those of
 * dY·Y (Dao et al. 2022, section B.4), which are as wide as a head and not as the sequence is long. Value names stay.
 */
export function narrowSums(graph: Graph, dimsOf: DimsOf): Graph {
  const madeBy = producers(graph);
  const readBy = readers(graph);
  const turns = (name: string, of: string): boolean => {
    const node = madeBy.get(name);
    const perm = node?.op === "Transpose" && node.inputs[0] === of ? getInts(node, "perm") : null;
    const n = perm?.length ?? 0;
    return n >= 2 && perm!.every((p, i) => p === (i < n - 2 ? i : 2 * n - 3 - i));
  };
  const place = new Map(graph.nodes.map((node, i) => [node, i]));
  const narrow = new Map<Node, readonly [string, string]>();
  for (const sum of graph.nodes) {
    if (sum.op !== "ReduceSum" || getInt(sum, "keepdims", 1) === 0) continue;
    const axes = graph.constants.get(sum.inputs[1] ?? "")?.data;
    const products = madeBy.get(sum.inputs[0]!);
    if (products?.op !== "Mul" || axes?.length !== 1 || readBy.get(products.outputs[0]!)!.length !== 1) continue;
    if (Number(axes[0]) !== -1 && Number(axes[0]) !== (dimsOf(products.outputs[0]!)?.length ?? 0) - 1) continue;
    const [a, c] = products.inputs as [string, string];
    for (const [dp, p] of [
      [a, c],
      [c, a],
    ] as const) {
      const back = madeBy.get(dp);
      if (back?.op !== "MatMul") continue;
      const [dy, vt] = back.inputs as [string, string];
      const same = (v: string): boolean => turns(vt, v) || turns(v, vt);
      const forward = (readBy.get(p) ?? []).find((n) => n.op === "MatMul" && n.inputs[0] === p && same(n.inputs[1]!));
      const y = forward !== undefined && place.get(forward)! < place.get(products)! ? forward.outputs[0] : undefined;
      const [wide, less] = [dimsOf(p)?.at(-1), y === undefined ? null : dimsOf(y)?.at(-1)];
      if (y !== undefined && typeof wide === "number" && typeof less === "number" && less < wide)
        narrow.set(products, [dy, y]);
    }
  }
  if (narrow.size === 0) return graph;
  return {
    ...graph,
    nodes: graph.nodes.map((node) => {
      const inputs = narrow.get(node);
      return inputs === undefined ? node : { ...node, inputs: [...inputs] };
    }),
    values: new Map([...graph.values].filter(([name]) => ![...narrow.keys()].some((node) => node.outputs[0] === name))),
  };
}
