import { getInt, getInts } from "../../ir/attributes.ts";
import type { Graph, Node } from "../../ir/graph.ts";
import { kernels } from "./index.ts";
import { axisOf, fail, fromNumbers, fromTensor, need, value, type Value } from "./value.ts";
import { Concat, Slice, Squeeze, Unsqueeze } from "./shape.ts";

/** Most rounds of a loop: a trip count is a number in a file. */
const MOST_ROUNDS = 100_000;

export const isControl = (node: Node): boolean =>
  node.domain === "" && (node.op === "If" || node.op === "Loop" || node.op === "Scan");

/** Runs nodes in order; `values` is read and added to. */
export function evaluateNodes(graph: Graph, values: Map<string, Value>, opset: number): void {
  for (const node of graph.nodes) {
    const args = node.inputs.map((name) =>
      name === "" ? null : (values.get(name) ?? fail(node, `it reads ${JSON.stringify(name)} before that is made`)),
    );
    const made = isControl(node) ? control(node, args, values, opset) : kernels[node.op]!(args, node, opset);
    for (const [i, name] of node.outputs.entries()) {
      if (name !== "") values.set(name, made[i] ?? fail(node, `output ${i} is not offered`));
    }
  }
}

/** A sub-graph as a function; it sees the values around it. */
function bodyOf(node: Node, name: string, outer: ReadonlyMap<string, Value>, opset: number) {
  const a = node.attributes[name];
  if (a?.type !== "graph") return fail(node, `no ${name}`);
  const body = a.value;
  const constants = [...body.constants].map(([key, t]) => [key, fromTensor(t)] as const);
  const run = (args: readonly Value[]): Value[] => {
    const values = new Map([...outer, ...constants]);
    for (const [i, input] of body.inputs.entries()) if (args[i] !== undefined) values.set(input.name, args[i]);
    evaluateNodes(body, values, opset);
    return body.outputs.map((o) => values.get(o.name) ?? fail(node, `its body does not make ${o.name}`));
  };
  return { run, outputs: body.outputs.length };
}

function control(node: Node, args: readonly (Value | null)[], outer: ReadonlyMap<string, Value>, opset: number) {
  if (node.op === "If") {
    const taken = Number(need(args, 0, node).data[0]) !== 0 ? "then_branch" : "else_branch";
    return bodyOf(node, taken, outer, opset).run([]);
  }
  const body = bodyOf(node, "body", outer, opset);
  return node.op === "Loop" ? loop(node, args, body) : scan(node, args, body, opset);
}

type Body = ReturnType<typeof bodyOf>;
const unsqueezed = (v: Value, axis: number, node: Node): Value =>
  Unsqueeze([v, fromNumbers("int64", [1], [axis])], node, 0)[0]!;
const stacked = (parts: readonly Value[], axis: number, node: Node): Value =>
  Concat(
    parts.map((p) => unsqueezed(p, axis, node)),
    { ...node, attributes: { axis: { type: "int", value: BigInt(axis) } } },
    0,
  )[0]!;

function loop(node: Node, args: readonly (Value | null)[], body: Body): Value[] {
  const most = args[0] == null ? Infinity : Number(args[0].data[0]);
  let go = args[1] == null || Number(args[1].data[0]) !== 0;
  let carried = args.slice(2).map((_, i) => need(args, i + 2, node));
  const scans: Value[][] = Array.from({ length: body.outputs - 1 - carried.length }, () => []);
  for (let round = 0; go && round < most; round++) {
    if (round >= MOST_ROUNDS) fail(node, `more than ${MOST_ROUNDS} rounds`);
    const made = body.run([fromNumbers("int64", [], [round]), fromNumbers("bool", [], [1]), ...carried]);
    go = Number(made[0]!.data[0]) !== 0;
    carried = made.slice(1, 1 + carried.length);
    scans.forEach((list, i) => list.push(made[1 + carried.length + i]!));
  }
  return [...carried, ...scans.map((list) => (list.length === 0 ? fail(node, "no rounds") : stacked(list, 0, node)))];
}

function scan(node: Node, args: readonly (Value | null)[], body: Body, opset: number): Value[] {
  const count = getInt(node, "num_scan_inputs", 0);
  const states = args.length - count;
  const listed = (name: string, n: number): number[] => getInts(node, name) ?? Array.from({ length: n }, () => 0);
  const [axes, back] = [listed("scan_input_axes", count), listed("scan_input_directions", count)];
  const scans = body.outputs - states;
  const [outAxes, outBack] = [listed("scan_output_axes", scans), listed("scan_output_directions", scans)];
  const sources = axes.map((_, i) => need(args, states + i, node));
  const rounds = sources[0]!.dims[axisOf(axes[0]!, sources[0]!.dims.length, node)]!;
  let carried = args.slice(0, states).map((_, i) => need(args, i, node));
  const lists: Value[][] = Array.from({ length: scans }, () => []);
  const one = (v: number): Value => fromNumbers("int64", [1], [v]);
  for (let round = 0; round < rounds; round++) {
    const slices = sources.map((v, i) => {
      const at = back[i] === 1 ? rounds - 1 - round : round;
      const part = Slice([v, one(at), one(at + 1), one(axes[i]!)], node, opset)[0]!;
      return Squeeze([part, one(axes[i]!)], node, opset)[0]!;
    });
    const made = body.run([...carried, ...slices]);
    carried = made.slice(0, states);
    lists.forEach((list, i) => list.push(made[states + i]!));
  }
  const outs = lists.map((list, i) => {
    const axis = outAxes[i]! < 0 ? outAxes[i]! + list[0]!.dims.length + 1 : outAxes[i]!;
    return stacked(outBack[i] === 1 ? list.toReversed() : list, axis, node);
  });
  return [...carried, ...outs].map((v) => value(v.dtype, v.dims, v.data));
}
