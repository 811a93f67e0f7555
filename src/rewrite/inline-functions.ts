import { MarauderError } from "../errors.ts";
import { mapGraphs } from "../ir/provenance.ts";
import { emptyGraph, functionsOf, GraphBuilder, referenceOf, tensorInfo } from "../ir/index.ts";
import type { Attribute, Graph, Model, ModelFunction, Node } from "../ir/index.ts";
import { inline } from "./decompose/inline.ts";

/** Most nodes that calls may unfold into: functions call functions, and a small file could ask for billions. */
const MOST_NODES = 200_000;
/** Functions within functions; a deeper one would have to call itself. */
const MOST_PASSES = 32;

/**
 * Writes calls of the model's own functions out, those of the main graph. A function that speaks another opset than the
 * model stays a call. Throws MODEL_UNSUPPORTED for functions that call themselves or unfold without end.
 */
export function inlineFunctions(model: Model): Model {
  const usable = functionsOf(model).filter((f) => f.opset === null || f.opset === model.opsets[""]);
  if (usable.length === 0) return model;
  const functions = new Map(usable.map((f) => [`${f.domain}:${f.name}`, f]));
  const called = (node: Node): ModelFunction | undefined => functions.get(`${node.domain}:${node.op}`);
  let { graph } = model;
  for (let pass = 0; graph.nodes.some((node) => called(node) !== undefined); pass++) {
    if (pass === MOST_PASSES) throw endless("call each other more than 32 deep");
    const b = GraphBuilder.rewriting(graph);
    for (const node of graph.nodes) {
      const f = called(node);
      if (f === undefined) b.append(node);
      else call(b, node, f);
      if (b.size > MOST_NODES) throw endless(`unfold into more than ${MOST_NODES} nodes`);
    }
    graph = b.build();
  }
  return { ...model, graph };
}

const endless = (how: string): MarauderError =>
  new MarauderError("MODEL_UNSUPPORTED", `the functions of the model ${how}; export it without functions`);

function call(b: GraphBuilder, node: Node, f: ModelFunction): void {
  const attributes = { ...f.defaults, ...node.attributes };
  const body: Graph = {
    ...emptyGraph,
    inputs: f.inputs.map((name) => tensorInfo(name, null, null)),
    outputs: f.outputs.map((name) => tensorInfo(name, null, null)),
    nodes: f.nodes.map((inner) => filledIn(inner, attributes)),
  };
  const made = inline(b, body, node.inputs);
  for (const [i, name] of node.outputs.entries()) {
    if (name === "" || made[i] === undefined) continue;
    b.append({
      op: "Identity",
      domain: "",
      name: b.fresh(`${name}_call`),
      inputs: [made[i]],
      outputs: [name],
      attributes: {},
    });
  }
}

/** A node of a function with the attributes of the call in place of references to them; absent ones are left out. */
function filledIn(node: Node, given: Readonly<Record<string, Attribute>>): Node {
  const attributes: Record<string, Attribute> = Object.create(null) as Record<string, Attribute>;
  for (const [name, a] of Object.entries(node.attributes)) {
    const reference = referenceOf(a);
    if (reference === null) attributes[name] = a;
    else if (Object.hasOwn(given, reference)) attributes[name] = given[reference]!;
  }
  const { raw: _raw, ...plain } = node;
  return mapGraphs({ ...plain, attributes }, (inner) => ({
    ...inner,
    nodes: inner.nodes.map((n) => filledIn(n, given)),
  }));
}
