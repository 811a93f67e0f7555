import { float32, int64, sizeOf, type DType, type Tensor } from "../tensor/index.ts";
import { int, ints } from "./attributes.ts";
import type { Attribute, Dim, Graph, Node, ValueInfo } from "./graph.ts";

export const tensorInfo = (name: string, dtype: DType | null, dims: readonly Dim[] | null): ValueInfo => ({
  name,
  dtype,
  dims,
  kind: "tensor",
});

export const emptyGraph: Graph = Object.freeze({
  name: "graph",
  inputs: [],
  outputs: [],
  nodes: [],
  constants: new Map(),
  values: new Map(),
});

/**
 * Adds nodes to a copy of a graph. Names are unique; equal small constants are shared. It writes operators in the form
 * of opset 18 and later (axes of reductions as inputs), so the graph must have been raised there (`raiseOpset`).
 * Nodes are appended: an input of a new node must exist already.
 */
export class GraphBuilder {
  private readonly graph: Graph;
  private readonly taken = new Set<string>();
  private readonly nodes: Node[];
  private readonly constants: Map<string, Tensor>;
  private readonly inputs: ValueInfo[];
  private outputs: ValueInfo[];
  private readonly shared = new Map<string, string>();
  private counter = 0;

  constructor(graph: Graph = emptyGraph) {
    this.graph = graph;
    this.nodes = [...graph.nodes];
    this.constants = new Map(graph.constants);
    this.inputs = [...graph.inputs];
    this.outputs = [...graph.outputs];
    for (const v of [...graph.inputs, ...graph.outputs]) this.taken.add(v.name);
    for (const name of graph.constants.keys()) this.taken.add(name);
    // Nodes made here are named as their first output, and ONNX Runtime refuses two nodes of one name.
    for (const node of graph.nodes) for (const name of [node.name, ...node.outputs]) this.taken.add(name);
  }

  /** A builder that writes the nodes of a graph anew: it holds none of them yet, and their names are taken. */
  static rewriting(graph: Graph): GraphBuilder {
    const b = new GraphBuilder(graph);
    b.rollBack(0);
    return b;
  }

  /** A name nobody uses, beginning with `stem`. */
  fresh(stem: string): string {
    let name = stem;
    while (this.taken.has(name)) name = `${stem}_${++this.counter}`;
    this.taken.add(name);
    return name;
  }

  /** Appends an operator with one output and returns the output's name. */
  op(
    type: string,
    inputs: readonly string[],
    attributes: Record<string, Attribute> = {},
    stem = type.toLowerCase(),
  ): string {
    return this.opN(type, inputs, 1, attributes, stem)[0]!;
  }

  /** Appends an operator with several outputs. */
  opN(
    type: string,
    inputs: readonly string[],
    outputs: number,
    attributes: Record<string, Attribute> = {},
    stem = type.toLowerCase(),
  ): string[] {
    const names = Array.from({ length: outputs }, () => this.fresh(stem));
    this.nodes.push({ op: type, domain: "", name: names[0]!, inputs: [...inputs], outputs: names, attributes });
    return names;
  }

  /** Appends a node as it stands; its output names must be fresh. */
  append(node: Node): void {
    for (const name of [node.name, ...node.outputs]) this.taken.add(name);
    this.nodes.push(node);
  }

  /** Takes back the nodes appended since `count` of them were there; constants and names stay taken. */
  rollBack(count: number): void {
    this.nodes.length = count;
  }

  get size(): number {
    return this.nodes.length;
  }

  constant(value: Tensor, stem = "const"): string {
    const key =
      value.data.length <= 16
        ? `${value.dtype}|${value.dims.join()}|${Array.from(value.data as ArrayLike<unknown>)
            .map((v) => (Object.is(v, -0) ? "-0" : String(v)))
            .join()}`
        : null;
    const known = key === null ? undefined : this.shared.get(key);
    if (known !== undefined) return known;
    const name = this.fresh(stem);
    this.constants.set(name, value);
    if (key !== null) this.shared.set(key, name);
    return name;
  }

  /** A float32 scalar. */
  scalar(value: number): string {
    return this.constant(float32([], [value]), "scalar");
  }

  /** A float32 constant of nothing but ones; one for each shape. */
  ones(dims: readonly number[]): string {
    const key = `ones ${dims.join()}`;
    const known = this.shared.get(key) ?? this.constant(float32(dims, new Float32Array(sizeOf(dims)).fill(1)), "ones");
    this.shared.set(key, known);
    return known;
  }

  /** A one-dimensional int64 constant. */
  indices(values: readonly number[]): string {
    return this.constant(int64([values.length], values), "indices");
  }

  input(name: string, dtype: DType, dims: readonly Dim[] | null): string {
    const own = this.fresh(name);
    this.inputs.push(tensorInfo(own, dtype, dims));
    return own;
  }

  /** Declares an existing value as an output, under `name` if given (then through an Identity). */
  output(value: string, dtype: DType | null, dims: readonly Dim[] | null, name?: string): string {
    let out = value;
    if (name !== undefined && name !== value) {
      out = this.fresh(name);
      this.nodes.push({ op: "Identity", domain: "", name: out, inputs: [value], outputs: [out], attributes: {} });
    }
    this.outputs.push(tensorInfo(out, dtype, dims));
    return out;
  }

  clearOutputs(): void {
    this.outputs = [];
  }

  add = (a: string, b: string): string => this.op("Add", [a, b]);
  sub = (a: string, b: string): string => this.op("Sub", [a, b]);
  mul = (a: string, b: string): string => this.op("Mul", [a, b]);
  div = (a: string, b: string): string => this.op("Div", [a, b]);
  neg = (a: string): string => this.op("Neg", [a]);
  matmul = (a: string, b: string): string => this.op("MatMul", [a, b]);
  transpose = (a: string, perm: readonly number[]): string => this.op("Transpose", [a], { perm: ints(perm) });
  reshape = (a: string, dims: readonly number[]): string => this.op("Reshape", [a, this.indices(dims)]);
  shapeOf = (a: string): string => this.op("Shape", [a]);
  reshapeLike = (a: string, like: string): string => this.op("Reshape", [a, this.shapeOf(like)], { allowzero: int(1) });
  reduceSum = (a: string, axes: readonly number[], keepdims: boolean): string =>
    this.op("ReduceSum", [a, this.indices(axes)], { keepdims: int(keepdims ? 1 : 0) });
  squeeze = (a: string, axes: readonly number[]): string => this.op("Squeeze", [a, this.indices(axes)]);
  unsqueeze = (a: string, axes: readonly number[]): string => this.op("Unsqueeze", [a, this.indices(axes)]);

  build(): Graph {
    return {
      ...this.graph,
      inputs: this.inputs,
      outputs: this.outputs,
      nodes: this.nodes,
      constants: this.constants,
    };
  }
}
