import { tensor, type Tensor } from "../tensor/index.ts";
import { getTensor } from "./attributes.ts";
import { mapGraphs } from "./provenance.ts";
import type { Dim, Graph, Model, Node, ValueInfo } from "./graph.ts";
import { elementwiseRules } from "./infer/elementwise.ts";
import { networkRules } from "./infer/network.ts";
import { reduceRules } from "./infer/reduce.ts";
import { shapeRules } from "./infer/shape-ops.ts";
import {
  agree,
  integerTypes,
  known,
  MAX_CONTENT,
  MAX_RANK,
  nothing,
  numbersIn,
  productOf,
  type Known,
  type Site,
} from "./infer/types.ts";

const rules = new Map([...elementwiseRules, ...shapeRules, ...reduceRules, ...networkRules]);

/** Sizes nobody has named get names of their own while inference runs: "the same unknown size" is worth knowing. */
const PRIVATE = "\0";

interface Scope {
  readonly values: Map<string, Known>;
  readonly tensors: Map<string, Tensor>;
}

interface Run {
  readonly opset: number;
  counter: number;
  /** Where the integers of the outermost graph are written down, if asked for. */
  readonly contents: Map<string, readonly number[]> | null;
}

/**
 * Fills `graph.values` with the element types and shapes of all values that are understood, sub-graphs included, and
 * the gaps in the types of the outputs. The same symbol stands for the same size; null is unknown. What a node makes
 * is believed before what the file declares. An unknown operator is no error: its outputs stay as the file declares
 * them.
 */
export function inferTypes(model: Model): Model {
  return inferAll(model, null);
}

/** As `inferTypes`, with the small integer values (shapes, counts, truth values) that are known before the run. */
export function inferContents(model: Model): { model: Model; contents: ReadonlyMap<string, readonly number[]> } {
  const contents = new Map<string, readonly number[]>();
  return { model: inferAll(model, contents), contents };
}

function inferAll(model: Model, contents: Run["contents"]): Model {
  const run: Run = { opset: model.opsets[""] ?? 1, counter: 0, contents };
  const outermost: Scope = { values: new Map(), tensors: new Map() };
  const { graph, scope } = inferGraph(model.graph, outermost, run, null);
  for (const [name, { content }] of contents === null ? [] : scope.values) {
    if (content?.every((d) => typeof d === "number")) contents!.set(name, content);
  }
  return { ...model, graph };
}

const isPrivate = (d: Dim): boolean => typeof d === "string" && d.startsWith(PRIVATE);
const publicDims = (dims: readonly Dim[] | null): readonly Dim[] | null =>
  dims?.map((d) => (isPrivate(d) ? null : d)) ?? null;

/** Whatever a rule made of a hostile graph: only sizes and symbols go on; unknown sizes get a private name. */
function clean(value: Known, run: Run): Known {
  const dims =
    value.dims === null || value.dims.length > MAX_RANK
      ? null
      : value.dims.map((d) => {
          const good = typeof d === "string" || (typeof d === "number" && Number.isSafeInteger(d) && d >= 0);
          return good ? d : PRIVATE + ++run.counter;
        });
  // Content that does not fit the shape cannot be relied upon.
  const count = dims?.every((d) => typeof d === "number") ? productOf(dims) : null;
  const fits = value.content !== undefined && (count === null || count === value.content.length);
  return known(value.dtype, dims, fits ? value.content : undefined);
}

/** What is made, completed by what is declared. */
function merged(made: Known, declared: ValueInfo | undefined): Known {
  if (declared === undefined || declared.kind !== "tensor") return made;
  const dims =
    made.dims === null
      ? declared.dims
      : declared.dims?.length === made.dims.length
        ? made.dims.map((d, i) => (d === null || isPrivate(d) ? (declared.dims![i] ?? d) : d))
        : made.dims;
  return known(made.dtype ?? declared.dtype, dims, made.content);
}

function knownTensor(value: Tensor): Known {
  const small = integerTypes.has(value.dtype) && value.data.length <= MAX_CONTENT;
  return known(value.dtype, value.dims, small ? numbersIn(value) : undefined);
}

