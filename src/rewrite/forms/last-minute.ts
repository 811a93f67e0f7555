import type { Graph, Node } from "../../ir/index.ts";
import { dependents, namesRead } from "../uses.ts";

/**
 * The same graph with what depends on none of the `examples` in front of all other nodes: transformed kernels, what an
 * optimizer does to its state. ONNX Runtime follows values back to what they need and makes the input that stands last in
 * the file first, so these are made right before their use and do not wait in memory.
 */
export function lastMinute(graph: Graph, examples: readonly string[]): Graph {
  const depends = dependents(graph, examples);
  const waits = (node: Node): boolean => namesRead(node).some((name) => depends.has(name));
  return { ...graph, nodes: [...graph.nodes.filter((node) => !waits(node)), ...graph.nodes.filter(waits)] };
}
