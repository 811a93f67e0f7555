import { MarauderError } from "../errors.ts";
import { int, subgraphs } from "../ir/attributes.ts";
import { GraphBuilder, tensorInfo } from "../ir/builder.ts";
import { constantValues } from "../ir/known.ts";
import type { Dim, DimsOf, Graph, Model, Node, ValueInfo } from "../ir/graph.ts";
import { isFloat, type DType } from "../tensor/index.ts";
import { ifGradient } from "./branches.ts";
import { sumTo } from "./broadcast.ts";
import { constantOfShape, num, type GradientContext } from "./context.ts";
import { prepare } from "./prepare.ts";
import { refused } from "./operator-lists.ts";
import { carriesQuantized, straightThrough } from "./rules/quantize.ts";
import { broadcasting, rules, zeroByNature } from "./rules/index.ts";

export interface GradOptions {
  /** The values to differentiate. */
  readonly of: string | readonly string[];
  /** Graph inputs, constants (parameters) or inner values to differentiate by. */
  readonly wrt: readonly string[];
  /**
   * What `of` is multiplied with: "ones" gives the gradient of the sum of all its entries (of a scalar: its gradient),
   * "inputs" adds one graph input per `of`, of its shape, and gives the vector-Jacobian product with it; a map names
   * for each `of` a value of the graph, of its shape, that is known already: the gradient of what comes after it.
   */
  readonly seeds?: "ones" | "inputs" | ReadonlyMap<string, string>;
}

export interface Gradient {
  /** The given graph, plus the gradient nodes, plus one output per `wrt`. An ordinary model, which differentiates again. */
  readonly model: Model;
  /** For each `wrt` the name of its gradient output, of the shape of the value. Zeros where nothing flows. */
  readonly gradients: ReadonlyMap<string, string>;
  /** For each `of` the name of its seed input; empty with seeds "ones". */
  readonly seeds: ReadonlyMap<string, string>;
  /** Nodes whose gradient is the straight-through estimate, not a derivative: quantizers. */
  readonly estimated: readonly { readonly op: string; readonly node: string }[];
  /** Operators that were written with simpler ones first. */
  readonly decomposed: readonly { readonly op: string; readonly node: string }[];
}

/**
 * Reverse-mode differentiation of an ONNX graph, as a graph. Older models are raised to opset 18 first.
 *
 * Throws GRAD_NO_RULE for an operator without a rule between `wrt` and `of`, MODEL_UNSUPPORTED for a form of an
 * operator that its rule does not know, MODEL_INPUT for names that the graph does not have or that hold no floats.
 */
