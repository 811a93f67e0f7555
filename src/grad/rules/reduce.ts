import { getInt, int } from "../../ir/attributes.ts";
import { sizeOf, tensor } from "../../tensor/index.ts";
import type { GradientContext, GradientRule } from "../context.ts";
import { asFloat, cast, constantInts, floatType, has, num } from "../context.ts";

/** True where the node reduces nothing: no axes, and told to take that as none. */
const idle = (cx: GradientContext): boolean =>
  getInt(cx.node, "noop_with_empty_axes", 0) !== 0 &&
  (!has(cx, 1) || cx.constant(cx.node.inputs[1])?.data.length === 0);

/** A reduction with the same axes as the node's, which keeps them as size 1. */
const again = (cx: GradientContext, op: string, value: string): string =>
  cx.b.op(op, has(cx, 1) ? [value, cx.node.inputs[1]!] : [value], {
    keepdims: int(1),
    noop_with_empty_axes: int(getInt(cx.node, "noop_with_empty_axes", 0)),
  });

/** Brings an output (or its gradient) back to the rank of the input, reduced axes as size 1. */
function widen(cx: GradientContext, value: string): string {
  const { b, node } = cx;
  if (getInt(node, "keepdims", 1) !== 0) return value;
  const axes = constantInts(cx, node.inputs[1]);
  if (axes !== null && axes.length > 0) return b.unsqueeze(value, axes);
  if (!has(cx, 1)) return value; // everything was reduced: a scalar, which broadcasts
  return b.reshapeLike(value, again(cx, "ReduceSum", node.inputs[0]!));
}

type Parts = { x: string; y: string; dy: string };

/** A reduction's rule from a function that emits dx of any shape that broadcasts to x. */
const reduction =
  (derivative: (cx: GradientContext, parts: Parts) => string): GradientRule =>
  (cx, [dy]) => {
    const { b, node } = cx;
    const x = node.inputs[0]!;
    const parts = { x, y: widen(cx, node.outputs[0]!), dy: widen(cx, dy!) };
    return [b.op("Expand", [derivative(cx, parts), b.shapeOf(x)])];
  };

/** The same for derivatives that have the shape of x already. */
const pointwise =
  (derivative: (cx: GradientContext, parts: Parts) => string): GradientRule =>
  (cx, [dy]) => [derivative(cx, { x: cx.node.inputs[0]!, y: widen(cx, cx.node.outputs[0]!), dy: widen(cx, dy!) })];

// y = Σ x         dx = dy
export const ReduceSum = reduction((_, { dy }) => dy);

// y = Σ x / n     dx = dy/n
export const ReduceMean = reduction((cx, { x, dy }) => {
  if (idle(cx)) return dy;
  const dims = cx.shape(x);
  const axes = constantInts(cx, cx.node.inputs[1]);
  const sizes = dims?.map((d, i) => (!has(cx, 1) || axes?.includes(i) || axes?.includes(i - dims.length) ? d : 1));
  if (sizes?.every((d) => typeof d === "number") && (axes !== null || !has(cx, 1))) {
    return cx.b.mul(dy, num(cx, 1 / sizeOf(sizes as number[])));
  }
  const n = cx.b.div(cx.b.op("Size", [x]), cx.b.op("Size", [cx.node.outputs[0]!]));
  return cx.b.div(dy, cast(cx, n, floatType(cx)));
});

// y = max x       dx = dy·[x = y] / Σ [x = y]   (ties share equally)
const extreme = pointwise((cx, { x, y, dy }) => {
  const hits = asFloat(cx, cx.b.op("Equal", [x, y]));
  return cx.b.mul(hits, cx.b.div(dy, again(cx, "ReduceSum", hits)));
});
export const ReduceMax = extreme;
export const ReduceMin = extreme;

// y = Π x         dx = dy·Π of the others
export const ReduceProd = pointwise((cx, { x, dy }) => {
  const others = productOfOthers(cx, x);
  if (others !== null) return cx.b.mul(dy, others);
  // y/x, and where x = 0 the product of the others (0 if another is 0 too); exact to first order only where x = 0.
  const { b } = cx;
  const zero = b.op("Equal", [x, num(cx, 0)]);
  const zeros = again(cx, "ReduceSum", asFloat(cx, zero));
  const nonzero = b.op("Where", [zero, num(cx, 1), x]);
  const quotient = b.div(again(cx, "ReduceProd", nonzero), nonzero);
  const alone = asFloat(cx, b.op("Equal", [zeros, asFloat(cx, zero)]));
  return b.mul(b.mul(dy, quotient), alone);
});

/** Longest axis whose products are formed one by one: n² work, but no division, so exact in every order. */
const SHORT = 32;

function productOfOthers(cx: GradientContext, x: string): string | null {
  const { b } = cx;
  const dims = cx.shape(x);
  const axes = has(cx, 1) ? constantInts(cx, cx.node.inputs[1]) : dims?.length === 1 && !idle(cx) ? [0] : null;
  if (dims === null || axes === null || axes.length !== 1) return null;
  const axis = axes[0]! < 0 ? axes[0]! + dims.length : axes[0]!;
  const n = dims[axis];
  if (typeof n !== "number" || n < 1 || n > SHORT) return null;
  const own = Uint8Array.from({ length: n * n }, (_, i) => (i % (n + 1) === 0 ? 1 : 0));
  const mask = b.constant(tensor("bool", [n, n, ...dims.slice(axis + 1).map(() => 1)], own));
  const without = b.op("Where", [mask, num(cx, 1), b.unsqueeze(x, [axis])]);
  return b.op("ReduceProd", [without, b.indices([axis + 1])], { keepdims: int(0) });
}

// y = Σ |x|       dx = dy·sign x
export const ReduceL1 = pointwise((cx, { x, dy }) => cx.b.mul(dy, cx.b.op("Sign", [x])));

// y = √Σ x²       dx = dy·x/y   (0 where y = 0)
export const ReduceL2 = pointwise((cx, { x, y, dy }) => {
  const safe = cx.b.op("Where", [cx.b.op("Equal", [y, num(cx, 0)]), num(cx, 1), y]);
  return cx.b.mul(x, cx.b.div(dy, safe));
});

// y = Σ x²        dx = 2·dy·x
export const ReduceSumSquare = pointwise((cx, { x, dy }) => cx.b.mul(x, cx.b.mul(dy, num(cx, 2))));

// y = log Σ eˣ    dx = dy·e^(x-y)
export const ReduceLogSumExp = pointwise((cx, { x, y, dy }) => cx.b.mul(dy, cx.b.op("Exp", [cx.b.sub(x, y)])));

// y = log Σ x     dx = dy/eʸ
export const ReduceLogSum = reduction((cx, { y, dy }) => cx.b.div(dy, cx.b.op("Exp", [y])));
