import type { Tensor } from "../tensor/index.ts";
import type { Attribute, Graph, Node } from "./graph.ts";

/** Short makers of attributes, for the builder: `b.op("Gemm", [a, w], { transB: int(1) })`. */
export const int = (value: number | bigint): Attribute => ({ type: "int", value: BigInt(value) });
export const ints = (value: readonly (number | bigint)[]): Attribute => ({ type: "ints", value: value.map(BigInt) });
export const float = (value: number): Attribute => ({ type: "float", value });
export const floats = (value: readonly number[]): Attribute => ({ type: "floats", value });
export const string = (value: string): Attribute => ({ type: "string", value: new TextEncoder().encode(value) });
export const tensorAttribute = (value: Tensor): Attribute => ({ type: "tensor", value });

const MAX = BigInt(Number.MAX_SAFE_INTEGER);
/** int64 to a JavaScript number; what lies beyond 2^53 (such as "to the end" in Slice) saturates. */
export const toNumber = (v: bigint): number => Number(v > MAX ? MAX : v < -MAX ? -MAX : v);

/** Readers with the default of the specification. An attribute of another type counts as absent. */
export function getInt(node: Node, name: string, otherwise: number): number {
  const a = node.attributes[name];
  return a?.type === "int" ? toNumber(a.value) : otherwise;
}
export function getFloat(node: Node, name: string, otherwise: number): number {
  const a = node.attributes[name];
  return a?.type === "float" ? a.value : otherwise;
}
export function getInts(node: Node, name: string): number[] | null {
  const a = node.attributes[name];
  return a?.type === "ints" ? a.value.map(toNumber) : null;
}
export function getFloats(node: Node, name: string): readonly number[] | null {
  const a = node.attributes[name];
  return a?.type === "floats" ? a.value : null;
}
export function getString(node: Node, name: string, otherwise: string): string {
  const a = node.attributes[name];
  return a?.type === "string" ? new TextDecoder().decode(a.value) : otherwise;
}
export function getTensor(node: Node, name: string): Tensor | null {
  const a = node.attributes[name];
  return a?.type === "tensor" ? a.value : null;
}
/** The sub-graphs of a node (branches of If, bodies of Loop and Scan). */
export function subgraphs(node: Node): Graph[] {
  return Object.values(node.attributes).flatMap((a) =>
    a.type === "graph" ? [a.value] : a.type === "graphs" ? [...a.value] : [],
  );
}
