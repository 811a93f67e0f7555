import { getInt, getString, int, string } from "../../ir/attributes.ts";
import { int64, tensor } from "../../tensor/index.ts";
import { SMALL_TABLE } from "../../rewrite/forms/table-products.ts";
import type { GradientContext, GradientRule } from "../context.ts";
import {
  asFloat,
  constantInts,
  constantOfShape,
  floatConstant,
  floatType,
  has,
  num,
  refuse,
  scatterAdd,
  scatterBack,
  zerosLike,
} from "../context.ts";

/** Rows of a small table: the rows of dy times the matrix of which position read which row. */
function tableGradient(cx: GradientContext, x: string, indices: string, dy: string): string | null {
  const { b } = cx;
  const [rows, width] = cx.shape(x) ?? [];
  const small = typeof rows === "number" && typeof width === "number" && rows <= SMALL_TABLE;
  const dtype = floatType(cx);
  if (!small || cx.shape(x)!.length !== 2 || (dtype !== "float32" && dtype !== "float64")) return null;
  const depth = b.constant(int64([], [rows]));
  const values = floatConstant(cx, [2], [0, 1]);
  const read = b.op("OneHot", [b.reshape(indices, [-1]), depth, values], { axis: int(0) });
  return b.matmul(read, b.reshape(dy, [-1, width]));
}

/** One entry: dy among zeros. */
function entryGradient(cx: GradientContext, x: string, indices: string, dy: string, axis: number): string | null {
  const index = constantInts(cx, indices);
  const dims = cx.shape(x);
  const at = axis < 0 ? axis + (dims?.length ?? NaN) : axis;
  const size = dims?.[at];
  if (index?.length !== 1 || cx.constant(indices)!.dims.length > 0 || typeof size !== "number") return null;
  const wide = cx.b.unsqueeze(dy, [at]);
  const before = index[0]! < 0 ? index[0]! + size : index[0]!;
  if (size === 1) return wide;
  const pads = [before, size - 1 - before].flatMap((n) => dims!.map((_, i) => (i === at ? n : 0)));
  return cx.b.op("Pad", [wide, cx.b.indices(pads)]);
}

// y = x[indices] along an axis      dx = dy added up at the indices
export const Gather: GradientRule = (cx, [dy]) => {
  const [x, indices] = cx.node.inputs as [string, string];
  const at = getInt(cx.node, "axis", 0);
  const short = entryGradient(cx, x, indices, dy!, at) ?? (at === 0 ? tableGradient(cx, x, indices, dy!) : null);
  if (short !== null) return [short];
  const axis = int(at);
  return [scatterBack(cx, x, dy!, (positions) => cx.b.op("Gather", [positions, indices], { axis }))];
};

// y[i] = x[indices[i]] along an axis
export const GatherElements: GradientRule = (cx, [dy]) => {
  const [x, indices] = cx.node.inputs as [string, string];
  return [scatterAdd(cx, cx.b.shapeOf(x), indices, dy!, getInt(cx.node, "axis", 0))];
};

// y = x[index tuples]
export const GatherND: GradientRule = (cx, [dy]) => {
  const [x, indices] = cx.node.inputs as [string, string];
  const batch_dims = int(getInt(cx.node, "batch_dims", 0));
  return [scatterBack(cx, x, dy!, (positions) => cx.b.op("GatherND", [positions, indices], { batch_dims }))];
};

interface Scatter {
  readonly x: string;
  readonly updates: string;
  /** Updates put into a value of the shape of x, combined as `reduction` says. */
  put(into: string, updates: string, reduction?: string): string;
  /** The entries of a value of the shape of x that the updates went to. */
  read(from: string): string;
}

