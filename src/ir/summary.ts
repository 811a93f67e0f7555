import { bitsPerElement, isFloat, sizeOf, type DType } from "../tensor/index.ts";
import { getTensor, subgraphs } from "./attributes.ts";
import type { Graph, Model } from "./graph.ts";

export interface ModelSummary {
  readonly producer: string;
  readonly producerVersion: string;
  readonly irVersion: number;
  readonly opsets: Readonly<Record<string, number>>;
  /** Elements of the floating-point constants, sub-graphs and Constant nodes included. */
  readonly parameters: number;
  /** Bytes of all constants. */
  readonly constantBytes: number;
  readonly nodes: number;
  /** How often each operator occurs, most frequent first; another domain's operator as `domain.Op`. */
  readonly operators: readonly (readonly [name: string, count: number])[];
  /** Element types of the constants and how many elements each has. */
  readonly dtypes: readonly (readonly [dtype: DType, elements: number])[];
}

/** Counts what is in a model: parameters, operators, types. */
export function summarize(model: Model): ModelSummary {
  const operators = new Map<string, number>();
  const dtypes = new Map<DType, number>();
  let bytes = 0;
  let nodes = 0;
  const count = (dtype: DType, dims: readonly number[]): void => {
    const n = sizeOf(dims);
    dtypes.set(dtype, (dtypes.get(dtype) ?? 0) + n);
    // Strings have no fixed size and are no parameters.
    if (dtype !== "string") bytes += Math.ceil((n * bitsPerElement(dtype)) / 8);
  };
  const visit = (graph: Graph): void => {
    for (const { dtype, dims } of graph.constants.values()) count(dtype, dims);
    for (const node of graph.nodes) {
      nodes++;
      const name = node.domain === "" ? node.op : `${node.domain}.${node.op}`;
      operators.set(name, (operators.get(name) ?? 0) + 1);
      const value = node.op === "Constant" ? getTensor(node, "value") : null;
      if (value !== null) count(value.dtype, value.dims);
      for (const body of subgraphs(node)) visit(body);
    }
  };
  visit(model.graph);
  const byCount = <K extends string>(m: Map<K, number>): [K, number][] =>
    [...m].toSorted(([a, x], [b, y]) => y - x || (a < b ? -1 : a > b ? 1 : 0));
  return {
    producer: model.producer,
    producerVersion: model.producerVersion,
    irVersion: model.irVersion,
    opsets: model.opsets,
    parameters: [...dtypes].reduce((n, [dtype, elements]) => (isFloat(dtype) ? n + elements : n), 0),
    constantBytes: bytes,
    nodes,
    operators: byCount(operators),
    dtypes: byCount(dtypes),
  };
}