export function grad(model: Model, options: GradOptions): Gradient {
  const of = typeof options.of === "string" ? [options.of] : [...new Set(options.of)];
  const wrt = [...new Set(options.wrt)];
  const { model: raised, types, kept, replaced: decomposed } = prepare(model, { of, wrt });
  const graph = raised.graph;
  checkNames(graph, types, of, wrt);
  const b = new GraphBuilder(graph);
  const constants = constantValues(graph);
  const shape = (name: string): readonly Dim[] | null => constants.get(name)?.dims ?? types.get(name)?.dims ?? null;
  const dtype = (name: string): DType | null => constants.get(name)?.dtype ?? types.get(name)?.dtype ?? null;
  const contextOf = (node: Node, wants: (i: number) => boolean = () => false): GradientContext => ({
    b,
    node,
    wants,
    shape,
    dtype,
    constant: (name) => (name === undefined ? null : (constants.get(name) ?? null)),
  });

  const reached = reachedFrom(graph, wrt, dtype);
  const contributions = new Map<string, string[]>();
  const gradients = new Map<string, string>();
  const contribute = (name: string, gradient: string): void => {
    const known = contributions.get(name);
    if (known === undefined) contributions.set(name, [gradient]);
    else known.push(gradient);
  };
  const repeated = repeatedWeights(graph, shape);
  const products = new Map<string, WeightUse[]>();
  const newTypes = new Map<string, ValueInfo>();
  /** The sum of what flowed back to a value, or null. Asked once all readers of the value have been visited. */
  const gradientOf = (name: string): string | null => {
    const known = gradients.get(name);
    if (known !== undefined) return known;
    const uses = products.get(name);
    if (uses !== undefined) contribute(name, productOfUses(b, uses, shape(name) as number[], shape));
    const parts = contributions.get(name);
    if (parts === undefined) return null;
    const sum = parts.reduce((a, part) => b.add(a, part));
    gradients.set(name, sum);
    const own = dtype(name);
    // By a quantized integer: the gradient is a float all the same.
    if (shape(name) !== null)
      newTypes.set(sum, tensorInfo(sum, own === null || isFloat(own) ? own : "float32", shape(name)));
    return sum;
  };

  const seeds = new Map<string, string>();
  for (const name of of) {
    const cx = contextOf({ op: "", domain: "", name: "", inputs: [name], outputs: [], attributes: {} });
    if (options.seeds instanceof Map) {
      contribute(name, options.seeds.get(name)!);
    } else if (options.seeds === "inputs") {
      const seed = b.input(`seed_${name}`, dtype(name) ?? "float32", shape(name));
      seeds.set(name, seed);
      contribute(name, seed);
    } else {
      contribute(name, shape(name)?.length === 0 ? num(cx, 1) : constantOfShape(cx, b.shapeOf(name), 1));
    }
  }

  const estimated: { op: string; node: string }[] = [];
  for (const node of graph.nodes.toReversed()) {
    if (!readsOf(node).some((name) => reached.has(name))) continue;
    const dys = node.outputs.map((name) => (reached.has(name) ? gradientOf(name) : null));
    if (dys.every((dy) => dy === null)) continue;
    if (node.domain === "" && node.op === "If") {
      const wanted = (name: string): boolean => reached.has(name);
      const parts = ifGradient(contextOf(node), dys, raised, grad, wanted);
      for (const [name, part] of parts) contribute(name, part);
      continue;
    }
    const rule = node.domain === "" || node.domain === "ai.onnx" ? rules[node.op] : undefined;
    if (rule === undefined) throw noRule(node, graph, reached, wrt, of, kept.get(keyOf(node)));
    const weight = node.op === "MatMul" && node.domain === "" ? node.inputs[1]! : "";
    const later = repeated.has(weight) && reached.has(weight) && dys[0] !== null;
    const use = { a: node.inputs[0]!, y: node.outputs[0]!, dy: dys[0]! };
    if (later) products.set(weight, [use, ...(products.get(weight) ?? [])]);
    const wants = (i: number): boolean => reached.has(node.inputs[i] ?? "") && !(later && i === 1);
    if (straightThrough.has(node.op)) estimated.unshift({ op: node.op, node: node.name });
    const parts = orBlame(
      () => rule(contextOf(node, wants), dys),
      () => withoutRule(graph, reached, node),
      (culprit) => noRule(culprit, graph, reached, wrt, of, kept.get(keyOf(culprit))),
    );
    for (const [i, name] of node.inputs.entries()) {
      const part = parts[i] ?? null;
      if (part === null || !wants(i)) continue;
      const spread = broadcasting.has(node.op);
      contribute(name, spread ? sumTo(b, part, shape(node.outputs[0]!), name, shape(name)) : part);
    }
  }

  const outputs = new Map<string, string>();
  for (const name of wrt) {
    const cx = contextOf({ op: "", domain: "", name: "", inputs: [name], outputs: [], attributes: {} });
    const gradient = gradientOf(name) ?? constantOfShape(cx, b.shapeOf(name), 0);
    outputs.set(name, b.output(gradient, dtype(name), shape(name), `grad_${name}`));
  }
  const built = b.build();
  const values = new Map([...built.values, ...newTypes]);
  return { model: { ...raised, graph: { ...built, values } }, gradients: outputs, seeds, estimated, decomposed };
}

/** What a node is known by: its first output. */
const keyOf = (node: Node): string => node.outputs.find((name) => name !== "") ?? node.name;