// y = x with updates put at indices                 dx = dy, 0 where replaced      du = dy at the indices
// add: y = x + Σ u                                  dx = dy                        du = dy at the indices
// mul: y = x·Π u                                    dx = dy·Π u                    du = dy·(x·Π of the other updates)
// max, min: y = the extreme of x and all updates    the gradient goes to those equal to y, in equal shares
function scatterRule(cx: GradientContext, dy: string, { x, updates, put, read }: Scatter): (string | null)[] {
  const { b, wants } = cx;
  const mode = getString(cx.node, "reduction", "none");
  const y = cx.node.outputs[0]!;
  switch (mode) {
    case "none":
      return [wants(0) ? put(dy, zerosLike(cx, updates)) : null, null, wants(2) ? read(dy) : null];
    case "add":
      return [dy, null, wants(2) ? read(dy) : null];
    case "mul": {
      const ones = (): string => constantOfShape(cx, b.shapeOf(x), 1);
      const dx = wants(0) ? b.mul(dy, put(ones(), updates, "mul")) : null;
      if (!wants(2)) return [dx, null, null];
      const isZero = b.op("Equal", [updates, num(cx, 0)]);
      const rest = b.op("Where", [isZero, num(cx, 1), updates]);
      const zeros = read(put(zerosLike(cx, x), asFloat(cx, isZero), "add"));
      const alone = asFloat(cx, b.op("Equal", [zeros, asFloat(cx, isZero)]));
      return [dx, null, b.mul(b.div(read(b.mul(dy, put(x, rest, "mul"))), rest), alone)];
    }
    case "max":
    case "min": {
      const hits = asFloat(cx, b.op("Equal", [x, y]));
      const updateHits = asFloat(cx, b.op("Equal", [updates, read(y)]));
      const share = b.div(dy, put(hits, updateHits, "add"));
      return [wants(0) ? b.mul(share, hits) : null, null, wants(2) ? b.mul(read(share), updateHits) : null];
    }
    default:
      return refuse(cx, `reduction ${JSON.stringify(mode)}`);
  }
}

export const ScatterElements: GradientRule = (cx, [dy]) => {
  const [x, indices, updates] = cx.node.inputs as [string, string, string];
  const axis = int(getInt(cx.node, "axis", 0));
  return scatterRule(cx, dy!, {
    x,
    updates,
    put: (into, values, reduction = "none") =>
      cx.b.op("ScatterElements", [into, indices, values], { axis, reduction: string(reduction) }),
    read: (from) => cx.b.op("GatherElements", [from, indices], { axis }),
  });
};

export const ScatterND: GradientRule = (cx, [dy]) => {
  const [x, indices, updates] = cx.node.inputs as [string, string, string];
  return scatterRule(cx, dy!, {
    x,
    updates,
    put: (into, values, reduction = "none") =>
      cx.b.op("ScatterND", [into, indices, values], { reduction: string(reduction) }),
    read: (from) => cx.b.op("GatherND", [from, indices]),
  });
};

// y, indices = the k largest (or smallest)      dx = dy put back at the indices
export const TopK: GradientRule = (cx, [dy]) => {
  const { b, node } = cx;
  const indices = node.outputs[1] ?? "";
  if (indices === "") return refuse(cx, "its output Indices is left out");
  return [scatterAdd(cx, b.shapeOf(node.inputs[0]!), indices, dy!, getInt(node, "axis", -1))];
};

// y = the slices of x where the condition holds      dx = dy put back among zeros
export const Compress: GradientRule = (cx, [dy]) => {
  const { b, node } = cx;
  const [x, condition] = node.inputs as [string, string];
  return [scatterBack(cx, x, dy!, (positions) => b.op("Compress", [positions, condition], node.attributes))];
};

// y = x with the beginnings of sequences reversed: its own inverse
export const ReverseSequence: GradientRule = ({ b, node }, [dy]) => [
  b.op("ReverseSequence", [dy!, node.inputs[1]!], node.attributes),
];

// y[indices] = x, 0 elsewhere      dx = dy[indices]
export const MaxUnpool: GradientRule = (cx, [dy]) => {
  const { b, node } = cx;
  if (has(cx, 2)) return refuse(cx, "output_shape is given: its indices count in another shape");
  const [x, indices] = node.inputs as [string, string];
  const flat = b.op("Gather", [b.reshape(dy!, [-1]), b.reshape(indices, [-1])], { axis: int(0) });
  return [b.reshapeLike(flat, x)];
};

// y = x cut or padded around its centre      dx = dy put back; what came from the padding falls into entry 0 and is lost
export const CenterCropPad: GradientRule = (cx, [dy]) => {
  const { b, node } = cx;
  const x = node.inputs[0]!;
  const one = b.constant(tensor("int64", [], BigInt64Array.of(1n)));
  const end = b.add(b.op("Size", [x]), one);
  const positions = b.reshapeLike(b.op("Range", [one, end, one]), x);
  const from = b.op("CenterCropPad", [positions, node.inputs[1]!], node.attributes);
  const flat = scatterAdd(cx, b.reshape(end, [1]), b.reshape(from, [-1]), b.reshape(dy!, [-1]), 0);
  return [b.reshapeLike(b.op("Slice", [flat, b.indices([1]), b.reshape(end, [1])]), x)];
};
