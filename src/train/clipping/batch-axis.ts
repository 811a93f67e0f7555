import { excerpt, MarauderError } from "../../errors.ts";
import {
  constantValues,
  dimsIn,
  getInt,
  getInts,
  subgraphs,
  toNumber,
  type Dim,
  type Graph,
  type Node,
} from "../../ir/index.ts";
import { namesRead } from "../../rewrite/index.ts";

/** Operators that are not taken apart before: recurrences and branches say for themselves why not. */
export const unopened = /^(LSTM|GRU|RNN|If|Loop|Scan)$/;

/** What is known of shapes and contents of a graph's values. */
export interface Known {
  dims(name: string): readonly Dim[] | null;
  /** The numbers of a constant of integers, null where they are known only at run time. */
  integers(name: string | undefined): readonly number[] | null;
}

/** Operators that work on each entry alone; operands broadcast from the right. */
const pointwise: ReadonlySet<string> = new Set(
  (
    "Abs Acos Acosh Add And Asin Asinh Atan Atanh Cast Ceil Celu Clip Cos Cosh Div Elu Equal Erf Exp Floor Gelu Greater " +
    "GreaterOrEqual HardSigmoid HardSwish Identity IsInf IsNaN LeakyRelu Less LessOrEqual Log Max Mean Min Mish Mod Mul " +
    "Neg Not Or PRelu Pow Reciprocal Relu Round Selu Shrink Sigmoid Sign Sin Sinh Softplus Softsign Sqrt Sub Sum Swish " +
    "Tan Tanh ThresholdedRelu Where Xor"
  ).split(" "),
);
/** Operators on [N, C, ...] that look at one example at a time. */
const spatial: ReadonlySet<string> = new Set(
  (
    "AveragePool BatchNormalization Conv ConvTranspose DepthToSpace GlobalAveragePool GlobalLpPool GlobalMaxPool " +
    "GroupNormalization InstanceNormalization LRN LpPool MaxPool SpaceToDepth"
  ).split(" "),
);
const reductions = /^Reduce(L1|L2|LogSum|LogSumExp|Max|Mean|Min|Prod|Sum|SumSquare)$/;
/** Operators that go along one axis, with its default. */
const alongAxis: Readonly<Record<string, number>> = {
  Softmax: -1,
  LogSoftmax: -1,
  Hardmax: -1,
  LpNormalization: -1,
  MeanVarianceNormalization: 1,
  TopK: -1,
  CumSum: NaN, // its axis is an input
  ArgMax: 0,
  ArgMin: 0,
};

/**
 * Proves that no operator lets one example see another (`inputs` hold one for each entry of their first axis), and tells on which axis of each value the examples lie (values
 * that do not depend on these inputs are absent). It knows what is safe and refuses the rest: throws MODEL_UNSUPPORTED with
 * the name of the node. With a bound on each example's part in an update, this is what the bound rests on.
 */
export function batchAxes(graph: Graph, inputs: readonly string[], known: Known): ReadonlyMap<string, number> {
  const axes = new Map<string, number>(inputs.map((name) => [name, 0]));
  for (const node of graph.nodes) {
    if (!namesRead(node).some((name) => axes.has(name))) continue;
    const out = outputAxis(node, axes, known);
    if (out === null) continue;
    node.outputs.forEach((name, i) => {
      if (name !== "") axes.set(name, Array.isArray(out) ? out[i]! : out);
    });
  }
  return axes;
}