/** A rule may fail because an operator in front of it is unknown, and with it shapes: then that one is to blame. */
function orBlame<T>(work: () => T, find: () => Node | undefined, because: (culprit: Node) => MarauderError): T {
  try {
    return work();
  } catch (error) {
    const culprit = error instanceof MarauderError && error.code === "MODEL_UNSUPPORTED" ? find() : undefined;
    throw culprit === undefined ? error : because(culprit);
  }
}

/** The last operator without a rule through which `wrt` reaches a node. */
function withoutRule(graph: Graph, reached: ReadonlyMap<string, string | null>, to: Node): Node | undefined {
  const before = new Set(readsOf(to).filter((name) => reached.has(name)));
  for (const node of graph.nodes.slice(0, graph.nodes.indexOf(to)).toReversed()) {
    if (!node.outputs.some((name) => before.has(name))) continue;
    const plain = node.domain === "" || node.domain === "ai.onnx";
    if (!plain || (rules[node.op] === undefined && node.op !== "If")) return node;
    for (const name of readsOf(node)) if (reached.has(name)) before.add(name);
  }
  return undefined;
}

/** Matrices of known sizes that several MatMul nodes multiply with from the right: the weights of a recurrence. */
function repeatedWeights(graph: Graph, shape: DimsOf): ReadonlySet<string> {
  const seen = new Set<string>();
  const out = new Set<string>();
  for (const { op, inputs } of graph.nodes) {
    const [a, w] = inputs as [string, string];
    const dims = op === "MatMul" ? shape(w) : null;
    if (dims?.length !== 2 || !dims.every((d) => typeof d === "number") || (shape(a)?.length ?? 0) < 2) continue;
    if (seen.has(w)) out.add(w);
    seen.add(w);
  }
  return out;
}

/** Y = A·W for a weight that is used several times, and the gradient of Y. */
interface WeightUse {
  readonly a: string;
  readonly y: string;
  readonly dy: string;
}

// W of Yᵢ = Aᵢ·W for i = 1, 2, …      dW = Σ Aᵢᵀ·dYᵢ, which is one product of all rows
function productOfUses(
  b: GraphBuilder,
  uses: readonly WeightUse[],
  dims: readonly number[],
  shape: (name: string) => readonly Dim[] | null,
): string {
  const axis = stepAxis(uses.flatMap(({ a, y }) => [shape(a), shape(y)]));
  const rows = (values: string[], width: number): string => {
    if (axis !== null) return b.reshape(b.op("Concat", values, { axis: int(axis) }), [-1, width]);
    return b.op(
      "Concat",
      values.map((value) => b.reshape(value, [-1, width])),
      { axis: int(0) },
    );
  };
  const left = rows(
    uses.map(({ a }) => a),
    dims[0]!,
  );
  const right = rows(
    uses.map(({ dy }) => dy),
    dims[1]!,
  );
  return b.matmul(b.transpose(left, [1, 0]), right);
}

/**
 * The axis along which steps [N, 1, width] or [1, N, width] lie: joined along it, they are the very value that the gradient
 * of their Split makes, and ONNX Runtime makes it once.
 */
function stepAxis(shapes: readonly (readonly Dim[] | null)[]): 0 | 1 | null {
  const along = (axis: 0 | 1): boolean => {
    const size = shapes[0]?.[1 - axis] ?? null;
    return size !== null && shapes.every((dims) => dims?.length === 3 && dims[axis] === 1 && dims[1 - axis] === size);
  };
  return along(1) ? 1 : along(0) ? 0 : null;
}

function checkNames(graph: Graph, types: ReadonlyMap<string, ValueInfo>, of: string[], wrt: string[]): void {
  const known = new Set<string>([...graph.inputs.map((v) => v.name), ...graph.constants.keys()]);
  for (const node of graph.nodes) for (const name of node.outputs) if (name !== "") known.add(name);
  if (of.length === 0 || wrt.length === 0) {
    throw new MarauderError(
      "MODEL_INPUT",
      "grad needs at least one value to differentiate and one to differentiate by",
    );
  }
  for (const name of [...of, ...wrt]) {
    if (!known.has(name)) {
      throw new MarauderError(
        "MODEL_INPUT",
        `the graph has no value named ${JSON.stringify(name)}; expected an input, a constant or an output of a node`,
      );
    }
    const dtype = graph.constants.get(name)?.dtype ?? types.get(name)?.dtype ?? null;
    if (dtype !== null && !isFloat(dtype)) {
      throw new MarauderError(
        "MODEL_INPUT",
        `${JSON.stringify(name)} holds ${dtype}; only floating-point values have gradients`,
      );
    }
  }
}

