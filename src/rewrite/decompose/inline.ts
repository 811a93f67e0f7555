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
  const names = new Map<string, string>(body.inputs.map((input, i) => [input.name, args[i] ?? ""]));
  const own = (name: string): string => `${tag}/${name}`;
  for (const name of body.constants.keys()) if (!names.has(name)) names.set(name, own(name));
  for (const node of body.nodes) for (const name of node.outputs) if (name !== "") names.set(name, own(name));
  const made = new Set([...body.constants.keys(), ...body.nodes.flatMap((node) => node.outputs)]);
  const nodes = body.nodes.map((node) => ({
    ...renameNode(node, names),
    name: node.name === "" ? "" : own(node.name),
  }));
  // An output that the branch only hands on needs a node that makes it.
  const outputs = body.outputs.map((output, i) => {
    const name = names.get(output.name) ?? output.name;
    if (made.has(output.name)) return { ...output, name, raw: undefined };
    const handed = own(`handed on ${i}`);
    nodes.push({ op: "Identity", domain: "", name: handed, inputs: [name], outputs: [handed], attributes: {} });
    return { ...output, name: handed, raw: undefined };
  });
  const constants = new Map([...body.constants].map(([name, value]) => [names.get(name)!, value]));
  const values = new Map(
    [...body.values].map(([name, v]) => [
      names.get(name) ?? name,
      { ...v, name: names.get(name) ?? name, raw: undefined },
    ]),
  );
  return { name: tag, inputs: [], outputs, nodes, constants, values };
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
