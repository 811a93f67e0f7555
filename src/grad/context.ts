import { MarauderError } from "../errors.ts";
import type { GraphBuilder } from "../ir/builder.ts";
import { int, string } from "../ir/attributes.ts";
import type { Dim, Node } from "../ir/graph.ts";
import { codeOfDtype } from "../ir/tensor-codec.ts";
import { tensor, type DType, type Tensor } from "../tensor/index.ts";

/** What a gradient rule sees of the graph: the builder to emit with, its node, and what is known of values. */
export interface GradientContext {
  readonly b: GraphBuilder;
  readonly node: Node;
  /** True where the gradient of input `i` is needed. */
  wants(i: number): boolean;
  /** Sizes of a primal value, as far as they are known before the run; null where even the rank is not. */
  shape(name: string): readonly Dim[] | null;
  dtype(name: string): DType | null;
  /** The value of a constant, null where it is known only at run time (or omitted). */
  constant(name: string | undefined): Tensor | null;
}

/**
 * `dys[j]` names the gradient of output `j`, null where it has none. Answers one contribution per input: the name of
 * its gradient, or null where nothing flows. Throws MODEL_UNSUPPORTED for a form of the operator it cannot handle.
 */
export type GradientRule = (cx: GradientContext, dys: readonly (string | null)[]) => readonly (string | null)[];

/** The element type in which the node computes; float32 where it is not known. */
export function floatType(cx: GradientContext): DType {
  for (const name of [...cx.node.outputs, ...cx.node.inputs]) {
    const dtype = name === "" ? null : cx.dtype(name);
    if (dtype === "float64" || dtype === "float16" || dtype === "bfloat16" || dtype === "float32") return dtype;
  }
  return "float32";
}

export const cast = (cx: GradientContext, value: string, dtype: DType): string =>
  cx.b.op("Cast", [value], { to: int(codeOfDtype[dtype]) });

/** A float constant in the element type of the node. */
export function floatConstant(cx: GradientContext, dims: readonly number[], values: ArrayLike<number>): string {
  const dtype = floatType(cx);
  if (dtype === "float64") return cx.b.constant(tensor("float64", dims, Float64Array.from(values)));
  const single = cx.b.constant(tensor("float32", dims, Float32Array.from(values)));
  return dtype === "float32" ? single : cast(cx, single, dtype);
}

/** A float scalar in the element type of the node. */
export const num = (cx: GradientContext, value: number): string => floatConstant(cx, [], [value]);

/** A truth value as 0 or 1 in the element type of the node. */
export const asFloat = (cx: GradientContext, condition: string): string => cast(cx, condition, floatType(cx));

/** Zeros in the shape of a value. */
export function zerosLike(cx: GradientContext, like: string): string {
  return constantOfShape(cx, cx.b.shapeOf(like), 0);
}

/**
 * A value with the sizes of the primal `from` in the shape of the primal `like`. Where at most one size is unknown, the shape
 * is written in numbers: a Shape node would keep the primal value in memory up to the backward pass. An open size that stays
 * in its place is copied, so that it stays known as the same one.
 */
export function inShapeOf(cx: GradientContext, value: string, like: string, from: string): string {
  const [dims, before] = [cx.shape(like), cx.shape(from)];
  const open = dims?.filter((d) => typeof d !== "number").length ?? 2;
  if (dims === null || open > 1 || dims.includes(0)) return cx.b.reshapeLike(value, like);
  return cx.b.reshape(
    value,
    dims.map((d, i) => (typeof d === "number" ? d : d !== null && before?.[i] === d ? 0 : -1)),
  );
}

/** A float constant spread over a shape that is known at run time. */
export function constantOfShape(cx: GradientContext, shape: string, value: number): string {
  const dtype = floatType(cx);
  if (dtype === "float16" || dtype === "bfloat16") return cx.b.op("Expand", [num(cx, value), shape]);
  const attribute =
    dtype === "float64"
      ? tensor("float64", [1], Float64Array.of(value))
      : tensor("float32", [1], Float32Array.of(value));
  return cx.b.op("ConstantOfShape", [shape], { value: { type: "tensor", value: attribute } });
}

/** Refuses a form of the operator. */
export function refuse(cx: GradientContext, why: string): never {
  throw new MarauderError(
    "MODEL_UNSUPPORTED",
    `no gradient for ${cx.node.op} (node ${JSON.stringify(cx.node.name)}): ${why}`,
    { details: { op: cx.node.op, node: cx.node.name } },
  );
}

/** The rank of a value; refuses where it is unknown. */
export function rankOf(cx: GradientContext, name: string): number {
  const dims = cx.shape(name);
  if (dims === null)
    return refuse(cx, `the rank of ${JSON.stringify(name)} is unknown; declare its shape in the model`);
  return dims.length;
}

/** Sizes of a value where all of them (from axis `from` on) are known numbers, else null. */
export function knownSizes(cx: GradientContext, name: string, from = 0): number[] | null {
  const dims = cx.shape(name)?.slice(from);
  return dims !== undefined && dims.every((d) => typeof d === "number") ? (dims as number[]) : null;
}

/** The numbers of a constant integer input, null where it is omitted or known only at run time. */
export function constantInts(cx: GradientContext, name: string | undefined): number[] | null {
  const value = cx.constant(name);
  return value === null ? null : Array.from(value.data as ArrayLike<number | bigint>, Number);
}

/** An input that is present. */
export const has = (cx: GradientContext, i: number): boolean => (cx.node.inputs[i] ?? "") !== "";

/** 0, 1, … n - 1. */
export const upTo = (n: number, from = 0): number[] => Array.from({ length: n - from }, (_, i) => from + i);

/**
 * Zeros of shape `shape` with `updates` added at `indices` along an axis. Half precision goes through float32, which is
 * what ONNX Runtime can add in, and what the sum deserves.
 */
export function scatterAdd(cx: GradientContext, shape: string, indices: string, updates: string, axis: number): string {
  const { b } = cx;
  const attributes = { axis: int(axis), reduction: string("add") };
  const dtype = floatType(cx);
  if (dtype !== "float16" && dtype !== "bfloat16") {
    return b.op("ScatterElements", [constantOfShape(cx, shape, 0), indices, updates], attributes);
  }
  const zeros = b.op("ConstantOfShape", [shape], {
    value: { type: "tensor", value: tensor("float32", [1], Float32Array.of(0)) },
  });
  return cast(cx, b.op("ScatterElements", [zeros, indices, cast(cx, updates, "float32")], attributes), dtype);
}

/**
 * The adjoint of an operator that only moves elements (Slice, Gather, Pad, …): `move` applies the same operator to the
 * flat positions of `x`, and the gradient is added up at the positions where the elements came from.
 */
export function scatterBack(cx: GradientContext, x: string, dy: string, move: (positions: string) => string): string {
  const { b } = cx;
  const size = b.op("Size", [x]);
  const zero = b.constant(tensor("int64", [], BigInt64Array.of(0n)));
  const one = b.constant(tensor("int64", [], BigInt64Array.of(1n)));
  const positions = b.reshapeLike(b.op("Range", [zero, size, one]), x);
  const from = b.reshape(move(positions), [-1]);
  const flat = scatterAdd(cx, b.reshape(size, [1]), from, b.reshape(dy, [-1]), 0);
  return b.reshapeLike(flat, x);
}
