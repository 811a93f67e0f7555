import type { DType, Tensor } from "../tensor/index.ts";

/** A known size, a symbol ("batch"), or null for unknown. */
export type Dim = number | string | null;

/** What is known of a value's sizes before a run; null when even the rank is not. */
export type DimsOf = (name: string) => readonly Dim[] | null;

/** What is known of a value's type. `dims` is null when the rank is unknown; `dtype` null when unknown or no tensor. */
export interface ValueInfo {
  readonly name: string;
  readonly dtype: DType | null;
  readonly dims: readonly Dim[] | null;
  /** The kind of value; everything but "tensor" is passed through untouched. */
  readonly kind: "tensor" | "sparse-tensor" | "sequence" | "map" | "optional" | "opaque" | "unknown";
  /** What the file said, kept for lossless writing; opaque to everyone but the codec. */
  readonly raw?: unknown;
}

export type Attribute =
  | { readonly type: "float"; readonly value: number }
  | { readonly type: "int"; readonly value: bigint }
  | { readonly type: "string"; readonly value: Uint8Array }
  | { readonly type: "tensor"; readonly value: Tensor }
  | { readonly type: "graph"; readonly value: Graph }
  | { readonly type: "floats"; readonly value: readonly number[] }
  | { readonly type: "ints"; readonly value: readonly bigint[] }
  | { readonly type: "strings"; readonly value: readonly Uint8Array[] }
  | { readonly type: "tensors"; readonly value: readonly Tensor[] }
  | { readonly type: "graphs"; readonly value: readonly Graph[] }
  /** Sparse tensors, types and references to function attributes: carried, not understood. */
  | { readonly type: "raw"; readonly value: unknown };

/** One operation. An empty string in `inputs` or `outputs` is an omitted optional one, as in ONNX. */
export interface Node {
  readonly op: string;
  /** "" is the default ONNX domain. */
  readonly domain: string;
  readonly name: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, Attribute>>;
  /** Doc string, overload, metadata and unknown fields of the file; opaque to everyone but the codec. */
  readonly raw?: unknown;
}

/** A graph is a value: nodes in topological order; an edit returns a new graph. */
export interface Graph {
  readonly name: string;
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  readonly nodes: readonly Node[];
  /** Constants by name, in file order (ONNX "initializers"). An input of the same name is a default value. */
  readonly constants: ReadonlyMap<string, Tensor>;
  /** Declared or inferred types of inner values. */
  readonly values: ReadonlyMap<string, ValueInfo>;
  readonly raw?: unknown;
}

/** A model file: a graph, the operator sets that it speaks, and what the producer wrote about it. */
export interface Model {
  readonly irVersion: number;
  /** Operator set version by domain; "" is the default ONNX domain. */
  readonly opsets: Readonly<Record<string, number>>;
  readonly producer: string;
  readonly producerVersion: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly graph: Graph;
  /** Functions, training info and unknown fields of the file; opaque to everyone but the codec. */
  readonly raw?: unknown;
}