/** The batch axis of a node's outputs; null where they depend on the number of examples alone. */
function outputAxis(node: Node, axes: ReadonlyMap<string, number>, known: Known): number | number[] | null {
  const { op, inputs } = node;
  const [x = ""] = inputs;
  const axis = axes.get(x);
  const rank = known.dims(x)?.length ?? null;
  const refuse = (why: string): never => {
    throw new MarauderError(
      "MODEL_UNSUPPORTED",
      `examples cannot be bounded one by one: ${op} (node ${JSON.stringify(excerpt(node.name || (node.outputs[0] ?? "")))}) ${why}`,
      { details: { op, node: node.name } },
    );
  };
  const mixed = (): never => refuse("works across the examples of a batch");
  const ranked = (): number => rank ?? refuse("has an input of unknown rank; declare its shape in the model");
  const positive = (a: number): number => (a < 0 ? a + ranked() : a);
  const others = inputs.slice(1).some((name) => axes.has(name));
  if (node.domain !== "" && node.domain !== "ai.onnx") return refuse("is not known to keep examples apart");
  if (subgraphs(node).length > 0) return refuse("has sub-graphs, which are not looked into");
  if (op === "Shape" || op === "Size") return null;

  if (pointwise.has(op)) {
    const ranks = inputs.filter((name) => name !== "").map((name) => known.dims(name)?.length);
    if (ranks.includes(undefined)) return refuse("has an input of unknown rank; declare its shape in the model");
    const top = Math.max(...(ranks as number[]));
    let found: number | null = null;
    for (const name of inputs) {
      const own = axes.get(name);
      if (own === undefined) continue;
      const at = own + top - known.dims(name)!.length;
      if (found !== null && found !== at) return mixed();
      found = at;
    }
    for (const name of inputs) {
      const dims = name === "" || axes.has(name) ? null : known.dims(name)!;
      const at = dims === null ? -1 : found! - (top - dims.length);
      if (dims !== null && at >= 0 && dims[at] !== 1) return refuse("treats examples by their place in the batch");
    }
    return found!;
  }
  if (op === "Gather") return gatherAxis();
  if (op === "MatMul") return matmulAxis();
  if (op === "Concat") {
    const along = positive(getInt(node, "axis", 0));
    const found = inputs.map((name) => axes.get(name));
    return found.every((a) => a === axis && a !== undefined && a !== along) ? axis! : mixed();
  }
  if (op === "GatherElements") {
    const same = axes.get(inputs[1]!) === axis && axis !== undefined;
    return same && positive(getInt(node, "axis", 0)) !== axis ? axis : mixed();
  }
  if (axis === undefined || (others && op !== "Reshape" && op !== "Expand" && op !== "Slice")) return mixed();
  if (spatial.has(op)) {
    if (axis !== 0) return mixed();
    if (op === "BatchNormalization" && getInt(node, "training_mode", 0) !== 0) {
      return refuse("takes its statistics over the batch (training mode)");
    }
    return axis;
  }
  if (op === "Dropout") return inputs[2] === undefined || inputs[2] === "" ? axis : refuse("may be in training mode");
  if (reductions.test(op)) {
    const list = inputs[1] === undefined || inputs[1] === "" ? getInts(node, "axes") : known.integers(inputs[1]);
    if (list === null && inputs[1]) return refuse("has axes that are known only at run time");
    if (list === null || list.length === 0) return getInt(node, "noop_with_empty_axes", 0) === 1 ? axis : mixed();
    const gone = list.map(positive);
    if (gone.includes(axis)) return mixed();
    return getInt(node, "keepdims", 1) === 1 ? axis : axis - gone.filter((a) => a < axis).length;
  }
  if (op in alongAxis) {
    const along = op === "CumSum" ? known.integers(inputs[1])?.[0] : getInt(node, "axis", alongAxis[op]!);
    if (along === undefined || positive(along) === axis) return mixed();
    const drops = (op === "ArgMax" || op === "ArgMin") && getInt(node, "keepdims", 1) === 0;
    return drops && positive(along) < axis ? axis - 1 : axis;
  }
  if (op === "LayerNormalization") return positive(getInt(node, "axis", -1)) > axis ? axis : mixed();
  if (op === "Transpose") {
    const perm = getInts(node, "perm") ?? Array.from({ length: ranked() }, (_, i) => ranked() - 1 - i);
    return perm.indexOf(axis);
  }
  if (op === "Gemm") return getInt(node, "transA", 0) === 0 && axis === 0 && oneRow(inputs[2]) ? 0 : mixed();
  if (op === "Flatten") return positive(getInt(node, "axis", 1)) === 1 && axis === 0 ? 0 : mixed();
  if (op === "Reshape") return reshapeAxis();
  if (op === "Expand") {
    const target = known.integers(inputs[1]);
    const after = known.dims(node.outputs[0]!);
    return (target !== null || after !== null) && (target ?? after)!.length <= ranked() ? axis : mixed();
  }
  if (op === "Unsqueeze" || op === "Squeeze") {
    const list =
      known.integers(inputs[1]) ?? (op === "Squeeze" ? null : refuse("has axes that are known only at run time"));
    if (list === null) return mixed();
    if (op === "Squeeze") {
      const gone = list.map(positive);
      return gone.includes(axis) ? mixed() : axis - gone.filter((a) => a < axis).length;
    }
    const wide = ranked() + list.length;
    const added = new Set(list.map((a) => (a < 0 ? a + wide : a)));
    let at = -1;
    for (let seen = -1; seen < axis;) if (!added.has(++at)) seen++;
    return at;
  }
  if (op === "Slice" || op === "Pad") {
    const list = known.integers(inputs[3]);
    if (op === "Slice") {
      const all = list ?? known.integers(inputs[1])?.map((_, i) => i);
      return all !== undefined && !all.map(positive).includes(axis) ? axis : mixed();
    }
    const pads = known.integers(inputs[1]);
    if (pads === null) return mixed();
    const padded = list === null ? Array.from({ length: ranked() }, (_, i) => i) : list.map(positive);
    const place = padded.indexOf(axis);
    return place < 0 || (pads[place] === 0 && pads[place + padded.length] === 0) ? axis : mixed();
  }
  if (op === "Split") return positive(getInt(node, "axis", 0)) === axis ? mixed() : axis;
  if (op === "Tile") return known.integers(inputs[1])?.[axis] === 1 ? axis : mixed();
  if (op === "LSTM" || op === "GRU" || op === "RNN") {
    if (axis !== (getInt(node, "layout", 0) === 0 ? 1 : 0)) return mixed();
    return getInt(node, "layout", 0) === 0 ? [2, 1, 1] : [0, 0, 0];
  }
  return refuse("is not known to keep examples apart");

  function oneRow(name: string | undefined): boolean {
    if (name === undefined || name === "") return true;
    const dims = known.dims(name);
    return dims !== null && (dims.length < 2 || dims[0] === 1);
  }
  function gatherAxis(): number {
    const [data, indices] = [axis, axes.get(inputs[1]!)];
    const along = positive(getInt(node, "axis", 0));
    if (data === undefined) return along + indices!;
    const wide = known.dims(inputs[1]!)?.length ?? refuse("has indices of unknown rank");
    if (indices !== undefined || data === along) return mixed();
    return data < along ? data : data + wide - 1;
  }
  function matmulAxis(): number {
    const [a, b] = inputs.map((name) => known.dims(name)?.length ?? refuse("has an input of unknown rank")) as [
      number,
      number,
    ];
    const [left, right] = [axis, axes.get(inputs[1]!)];
    const top = Math.max(a, b);
    if (left !== undefined && right === undefined) {
      if (left === a - 1 || (b > a && top > 2)) return mixed();
      return left;
    }
    const at = right! + top - b;
    if (right === b - 2 || (right === b - 1 && left !== undefined)) return mixed();
    if (left === undefined) return a > b ? mixed() : at;
    return left + top - a === at && at < top - 2 ? at : mixed();
  }
  function reshapeAxis(): number {
    if (axis !== 0) return refuse("moves the batch axis, which is not the first");
    const target = known.integers(inputs[1]);
    const before = known.dims(x);
    const after = known.dims(node.outputs[0]!);
    if (target?.[0] === 0 && getInt(node, "allowzero", 0) === 0) return 0;
    const size = (dims: readonly Dim[] | null | undefined): number | null =>
      dims != null && dims.every((d) => typeof d === "number" && d > 0)
        ? (dims as number[]).reduce((p, d) => p * d, 1)
        : null;
    const [from, to] = [size(before?.slice(1)), size(target?.slice(1) ?? after?.slice(1))];
    const same = typeof after?.[0] === "string" && after[0] === before?.[0];
    if (same || (from !== null && from === to)) return 0;
    return refuse("may join several examples into one row, or split one; write its shape with a 0 for the batch axis");
  }
}

/** What inference knows of a graph, in the form that `batchAxes` asks for. */
export function knownOf(graph: Graph): Known {
  const constants = constantValues(graph);
  return {
    dims: dimsIn(graph),
    integers(name) {
      const value = constants.get(name ?? "");
      if (value?.dtype === "int64") return Array.from(value.data as BigInt64Array, toNumber);
      return value?.dtype === "int32" ? Array.from(value.data as Int32Array) : null;
    },
  };
}
