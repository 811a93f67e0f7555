import { excerpt, MarauderError } from "../errors.ts";
import { subgraphs } from "./attributes.ts";
import { mapGraphs } from "./provenance.ts";
import type { Graph, Model, Node } from "./graph.ts";

/**
 * Checks that a model's graph makes sense: every value is made once and before it is used (nodes that are merely out of
 * order are sorted), names are unique, dimensions are sizes. Returns the model, sorted. Throws MODEL_CORRUPT and names
 * the node.
 */
export function validate(model: Model): Model {
  const version = model.opsets[""];
  if (version !== undefined && !(Number.isSafeInteger(version) && version >= 1)) {
    throw new MarauderError(
      "MODEL_CORRUPT",
      `the model says that it speaks opset ${version}; expected a whole number from 1`,
    );
  }
  const graph = checkGraph(model.graph, new Set());
  return graph === model.graph ? model : { ...model, graph };
}

const label = (node: Node, i: number): string => `node ${i} '${excerpt(node.name, NAME)}' (${excerpt(node.op, NAME)})`;

/** Longest name of the file that a message repeats. */
const NAME = 80;

/** Names of the sparse constants: the codec lists them among the values, without a declaration of the file. */
const sparseNames = (graph: Graph): string[] =>
  [...graph.values.values()].filter((v) => v.kind === "sparse-tensor" && v.raw === undefined).map((v) => v.name);

function checkGraph(graph: Graph, outer: ReadonlySet<string>): Graph {
  const known = new Set(outer);
  for (const info of graph.inputs) known.add(info.name);
  for (const name of [...graph.constants.keys(), ...sparseNames(graph)]) known.add(name);
  const names = new Set<string>();
  for (const { name } of graph.inputs) {
    if (names.has(name))
      throw new MarauderError(
        "MODEL_CORRUPT",
        `two inputs have the name '${excerpt(name, NAME)}'; names must be unique`,
      );
    names.add(name);
  }
  // A value of a sub-graph may shadow one of the graph around it (runtimes accept it): only the graph's own count.
  checkUnique(graph, new Set([...names, ...graph.constants.keys(), ...sparseNames(graph)]));
  const nodes = sorted(graph, known);
  for (const node of nodes) for (const name of node.outputs) known.add(name);
  for (const info of graph.outputs) {
    if (!known.has(info.name))
      throw new MarauderError(
        "MODEL_CORRUPT",
        `the output '${excerpt(info.name, NAME)}' is made by no node; expected a value of the graph`,
      );
  }
  let changed = nodes !== graph.nodes;
  const checked = nodes.map((node) => {
    if (subgraphs(node).length === 0) return node;
    const inner = mapGraphs(node, (body) => checkGraph(body, known));
    if (inner !== node) changed = true;
    return inner;
  });
  return changed ? { ...graph, nodes: checked } : graph;
}

/** Refuses a graph that makes a value twice. */
function checkUnique(graph: Graph, taken: ReadonlySet<string>): void {
  const made = new Set<string>();
  graph.nodes.forEach((node, i) => {
    for (const name of node.outputs) {
      if (name === "") continue;
      if (made.has(name) || taken.has(name)) {
        throw new MarauderError(
          "MODEL_CORRUPT",
          `${label(node, i)} makes '${excerpt(name, NAME)}' a second time; expected every value to be made once`,
        );
      }
      made.add(name);
    }
  });
}

/** What a node reads, its sub-graphs' outer values included. */
function reads(node: Node): string[] {
  return [...node.inputs.filter((name) => name !== ""), ...subgraphs(node).flatMap(captured)];
}

function captured(graph: Graph): string[] {
  const own = new Set([
    ...graph.inputs.map((i) => i.name),
    ...graph.constants.keys(),
    ...sparseNames(graph),
    ...graph.nodes.flatMap((n) => n.outputs),
  ]);
  return [...graph.nodes.flatMap(reads), ...graph.outputs.map((o) => o.name)].filter((name) => !own.has(name));
}

/** The nodes in topological order; the file's own order where it is one (Kahn's algorithm, first come first served). */
function sorted(graph: Graph, known: ReadonlySet<string>): readonly Node[] {
  const { nodes } = graph;
  const seen = new Set(known);
  const inOrder = nodes.every((node) => {
    const ready = reads(node).every((name) => seen.has(name));
    for (const name of node.outputs) seen.add(name);
    return ready;
  });
  if (inOrder) return nodes;
  const maker = new Map<string, number>();
  nodes.forEach((node, i) => node.outputs.forEach((name) => name !== "" && maker.set(name, i)));
  const waiting = new Int32Array(nodes.length);
  const users: number[][] = nodes.map(() => []);
  nodes.forEach((node, i) => {
    for (const name of new Set(reads(node))) {
      const from = maker.get(name);
      if (from !== undefined) {
        waiting[i]!++;
        users[from]!.push(i);
      } else if (!known.has(name)) {
        throw new MarauderError(
          "MODEL_CORRUPT",
          `${label(node, i)} reads '${excerpt(name, NAME)}', which is no input, constant or output of a node`,
        );
      }
    }
  });
  const queue = nodes.map((_, i) => i).filter((i) => waiting[i] === 0);
  for (let at = 0; at < queue.length; at++)
    for (const user of users[queue[at]!]!) if (--waiting[user]! === 0) queue.push(user);
  if (queue.length < nodes.length) {
    const i = nodes.findIndex((_, k) => waiting[k]! > 0);
    throw new MarauderError(
      "MODEL_CORRUPT",
      `${label(nodes[i]!, i)} depends on its own output; expected a graph without cycles`,
    );
  }
  return queue.map((i) => nodes[i]!);
}
