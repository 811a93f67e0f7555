import { subgraphs } from "../ir/index.ts";
import type { Graph, Node } from "../ir/index.ts";

/** Every name that a node reads: its inputs, and what its sub-graphs take from outside. Omitted inputs are left out. */
export function namesRead(node: Node): string[] {
  const out = node.inputs.filter((name) => name !== "");
  for (const inner of subgraphs(node)) out.push(...captured(inner));
  return out;
}

/** The names that a graph reads but does not define. */
export function captured(graph: Graph): string[] {
  const own = new Set<string>(graph.constants.keys());
  for (const input of graph.inputs) own.add(input.name);
  for (const node of graph.nodes) for (const name of node.outputs) own.add(name);
  const out = new Set<string>();
  for (const node of graph.nodes) for (const name of namesRead(node)) if (!own.has(name)) out.add(name);
  for (const output of graph.outputs) if (!own.has(output.name)) out.add(output.name);
  return [...out];
}

/** The node that makes each value. */
export function producers(graph: Graph): Map<string, Node> {
  const out = new Map<string, Node>();
  for (const node of graph.nodes) for (const name of node.outputs) if (name !== "") out.set(name, node);
  return out;
}

/** How often each value is read by nodes (an output of the graph does not count). */
export function readers(graph: Graph): Map<string, Node[]> {
  const out = new Map<string, Node[]>();
  for (const node of graph.nodes) {
    for (const name of namesRead(node)) {
      const known = out.get(name);
      if (known === undefined) out.set(name, [node]);
      else known.push(node);
    }
  }
  return out;
}

/** Tells the node that alone reads a value; null where there are none or several, or the value is an output of the graph. */
export function onlyReaders(graph: Graph): (name: string) => Node | null {
  const readBy = readers(graph);
  const isOutput = new Set(graph.outputs.map((o) => o.name));
  return (name) => {
    const all = readBy.get(name) ?? [];
    return all.length === 1 && !isOutput.has(name) ? all[0]! : null;
  };
}

/** The names of all values that depend on one of `sources`, these included. */
export function dependents(graph: Graph, sources: Iterable<string>): Set<string> {
  const out = new Set<string>(sources);
  for (const node of graph.nodes) {
    if (namesRead(node).some((name) => out.has(name))) {
      for (const name of node.outputs) if (name !== "") out.add(name);
    }
  }
  return out;
}

/** The names of all values that `outputs` need, these included. */
export function ancestors(graph: Graph, outputs: Iterable<string>): Set<string> {
  const out = new Set<string>(outputs);
  for (let i = graph.nodes.length - 1; i >= 0; i--) {
    const node = graph.nodes[i]!;
    if (node.outputs.some((name) => out.has(name))) for (const name of namesRead(node)) out.add(name);
  }
  return out;
}
