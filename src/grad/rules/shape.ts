import { getInt, getInts, getString, int } from "../../ir/attributes.ts";
import { int64, isFloat } from "../../tensor/index.ts";
import type { Dim } from "../../ir/graph.ts";
import type { GradientContext, GradientRule } from "../context.ts";
import { cast, constantInts, has, inShapeOf, rankOf, refuse, scatterBack, upTo, zerosLike } from "../context.ts";

/** Operators that keep the elements in their order. */
const sameOrder: GradientRule = (cx, [dy]) => [inShapeOf(cx, dy!, cx.node.inputs[0]!, cx.node.outputs[0]!)];
export const Reshape = sameOrder;
export const Flatten = sameOrder;
// Each other's adjoint. A Reshape would lose the name of an open size.
export const Squeeze: GradientRule = (cx, dys) => {
  const axes = constantInts(cx, cx.node.inputs[1]);
  return axes === null ? sameOrder(cx, dys) : [cx.b.unsqueeze(dys[0]!, axes)];
};
export const Unsqueeze: GradientRule = (cx, dys) => {
  const axes = constantInts(cx, cx.node.inputs[1]);
  return axes === null ? sameOrder(cx, dys) : [cx.b.squeeze(dys[0]!, axes)];
};

export const Identity: GradientRule = (_, [dy]) => [dy!];

// y = x permuted       dx = dy permuted back
export const Transpose: GradientRule = ({ b, node }, [dy]) => {
  const perm = getInts(node, "perm");
  if (perm === null) return [b.op("Transpose", [dy!])];
  const back = perm.map(() => 0);
  for (const [i, p] of perm.entries()) back[p] = i;
  return [b.transpose(dy!, back)];
};

// y = x₁ | x₂ | …      dxᵢ = the piece of dy
export const Concat: GradientRule = (cx, [dy]) => {
  const { b, node } = cx;
  if (node.inputs.length === 1) return [dy!];
  const axis = getInt(node, "axis", 0);
  const sizes = node.inputs.map((name) => cx.shape(name)?.at(axis));
  const fixed = sizes.every((s) => typeof s === "number");
  const length = (name: string): string => b.op("Gather", [b.shapeOf(name), b.indices([axis])], { axis: int(0) });
  const lengths = fixed ? b.indices(sizes as number[]) : b.op("Concat", node.inputs.map(length), { axis: int(0) });
  return b.opN("Split", [dy!, lengths], node.inputs.length, { axis: int(axis) });
};

// y₁ | y₂ | … = x      dx = dy₁ | dy₂ | …
export const Split: GradientRule = (cx, dys) => {
  const { b, node } = cx;
  const parts = node.outputs.map((name, i) => dys[i] ?? zerosLike(cx, name));
  return [b.op("Concat", parts, { axis: int(getInt(node, "axis", 0)) })];
};

// y = x[starts:ends:steps]      dx = dy put back among zeros
export const Slice: GradientRule = (cx, [dy]) => {
  const { b, node } = cx;
  const x = node.inputs[0]!;
  return [
    sliceByPadding(cx, x, dy!) ??
      scatterBack(cx, x, dy!, (positions) => b.op("Slice", [positions, ...node.inputs.slice(1)])),
  ];
};

/** Steps of 1 or -1 with bounds known beforehand: zeros are padded on. */
function sliceByPadding(cx: GradientContext, x: string, dy: string): string | null {
  const { b, node } = cx;
  const dims = cx.shape(x);
  const starts = constantInts(cx, node.inputs[1]);
  const ends = constantInts(cx, node.inputs[2]);
  if (dims === null || starts === null || ends === null) return null;
  const axes = has(cx, 3) ? constantInts(cx, node.inputs[3]) : upTo(starts.length);
  const steps = has(cx, 4) ? constantInts(cx, node.inputs[4]) : starts.map(() => 1);
  if (axes === null || steps === null || steps.some((s) => s !== 1 && s !== -1)) return null;
  const before: number[] = [];
  const after: number[] = [];
  for (const [i, axis] of axes.entries()) {
    const size = dims.at(axis);
    const whole = steps[i] === -1 && starts[i] === -1 && ends[i]! < -1e9;
    if (whole || (steps[i] === 1 && starts[i] === 0 && ends[i]! > 1e9)) {
      before.push(0);
      after.push(0);
      continue;
    }
    if (typeof size !== "number") return null;
    const wrap = (v: number): number => (v < 0 ? v + size : v);
    if (steps[i] === 1) {
      const start = Math.min(Math.max(wrap(starts[i]!), 0), size);
      const end = Math.max(start, Math.min(Math.max(wrap(ends[i]!), 0), size));
      before.push(start);
      after.push(size - end);
    } else {
      const first = Math.min(Math.max(wrap(starts[i]!), 0), size - 1);
      const last = Math.min(Math.max(wrap(ends[i]!), -1), first);
      before.push(last + 1);
      after.push(size - 1 - first);
    }
  }
  const reversed = axes.filter((_, i) => steps[i] === -1);
  const forward =
    reversed.length === 0
      ? dy
      : b.op("Slice", [
          dy,
          b.indices(reversed.map(() => -1)),
          b.indices(reversed.map(() => -(2 ** 31))),
          b.indices(reversed),
          b.indices(reversed.map(() => -1)),
        ]);
  if ([...before, ...after].every((p) => p === 0)) return forward;
  return b.op("Pad", [forward, b.indices([...everyAxis(dims, axes, before), ...everyAxis(dims, axes, after)])]);
}

