import { getInt, inferTypes } from "../ir/index.ts";
import type { Dim, Model, Node } from "../ir/index.ts";
import { bitsPerElement, sizeOf } from "../tensor/index.ts";

/** What one example costs, as far as the shapes of a graph tell. */
export interface Sizes {
  /** Bytes of the values of one example, without its weights; at least 1. */
  readonly values: number;
  /** Multiplications of the products of one example, and an operation for each entry of every other value; at least 1. */
  readonly work: number;
  /** Bytes of all constants. */
  readonly weights: number;
}

/** The sizes of a model whose only needed input is `input`, at its batch axis in front if it has an open one. */
export function sizesOf(model: Model, input: string): Sizes {
  const one = (dims: readonly Dim[] | null): readonly Dim[] | null =>
    dims !== null && typeof dims[0] !== "number" ? [1, ...dims.slice(1)] : dims;
  const inputs = model.graph.inputs.map((v) => (v.name === input ? { ...v, dims: one(v.dims) } : v));
  const outputs = model.graph.outputs.map((v) => ({ ...v, dims: null }));
  const { graph } = inferTypes({ ...model, graph: { ...model.graph, inputs, outputs, values: new Map() } });
  const known = new Map<string, readonly number[]>();
  let values = 0;
  for (const { name, dims, dtype } of [...graph.inputs, ...graph.values.values(), ...graph.outputs]) {
    if (dims === null || !dims.every((d) => typeof d === "number")) continue;
    known.set(name, dims);
    values += (sizeOf(dims) * bitsPerElement(dtype ?? "float32")) / 8;
  }
  let weights = 0;
  for (const [name, value] of graph.constants) {
    known.set(name, value.dims);
    weights += (sizeOf(value.dims) * bitsPerElement(value.dtype)) / 8;
  }
  const rows = inputs.find((v) => v.name === input)?.dims?.[0];
  const examples = typeof rows === "number" && rows > 0 ? rows : 1;
  const work = graph.nodes.reduce((sum, node) => sum + workOf(node, known), 0);
  return { values: Math.max(1, values / examples), work: Math.max(1, work / examples), weights };
}

function workOf(node: Node, known: ReadonlyMap<string, readonly number[]>): number {
  const size = (name: string | undefined): number => sizeOf(known.get(name ?? "") ?? [0]);
  const weight = known.get(node.inputs[1] ?? "");
  const made = size(node.outputs[0]);
  if (weight === undefined) return made;
  switch (node.op) {
    case "Conv":
      return made * sizeOf(weight.slice(1));
    case "ConvTranspose":
      return size(node.inputs[0]) * sizeOf(weight.slice(1));
    case "Gemm":
      return made * weight[getInt(node, "transB", 0) === 1 ? 1 : 0]!;
    case "MatMul":
      return made * (weight.at(-2) ?? weight[0] ?? 0);
    case "LSTM":
    case "GRU":
    case "RNN": {
      // Every step of every sequence multiplies both matrices; X is [steps, sequences, features] or with the first two exchanged.
      const steps = (known.get(node.inputs[0]!) ?? []).slice(0, 2);
      return sizeOf(steps) * (sizeOf(weight) + size(node.inputs[2]));
    }
    default:
      return made;
  }
}
