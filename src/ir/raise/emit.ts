import { int64, tensor, type DType, type Tensor } from "../../tensor/index.ts";
import { int } from "../attributes.ts";
import type { Attribute, Dim, Node } from "../graph.ts";
import { codeOfDtype } from "../tensor-codec.ts";

/** What a rewrite of one node may use: types of values, constants, and a place for new nodes and constants. */
export interface Emit {
  /** Opset that the model spoke. */
  readonly from: number;
  dims(name: string | undefined): readonly Dim[] | null;
  dtype(name: string | undefined): DType | null;
  constantOf(name: string | undefined): Tensor | null;
  /** Whether a value is read by anyone or is an output. */
  used(name: string | undefined): boolean;
  fresh(stem: string): string;
  addConstant(value: Tensor, stem: string): string;
  push(node: Node): void;
}

/** Rewrites one node: pushes what takes its place. */
export type Rewrite = (node: Node, e: Emit) => void;

export function without(node: Node, ...names: string[]): Record<string, Attribute> {
  return Object.fromEntries(Object.entries(node.attributes).filter(([name]) => !names.includes(name)));
}

/** A one-dimensional int64 constant. */
export const indices = (e: Emit, values: readonly number[], stem: string): string =>
  e.addConstant(int64([values.length], values), stem);

/** Appends an operator with one output and returns the output's name. */
export function op(
  e: Emit,
  type: string,
  inputs: readonly string[],
  attributes: Record<string, Attribute> = {},
  output = e.fresh(type.toLowerCase()),
): string {
  e.push({ op: type, domain: "", name: output, inputs, outputs: [output], attributes });
  return output;
}

/** A float constant in the element type of `like` (float32 where that is unknown). */
export function floatLike(
  e: Emit,
  values: readonly number[],
  dims: readonly number[],
  like: string | undefined,
): string {
  const dtype = e.dtype(like) ?? "float32";
  if (dtype === "float64") return e.addConstant(tensor("float64", dims, Float64Array.from(values)), "float");
  const single = e.addConstant(tensor("float32", dims, Float32Array.from(values)), "float");
  return dtype === "float32" ? single : op(e, "Cast", [single], { to: int(codeOfDtype[dtype]) });
}