/**
 * Amounts of some axes as amounts of all. ONNX Runtime 1.30 moves a Transpose through a Pad as if its input `axes` were
 * not there, so no rule emits one where it can be helped.
 */
function everyAxis(dims: readonly Dim[], axes: readonly number[], amounts: readonly number[]): number[] {
  const out = dims.map(() => 0);
  for (const [i, axis] of axes.entries()) out[axis < 0 ? axis + dims.length : axis] = amounts[i]!;
  return out;
}

// y = x with a border      constant: dx = dy without the border, dvalue = Σ border; other modes add the border back
export const Pad: GradientRule = (cx, [dy]) => {
  const { b, node, wants } = cx;
  const [x, pads, , axes] = node.inputs as [string, string, string?, string?];
  if (getString(node, "mode", "constant") !== "constant") {
    const tail = (axes ?? "") === "" ? [] : ["", axes!];
    return [
      scatterBack(cx, x, dy!, (positions) =>
        b.op("Pad", [positions, pads, ...tail], { mode: node.attributes["mode"]! }),
      ),
    ];
  }
  const known = constantInts(cx, pads)?.map((p) => -p) ?? null;
  const dims = cx.shape(x);
  const some = (axes ?? "") === "" ? (dims === null ? null : upTo(dims.length)) : constantInts(cx, axes);
  const dx =
    known !== null && dims !== null && some !== null
      ? b.op("Pad", [dy!, b.indices([0, 1].flatMap((h) => everyAxis(dims, some, known.slice(h * some.length))))])
      : b.op("Pad", [
          dy!,
          known === null ? b.neg(pads) : b.indices(known),
          ...((axes ?? "") === "" ? [] : ["", axes!]),
        ]);
  const all = (value: string): string => b.op("ReduceSum", [value], { keepdims: int(0) });
  return [dx, null, wants(2) ? b.reshapeLike(b.sub(all(dy!), all(dx)), node.inputs[2]!) : null];
};

// y = x repeated along axes of size 1      dx = Σ over the repetitions (by the walk)
export const Expand: GradientRule = (_, [dy]) => [dy!];

// y = x repeated as a whole                dx = Σ over the repetitions
export const Tile: GradientRule = (cx, [dy]) => {
  const { b, node } = cx;
  const [x, repeats] = node.inputs as [string, string];
  const rank = rankOf(cx, x);
  if (rank === 0) return [dy!];
  const pairs = b.op("Concat", [b.unsqueeze(repeats, [1]), b.unsqueeze(b.shapeOf(x), [1])], { axis: int(1) });
  const split = b.op("Reshape", [dy!, b.reshape(pairs, [-1])]);
  return [
    b.reduceSum(
      split,
      upTo(rank).map((i) => 2 * i),
      false,
    ),
  ];
};

// blocks of channels <-> space: each is the other's inverse
export const SpaceToDepth: GradientRule = ({ b, node }, [dy]) => [
  b.op("DepthToSpace", [dy!], { blocksize: int(getInt(node, "blocksize", 1)) }),
];

export const DepthToSpace: GradientRule = (cx, [dy]) => {
  const { b, node } = cx;
  const size = getInt(node, "blocksize", 1);
  const moved = b.op("SpaceToDepth", [dy!], { blocksize: int(size) });
  if (getString(node, "mode", "DCR") !== "CRD") return [moved];
  const channels = cx.shape(node.inputs[0]!)?.[1];
  if (typeof channels !== "number") return refuse(cx, "mode CRD needs the number of channels declared");
  const blocks = size * size;
  const order = upTo(channels).map((c) => (c % blocks) * (channels / blocks) + Math.floor(c / blocks));
  return [b.op("Gather", [moved, b.constant(int64([channels], order))], { axis: int(1) })];
};

// y = x in another float type      dx = dy in the type of x
export const Cast: GradientRule = (cx, [dy]) => {
  const dtype = cx.dtype(cx.node.inputs[0]!);
  if (dtype !== null && !isFloat(dtype)) return [dy!]; // quantized integers: their gradient is a float already
  return [dtype === null ? cx.b.op("CastLike", [dy!, cx.node.inputs[0]!]) : cast(cx, dy!, dtype)];
};
export const CastLike = Cast;

// y = running sum      dx = running sum of dy from the other end
export const CumSum: GradientRule = ({ b, node }, [dy]) => [
  b.op("CumSum", [dy!, node.inputs[1]!], {
    exclusive: int(getInt(node, "exclusive", 0)),
    reverse: int(getInt(node, "reverse", 0) === 0 ? 1 : 0),
  }),
];

// y = the upper (or lower) triangle      dx = that of dy
export const Trilu: GradientRule = ({ b, node }, [dy]) => [
  b.op("Trilu", [dy!, ...node.inputs.slice(1)], { upper: int(getInt(node, "upper", 1)) }),
];