function inferGraph(
  graph: Graph,
  outer: Scope,
  run: Run,
  given: readonly Known[] | null,
): { graph: Graph; outputs: Known[]; scope: Scope } {
  const scope: Scope = { values: new Map(outer.values), tensors: new Map(outer.tensors) };
  graph.inputs.forEach((info, i) => {
    scope.tensors.delete(info.name);
    scope.values.set(info.name, clean(merged(given?.[i] ?? nothing, info), run));
  });
  const inputs = new Set(graph.inputs.map((i) => i.name));
  for (const [name, value] of graph.constants) {
    // A default value can be overridden at run time: its type is sure, its content is not.
    if (inputs.has(name)) scope.values.set(name, known(value.dtype, value.dims));
    else {
      scope.tensors.set(name, value);
      scope.values.set(name, knownTensor(value));
    }
  }
  const declared = new Map(graph.values);
  for (const info of graph.outputs) if (!declared.has(info.name)) declared.set(info.name, info);
  const values = new Map(graph.values);
  const nodes = graph.nodes.map((node) => {
    const done = inferNode(node, scope, run);
    node.outputs.forEach((name, i) => {
      if (name === "") return;
      const info = declared.get(name);
      const value = clean(merged(done.outputs[i] ?? nothing, info), run);
      scope.values.set(name, value);
      scope.tensors.delete(name);
      if (i === 0 && done.tensor !== null) scope.tensors.set(name, done.tensor);
      if (value.dtype === null && value.dims === null) return;
      values.set(name, { ...info, name, dtype: value.dtype, dims: publicDims(value.dims), kind: "tensor" });
    });
    return done.node;
  });
  const outputs = graph.outputs.map((info): ValueInfo => {
    const value = scope.values.get(info.name);
    if (value === undefined || (info.kind !== "tensor" && info.kind !== "unknown")) return info;
    if (info.kind === "unknown" && value.dtype === null) return info;
    const dims = publicDims(value.dims);
    const gaps = info.dims === null || info.dims.some((d) => d === null);
    if (info.dtype !== null && (!gaps || dims === null || (info.dims !== null && info.dims.length !== dims.length)))
      return info;
    const filled = info.dims === null ? dims : info.dims.map((d, i) => d ?? dims?.[i] ?? null);
    return { ...info, kind: "tensor", dtype: info.dtype ?? value.dtype, dims: filled };
  });
  return {
    graph: { ...graph, nodes, outputs, values },
    outputs: graph.outputs.map((o) => scope.values.get(o.name) ?? nothing),
    scope,
  };
}

interface Done {
  readonly node: Node;
  readonly outputs: readonly Known[];
  /** The output's value where the node is a constant. */
  readonly tensor: Tensor | null;
}

function inferNode(node: Node, scope: Scope, run: Run): Done {
  if (node.domain !== "") return { node, outputs: [], tensor: null };
  if (node.op === "Constant") {
    const value = constantOf(node);
    return { node, outputs: [value === null ? nothing : knownTensor(value)], tensor: value };
  }
  if (node.op === "If" || node.op === "Loop" || node.op === "Scan") return inferControl(node, scope, run);
  const rule = rules.get(node.op);
  if (rule === undefined) return { node, outputs: [], tensor: null };
  const site: Site = {
    node,
    opset: run.opset,
    in: (i) => scope.values.get(node.inputs[i] ?? "") ?? nothing,
    has: (i) => (node.inputs[i] ?? "") !== "",
    constant: (i) => scope.tensors.get(node.inputs[i] ?? "") ?? null,
  };
  const tensorOut = node.op === "Identity" ? site.constant(0) : null;
  return { node, outputs: rule(site), tensor: tensorOut };
}

/** The value of a Constant node in any of its forms. */
export function constantOf(node: Node): Tensor | null {
  const whole = getTensor(node, "value");
  if (whole !== null) return whole;
  for (const a of Object.values(node.attributes)) {
    if (a.type === "float") return tensor("float32", [], Float32Array.of(a.value));
    if (a.type === "floats") return tensor("float32", [a.value.length], Float32Array.from(a.value));
    if (a.type === "int") return tensor("int64", [], BigInt64Array.of(a.value));
    if (a.type === "ints") return tensor("int64", [a.value.length], BigInt64Array.from(a.value));
  }
  return null;
}

function inferControl(node: Node, scope: Scope, run: Run): Done {
  const results: (readonly Known[])[] = [];
  const inferred = mapGraphs(node, (body) => {
    const done = inferGraph(body, scope, run, bodyInputs(node, body, scope));
    results.push(done.outputs);
    return done.graph;
  });
  // Symbols of a body may stand for another size in every round: only numbers leave it.
  const plain = (k: Known): Known => known(k.dtype, k.dims?.map((d) => (typeof d === "number" ? d : null)) ?? null);
  let outputs: readonly Known[] = [];
  if (node.op === "If" && results.length === 2)
    outputs = results[0]!.map((r, i) => agree(r, results[1]![i] ?? nothing));
  if (node.op === "Loop" && results.length === 1) {
    const carried = Math.max(0, node.inputs.length - 2);
    outputs = results[0]!.slice(1).map((r, i) => {
      if (i >= carried) return known(r.dtype, r.dims === null ? null : [null, ...plain(r).dims!]);
      // Nothing but the type is sure of a value that the loop rewrites.
      return known(r.dtype, null);
    });
  }
  if (node.op === "Scan") outputs = (results[0] ?? []).map((r) => known(r.dtype, null));
  return { node: inferred, outputs, tensor: null };
}

/** What a body's inputs are: of a Loop the round, the condition and carried values of sure type but unsure shape. */
function bodyInputs(node: Node, body: Graph, scope: Scope): readonly Known[] | null {
  if (node.op !== "Loop") return null;
  return body.inputs.map((_, i) => {
    if (i === 0) return known("int64", []);
    if (i === 1) return known("bool", []);
    return known(scope.values.get(node.inputs[i] ?? "")?.dtype ?? null, null);
  });
}
