import { mapGraphs } from "../../ir/provenance.ts";
import type { Graph, GraphBuilder, Node } from "../../ir/index.ts";

/** Appends the nodes of a sub-graph with its inputs bound to `args`; answers the names of its outputs. */
export function inline(b: GraphBuilder, body: Graph, args: readonly string[]): string[] {
  const names = new Map<string, string>();
  body.inputs.forEach((input, i) => names.set(input.name, args[i] ?? ""));
  for (const [name, value] of body.constants) if (!names.has(name)) names.set(name, b.constant(value, name));
  for (const node of body.nodes) for (const name of node.outputs) if (name !== "") names.set(name, b.fresh(name));
  for (const node of body.nodes) {
    const renamed = renameNode(node, names);
    b.append({ ...renamed, name: b.fresh(node.name === "" ? node.op.toLowerCase() : node.name) });
  }
  return body.outputs.map((output) => names.get(output.name) ?? output.name);
}

/**
 * A sub-graph as a branch, which has no inputs: they are bound to values of the graph around it. What it makes gets names
 * that begin with `tag`, so that it hides nothing.
 */
export function asBranch(body: Graph, args: readonly string[], tag: string): Graph {
  const bound = new Map(body.inputs.map((input, i) => [input.name, args[i] ?? ""]));
  // A constant of an input's name is its default, which an argument overrides.
  const constants = [...body.constants].filter(([name]) => !bound.has(name));
  const made = new Set([...constants.map(([name]) => name), ...body.nodes.flatMap((node) => node.outputs)]);
  const own = (name: string): string => (name === "" ? "" : `${tag}/${name}`);
  const names = new Map([...bound, ...Array.from(made, (name) => [name, own(name)] as const)]);
  const to = (name: string): string => names.get(name) ?? name;
  const nodes = body.nodes.map((node) => ({ ...renameNode(node, names), name: own(node.name) }));
  // An output that the branch only hands on needs a node that makes it.
  const outputs = body.outputs.map((output, i) => {
    if (made.has(output.name)) return { ...output, name: to(output.name), raw: undefined };
    const name = own(`handed on ${i}`);
    nodes.push({ op: "Identity", domain: "", name, inputs: [to(output.name)], outputs: [name], attributes: {} });
    return { ...output, name, raw: undefined };
  });
  return {
    name: tag,
    inputs: [],
    outputs,
    nodes,
    constants: new Map(constants.map(([name, value]) => [to(name), value])),
    values: new Map([...body.values].map(([name, v]) => [to(name), { ...v, name: to(name), raw: undefined }])),
  };
}

/** Appends an If; its branches make as many values as there are names in `outputs`. */
export function appendIf(
  b: GraphBuilder,
  condition: string,
  then_branch: Graph,
  else_branch: Graph,
  outputs: readonly string[],
): void {
  b.append({
    op: "If",
    domain: "",
    name: b.fresh("if"),
    inputs: [condition],
    outputs,
    attributes: {
      then_branch: { type: "graph", value: then_branch },
      else_branch: { type: "graph", value: else_branch },
    },
  });
}

/** A node with its values renamed, those that its sub-graphs take from outside included. */
function renameNode(node: Node, names: ReadonlyMap<string, string>): Node {
  const to = (name: string): string => names.get(name) ?? name;
  const { raw: _raw, ...plain } = mapGraphs(node, (inner) => renameCaptured(inner, names));
  return { ...plain, inputs: node.inputs.map(to), outputs: node.outputs.map(to) };
}

function renameCaptured(graph: Graph, names: ReadonlyMap<string, string>): Graph {
  const outer = new Map(names);
  for (const v of graph.inputs) outer.delete(v.name);
  for (const name of graph.constants.keys()) outer.delete(name);
  for (const node of graph.nodes) for (const name of node.outputs) outer.delete(name);
  if (outer.size === 0) return graph;
  return {
    ...graph,
    nodes: graph.nodes.map((node) => renameNode(node, outer)),
    outputs: graph.outputs.map((v) => (outer.has(v.name) ? { ...v, name: outer.get(v.name)!, raw: undefined } : v)),
  };
}
