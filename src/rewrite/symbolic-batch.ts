import { excerpt } from "../errors.ts";
import { getInt, getInts, getTensor, GraphBuilder, toNumber } from "../ir/index.ts";
import type { Dim, DimsOf, Graph, Node, ValueInfo } from "../ir/index.ts";
import { int64 } from "../tensor/index.ts";
import { dependents, producers } from "./uses.ts";

export interface SymbolicBatch {
  readonly graph: Graph;
  /** The batch size that the file fixes; null where it is symbolic already. */
  readonly fixedAt: number | null;
  /** Why the batch axis stays fixed; null where the graph takes any batch now. */
  readonly refused: string | null;
  /** Names of the nodes whose constant shape was rewritten. */
  readonly changed: readonly string[];
}

const BATCH = "batch";

/**
 * Makes a fixed leading axis of an input symbolic: rewrites the constant shapes of Reshape and Expand that repeat the
 * batch size, and refuses where an operator mixes the batch axis with another. `dimsOf` tells the inferred shapes of
 * the graph as it was. This is the static half of the proof: the caller compares a batch of two with two of one.
 */
export function symbolicBatch(graph: Graph, inputName: string, dimsOf: DimsOf): SymbolicBatch {
  const info = graph.inputs.find((i) => i.name === inputName);
  const size = info?.dims?.[0];
  if (info?.dims == null || typeof size !== "number") return { graph, fixedAt: null, refused: null, changed: [] };
  const refuse = (reason: string): SymbolicBatch => ({ graph, fixedAt: size, refused: reason, changed: [] });

  const depends = dependents(graph, [inputName]);
  const madeBy = producers(graph);
  const constantOf = (name: string): readonly number[] | null => {
    const node = madeBy.get(name);
    const value =
      graph.constants.get(name) ?? (node?.op === "Constant" ? (getTensor(node, "value") ?? undefined) : undefined);
    return value?.dtype === "int64" ? Array.from(value.data as BigInt64Array, toNumber) : null;
  };
  const b = new GraphBuilder({ ...graph, nodes: [] });
  for (const node of graph.nodes) for (const name of node.outputs) if (name !== "") b.fresh(name);
  const changed: string[] = [];
  const nodes: Node[] = [];
  for (const node of graph.nodes) {
    const data = node.inputs[0] ?? "";
    if (!depends.has(data) || (node.domain !== "" && node.domain !== "ai.onnx")) {
      nodes.push(node);
      continue;
    }
    const where = `${node.op} ${JSON.stringify(excerpt(node.name || (node.outputs[0] ?? "")))}`;
    const dims = dimsOf(data);
    const leads = dims === null || dims[0] === size || typeof dims[0] === "string";
    if (node.op === "Reshape" || node.op === "Expand") {
      const shape = node.inputs[1] === undefined ? getInts(node, "shape") : constantOf(node.inputs[1]);
      if (shape === null) {
        nodes.push(node); // computed at run time, or from Shape: the comparison of two batches decides
        continue;
      }
      const fixed =
        node.op === "Expand" ? expandShape(shape, size, dims) : reshapeShape(shape, size, leads, dims, node);
      if (fixed === null) return refuse(`${where} gives the batch axis a fixed size of its own: [${shape.join(", ")}]`);
      if (fixed === shape) nodes.push(node);
      else {
        changed.push(node.name || node.outputs[0]!);
        const target = b.constant(int64([fixed.length], fixed), "shape");
        const attributes = Object.fromEntries(Object.entries(node.attributes).filter(([k]) => k !== "shape"));
        nodes.push({ ...node, inputs: [data, target], attributes });
      }
      continue;
    }
    if (node.op === "Flatten" && getInt(node, "axis", 1) === 0) return refuse(`${where} flattens the batch axis too`);
    if (node.op === "Squeeze" && leads && size === 1) {
      const axes = node.inputs[1] === undefined ? getInts(node, "axes") : constantOf(node.inputs[1]);
      if (axes === null || axes.some((a) => a === 0 || (dims !== null && a === -dims.length))) {
        return refuse(`${where} removes the batch axis`);
      }
    }
    if (["LSTM", "GRU", "RNN"].includes(node.op)) {
      const state = [node.inputs[5], node.inputs[6]].find((name) => name !== undefined && graph.constants.has(name));
      if (state !== undefined) return refuse(`${where} has a constant initial state of the fixed batch size`);
    }
    nodes.push(node);
  }
  const loosen = (v: ValueInfo): ValueInfo =>
    depends.has(v.name) && v.dims !== null && v.dims[0] === size ? { ...v, dims: [BATCH, ...v.dims.slice(1)] } : v;
  return {
    graph: {
      ...graph,
      inputs: graph.inputs.map((i) => (i.name === inputName ? { ...i, dims: [BATCH, ...info.dims!.slice(1)] } : i)),
      outputs: graph.outputs.map(loosen),
      nodes,
      constants: b.build().constants,
      // Declared inner shapes repeat the fixed size; they are inferred again where they are needed.
      values: new Map([...graph.values].filter(([name]) => !depends.has(name))),
    },
    fixedAt: size,
    refused: null,
    changed,
  };
}

/** The shape with its leading batch size opened; the same array where nothing is to be done; null where that fails. */
function reshapeShape(
  shape: readonly number[],
  size: number,
  leads: boolean,
  dims: readonly Dim[] | null,
  node: Node,
): readonly number[] | null {
  const [first, ...rest] = shape;
  if (first === undefined) return null;
  const copies = getInt(node, "allowzero", 0) === 0;
  if (first === 0 && copies) return shape;
  if (first === -1) {
    // The leading axis is computed: it is the batch where the others hold exactly one example.
    const each = product(rest);
    const have = dims === null ? null : product(dims.slice(1));
    return shape.length > 1 && (have === null || each === null || each === have) ? shape : null;
  }
  if (first !== size || !leads) return null;
  if (!rest.includes(-1)) return [-1, ...rest];
  return copies ? [0, ...rest] : null;
}

function expandShape(shape: readonly number[], size: number, dims: readonly Dim[] | null): readonly number[] | null {
  if (dims !== null && shape.length < dims.length) return shape;
  if (dims !== null && shape.length > dims.length) return null;
  if (shape[0] === 1) return shape;
  return shape[0] === size ? [1, ...shape.slice(1)] : null;
}

function product(dims: readonly Dim[]): number | null {
  let n = 1;
  for (const d of dims) {
    if (typeof d !== "number" || d < 0) return null;
    n *= d;
  }
  return n;
}
