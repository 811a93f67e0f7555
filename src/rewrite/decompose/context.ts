import { MarauderError } from "../../errors.ts";
import { int } from "../../ir/index.ts";
import type { Dim, GraphBuilder, Node } from "../../ir/index.ts";
import { axisOf } from "../../ir/infer/types.ts";
import { codeOfDtype } from "../../ir/tensor-codec.ts";
import { int64, tensor, type DType, type Tensor } from "../../tensor/index.ts";

/** What a decomposition sees: a builder to emit with, its node, and what is known of values before the run. */
export interface Site {
  readonly b: GraphBuilder;
  readonly node: Node;
  readonly opset: number;
  dims(name: string | undefined): readonly Dim[] | null;
  dtype(name: string | undefined): DType | null;
  constant(name: string | undefined): Tensor | null;
  /** A small integer or truth value that is known before the run, flat. */
  numbers(name: string | undefined): readonly number[] | null;
}

/** Emits simpler operators and answers the names that stand for the node's outputs; "" where one is not offered. */
export type Decomposition = (s: Site) => readonly string[];

/** Leaves the node as it is, for a stated reason. */
export function refuse(s: Site, why: string): never {
  throw new MarauderError("MODEL_UNSUPPORTED", `${s.node.op} (node ${JSON.stringify(s.node.name)}): ${why}`, {
    details: { op: s.node.op, node: s.node.name, why },
  });
}

/** An input that is present, else null. */
export const given = (s: Site, i: number): string | null => {
  const name = s.node.inputs[i] ?? "";
  return name === "" ? null : name;
};

export const wanted = (s: Site, output: number): boolean => (s.node.outputs[output] ?? "") !== "";

/** The floating-point type in which the node computes. */
export function floatType(s: Site): DType {
  for (const name of [...s.node.inputs, ...s.node.outputs]) {
    const dtype = s.dtype(name);
    if (dtype === "float64" || dtype === "float16" || dtype === "bfloat16" || dtype === "float32") return dtype;
  }
  return "float32";
}

export const cast = (s: Site, value: string, dtype: DType): string =>
  s.b.op("Cast", [value], { to: int(codeOfDtype[dtype]) });

/** A float constant in the type of the node. */
export function floats(s: Site, dims: readonly number[], values: ArrayLike<number>): string {
  const dtype = floatType(s);
  if (dtype === "float64") return s.b.constant(tensor("float64", dims, Float64Array.from(values)));
  const single = s.b.constant(tensor("float32", dims, Float32Array.from(values)));
  return dtype === "float32" ? single : cast(s, single, dtype);
}

export const num = (s: Site, value: number): string => floats(s, [], [value]);

/** A whole number as a constant without axes: as an index, it takes its axis away. */
export const whole = (s: Site, value: number): string => s.b.constant(int64([], [value]));

/** Entries `from` to before `to` along one axis. */
export function slice(s: Site, value: string, axis: number, from: number, to: number, step = 1): string {
  const bounds = [from, to, axis, ...(step === 1 ? [] : [step])].map((i) => s.b.indices([i]));
  return s.b.op("Slice", [value, ...bounds]);
}

/** Sizes of a value from axis `from` to before `to`, at run time. */
export const sizes = (s: Site, value: string, from: number, to: number): string =>
  s.b.op("Slice", [s.b.shapeOf(value), s.b.indices([from]), s.b.indices([to])]);

/** An axis counted from the front. */
export function fromFront(s: Site, axis: number, rank: number): number {
  return axisOf(axis, rank) ?? refuse(s, `its axis ${axis} is outside a value of rank ${rank}`);
}

export function rankOf(s: Site, name: string): number {
  const dims = s.dims(name);
  return dims === null ? refuse(s, `the rank of ${JSON.stringify(name)} is unknown`) : dims.length;
}

/** A size that must be known before the run. */
export function sizeAt(s: Site, name: string, axis: number, what: string): number {
  const size = s.dims(name)?.at(axis);
  return typeof size === "number"
    ? size
    : refuse(s, `${what} is known only at run time; give ${JSON.stringify(name)} a fixed size`);
}

export const upTo = (n: number, from = 0): number[] =>
  Array.from({ length: Math.max(0, n - from) }, (_, i) => from + i);

/** Zeros of a shape known at run time, in the type of the node. */
export const zeros = (s: Site, shape: string): string => s.b.op("Expand", [num(s, 0), shape]);

export const mean = (s: Site, value: string, axes: readonly number[]): string =>
  s.b.op("ReduceMean", [value, s.b.indices(axes)], { keepdims: int(1) });
