import {
  constantValues,
  float,
  getInt,
  GraphBuilder,
  int,
  type DimsOf,
  type Graph,
  type Node,
} from "../../ir/index.ts";
import { readers } from "../uses.ts";

/**
 * (x - mean)/√(mean of its squares + ε) along the last axis, s·n + β behind it, as exporters wrote it before there was an
 * operator for it, as LayerNormalization: one pass each way in place of nine. Only for float32 and where nothing else
 * reads the values between. Value names stay. Needs opset 17 or later.
 */
export function findNormalization(graph: Graph, dimsOf: DimsOf): Graph {
  const constants = constantValues(graph);
  const readBy = readers(graph);
  const isOutput = new Set(graph.outputs.map((o) => o.name));
  const number = (name: string): number | null => {
    const value = constants.get(name);
    return value?.dtype === "float32" && value.data.length === 1 ? Number(value.data[0]) : null;
  };
  const all = (name: string): readonly Node[] => (isOutput.has(name) ? [] : (readBy.get(name) ?? []));
  const only = (name: string, op: string): Node | null => {
    const [node, more] = all(name);
    return node?.op === op && more === undefined ? node : null;
  };
  const other = (node: Node, name: string): string => node.inputs.find((input) => input !== name) ?? name;
  const isMean = (node: Node | null): node is Node => {
    if (node?.op !== "ReduceMean" || node.domain !== "" || getInt(node, "keepdims", 1) === 0) return false;
    const axes = constants.get(node.inputs[1] ?? "");
    const rank = dimsOf(node.inputs[0]!)?.length ?? 0;
    return axes?.data.length === 1 && rank > 0 && [-1, rank - 1].includes(Number(axes.data[0]));
  };

  const found = new Map<Node, { x: string; affine: string[]; epsilon: number }>();
  const gone = new Set<Node>();
  for (const mean of graph.nodes) {
    const x = mean.inputs[0]!;
    const d = isMean(mean) ? dimsOf(x)?.at(-1) : null;
    if (typeof d !== "number" || dimsOf(x)!.length < 2) continue;
    // x - mean, which some write twice; its readers are the square and the quotient.
    const off = all(mean.outputs[0]!);
    if (off.length === 0 || !off.every((n) => n.op === "Sub" && n.inputs[0] === x && n.inputs[1] === mean.outputs[0])) {
      continue;
    }
    const isOff = (name: string | undefined): boolean => off.some((n) => n.outputs[0] === name);
    const reads = new Set(off.flatMap((n) => [...all(n.outputs[0]!)]));
    const square = [...reads].find(
      (n) =>
        (n.op === "Mul" && n.inputs.every(isOff)) ||
        (n.op === "Pow" && isOff(n.inputs[0]) && number(n.inputs[1]!) === 2),
    );
    const variance = square === undefined ? null : only(square.outputs[0]!, "ReduceMean");
    const shifted = isMean(variance) ? only(variance.outputs[0]!, "Add") : null;
    const epsilon = shifted === null ? null : number(other(shifted, variance!.outputs[0]!));
    const root = shifted === null ? null : only(shifted.outputs[0]!, "Sqrt");
    const quotient = root === null ? null : only(root.outputs[0]!, "Div");
    if (epsilon === null || quotient === null || !isOff(quotient.inputs[0]) || !reads.has(quotient)) continue;
    if (reads.size !== 2 || off.some((n) => isOutput.has(n.outputs[0]!)) || isOutput.has(mean.outputs[0]!)) continue;
    /** A factor or summand [d] behind a value. */
    const along = (value: string, op: string): { node: Node; by: string } | null => {
      const node = only(value, op);
      const by = node === null ? "" : other(node, value);
      return node !== null && by !== value && dimsOf(by)?.length === 1 && dimsOf(by)![0] === d ? { node, by } : null;
    };
    const scale = along(quotient.outputs[0]!, "Mul");
    const bias = scale === null ? null : along(scale.node.outputs[0]!, "Add");
    const last = bias?.node ?? scale?.node ?? quotient;
    for (const node of [mean, ...off, square!, variance!, shifted!, root!, quotient, scale?.node, bias?.node]) {
      if (node !== undefined) gone.add(node);
    }
    found.set(last, { x, affine: [scale?.by ?? "", ...(bias === null ? [] : [bias.by])], epsilon });
  }
  if (found.size === 0) return graph;

  const b = GraphBuilder.rewriting(graph);
  for (const node of graph.nodes) {
    const form = found.get(node);
    if (form === undefined) {
      if (!gone.has(node)) b.append(node);
      continue;
    }
    const [scale, ...bias] = form.affine;
    const inputs = [form.x, scale === "" ? b.ones([dimsOf(form.x)!.at(-1) as number]) : scale!, ...bias];
    const attributes = { axis: int(-1), epsilon: float(form.epsilon) };
    b.append({ ...node, op: "LayerNormalization", inputs, attributes });
  }
  return b.build();
}
