import { MarauderError } from "../errors.ts";
import type { Tensor } from "../tensor/index.ts";
import { subgraphs } from "./attributes.ts";
import { mapGraphs, withoutTraining } from "./provenance.ts";
import type { Graph, Model, Node, ValueInfo } from "./graph.ts";
import { constantOf, inferTypes } from "./infer.ts";
import { typesOf } from "./known.ts";
import { rewrites } from "./raise/rewrites.ts";
import type { Emit } from "./raise/emit.ts";

/** Oldest operator set that is read: before it broadcasting worked differently. */
export const OLDEST_OPSET = 7;
/** Newest operator set that is known. */
export const NEWEST_OPSET = 26;
/** File format version that opset 18 needs. */
const IR_VERSION = 8;

/**
 * Rewrites a model of opset 7 to 17 into an equivalent one that speaks opset 18, sub-graphs included, so that the rest
 * of Marauder meets one form of every operator. Opset 18 and later, other domains and a model's own functions stay as
 * they are. In files before IR version 4, where every constant also had to be an input, constants are inputs no longer.
 * Throws MODEL_UNSUPPORTED for another opset or a form that cannot be rewritten.
 */
export function raiseOpset(model: Model, to = 18): Model {
  const from = model.opsets[""];
  const opsets = { ...model.opsets, "": Math.max(to, from ?? to) };
  if (from === undefined || !usesDefaultDomain(model.graph)) {
    // Nothing speaks the default domain yet; nodes that are added later will.
    return from !== undefined && from >= to ? model : raised(model, opsets, model.graph);
  }
  if (from < OLDEST_OPSET || from > NEWEST_OPSET) {
    throw new MarauderError(
      "MODEL_UNSUPPORTED",
      `the model speaks ONNX opset ${from}; expected ${OLDEST_OPSET} to ${NEWEST_OPSET}; export or convert it with an opset in that range`,
      { details: { opset: from } },
    );
  }
  if (from >= to) return model;
  const typed = inferTypes(model).graph;
  const taken = new Set<string>();
  collectNames(typed, taken);
  return raised(model, opsets, raiseGraph(typed, { from, to, taken, outer: [] }));
}

function raised(model: Model, opsets: Model["opsets"], graph: Graph): Model {
  const inputs = model.irVersion < 4 ? graph.inputs.filter((i) => !graph.constants.has(i.name)) : graph.inputs;
  return {
    ...withoutTraining(model),
    opsets,
    irVersion: Math.max(model.irVersion, IR_VERSION),
    graph: { ...graph, inputs },
  };
}

const usesDefaultDomain = (graph: Graph): boolean =>
  graph.nodes.some((node) => node.domain === "" || subgraphs(node).some(usesDefaultDomain));

function collectNames(graph: Graph, names: Set<string>): void {
  for (const v of [...graph.inputs, ...graph.outputs, ...graph.values.values()]) names.add(v.name);
  for (const name of graph.constants.keys()) names.add(name);
  for (const node of graph.nodes) {
    for (const name of [...node.inputs, ...node.outputs]) names.add(name);
    for (const body of subgraphs(node)) collectNames(body, names);
  }
}

interface Context {
  readonly from: number;
  readonly to: number;
  /** Every name of the model, so that a new one shadows nothing. */
  readonly taken: Set<string>;
  /** What is known in the graphs around this one, the nearest first. */
  readonly outer: readonly Facts[];
}

interface Facts {
  readonly types: ReadonlyMap<string, ValueInfo>;
  readonly tensors: ReadonlyMap<string, Tensor>;
}

function factsOf(graph: Graph): Facts {
  const types = typesOf(graph);
  for (const [name, { dtype, dims }] of graph.constants) types.set(name, { name, dtype, dims, kind: "tensor" });
  const inputs = new Set(graph.inputs.map((i) => i.name));
  const tensors = new Map([...graph.constants].filter(([name]) => !inputs.has(name)));
  for (const node of graph.nodes) {
    const value = node.op === "Constant" && node.domain === "" ? constantOf(node) : null;
    if (value !== null) tensors.set(node.outputs[0]!, value);
  }
  return { types, tensors };
}

function raiseGraph(graph: Graph, context: Context): Graph {
  const { from, to, taken } = context;
  const scopes = [factsOf(graph), ...context.outer];
  const find = <T>(pick: (f: Facts) => T | undefined): T | undefined => {
    for (const scope of scopes) {
      const found = pick(scope);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  const read = new Set<string>(graph.outputs.map((o) => o.name));
  for (const node of graph.nodes) collectReads(node, read);
  const nodes: Node[] = [];
  const constants = new Map(graph.constants);
  const emit: Emit = {
    from,
    dims: (name) => find((f) => f.types.get(name ?? ""))?.dims ?? null,
    dtype: (name) => find((f) => f.types.get(name ?? ""))?.dtype ?? null,
    constantOf: (name) => find((f) => f.tensors.get(name ?? "")) ?? null,
    used: (name) => name !== undefined && read.has(name),
    fresh: (stem) => {
      let name = `${stem}_raised`;
      for (let i = 2; taken.has(name); i++) name = `${stem}_raised_${i}`;
      taken.add(name);
      return name;
    },
    addConstant: (value, stem) => {
      const name = emit.fresh(stem);
      constants.set(name, value);
      return name;
    },
    push: (node) => nodes.push(node),
  };
  for (const original of graph.nodes) {
    const node = mapGraphs(original, (body) => raiseGraph(body, { ...context, outer: scopes }));
    const rule = rewrites.find(([name, before]) => node.op === name && from < before && before <= to);
    if (rule === undefined || node.domain !== "") nodes.push(node);
    else rule[2](node, emit);
  }
  return { ...graph, nodes, constants };
}

function collectReads(node: Node, names: Set<string>): void {
  for (const name of node.inputs) names.add(name);
  for (const body of subgraphs(node)) {
    for (const inner of body.nodes) collectReads(inner, names);
    for (const o of body.outputs) names.add(o.name);
  }
}