/** Values that a node reads, those captured by its sub-graphs included. */
function readsOf(node: Node): string[] {
  const inner = subgraphs(node);
  if (inner.length === 0) return [...node.inputs];
  const reads = [...node.inputs];
  for (const graph of inner) {
    for (const v of graph.outputs) reads.push(v.name);
    for (const n of graph.nodes) reads.push(...readsOf(n));
  }
  return reads;
}

/** Every value through which a change of `wrt` flows, with the value it came from. */
function reachedFrom(graph: Graph, wrt: string[], dtype: (name: string) => DType | null): Map<string, string | null> {
  const reached = new Map<string, string | null>(wrt.map((name) => [name, null]));
  const quantized = new Set<string>();
  for (const node of graph.nodes) {
    if (node.domain === "" && zeroByNature.has(node.op)) continue;
    const from = readsOf(node).find((name) => reached.has(name));
    if (from === undefined) continue;
    const carried = carriesQuantized.has(node.op) && node.inputs.some((name) => quantized.has(name));
    for (const [i, name] of node.outputs.entries()) {
      if (name === "" || reached.has(name) || (node.op === "DynamicQuantizeLinear" && i > 0)) continue;
      const type = dtype(name);
      const whole = type !== null && !isFloat(type);
      if (whole && !carried && !straightThrough.has(node.op)) continue;
      if (whole) quantized.add(name);
      reached.set(name, from);
    }
  }
  return reached;
}

function noRule(
  node: Node,
  graph: Graph,
  reached: ReadonlyMap<string, string | null>,
  wrt: string[],
  of: string[],
  reason: string | undefined,
): MarauderError {
  const back: string[] = [];
  for (
    let at: string | null | undefined = readsOf(node).find((n) => reached.has(n));
    at != null;
    at = reached.get(at)
  ) {
    back.unshift(at);
  }
  const targets = new Set(of);
  const ahead: string[] = [];
  const readers = new Map<string, string>(); // value -> value that led to it, forward from this node
  for (const name of node.outputs) readers.set(name, "");
  for (const n of graph.nodes) {
    const from = readsOf(n).find((name) => readers.has(name) && reached.has(name));
    if (from !== undefined) for (const name of n.outputs) if (!readers.has(name)) readers.set(name, from);
  }
  const end = [...readers.keys()].find((name) => targets.has(name));
  for (let at = end; at !== undefined && at !== ""; at = readers.get(at)) ahead.unshift(at);
  const path = [...shortened(back, 3, 4), `[${node.op}]`, ...shortened(ahead, 4, 2)];
  const full = node.domain === "" ? node.op : `${node.domain}.${node.op}`;
  const why = reason ?? (node.domain === "" ? (refused[node.op] ?? "it is no operator of ONNX") : whyOf(full));
  return new MarauderError(
    "GRAD_NO_RULE",
    `cannot differentiate by ${wrt.map((n) => JSON.stringify(n)).join(", ")}: operator ${full} ` +
      `(node ${JSON.stringify(node.name)}) has no gradient (${why}) and lies on the path ${path.join(" -> ")}; ` +
      `use an attack that needs no gradient, or replace the operator`,
    { details: { op: full, node: node.name, path, why } },
  );
}

/** The beginning and the end of a long path. */
const shortened = (path: readonly string[], first: number, last: number): string[] =>
  path.length <= first + last + 1
    ? [...path]
    : [...path.slice(0, first), `... (${path.length - first - last} more)`, ...path.slice(path.length - last)];

const whyOf = (full: string): string =>
  full.startsWith("ai.onnx.ml.TreeEnsemble")
    ? "a tree's output is constant almost everywhere"
    : "it is outside the default ONNX domain";
