import { excerpt, MarauderError } from "../errors.ts";
import { getInts, GraphBuilder, int } from "../ir/index.ts";
import type { DimsOf, Graph, Node } from "../ir/index.ts";
import { ancestors, dependents } from "./uses.ts";

/**
 * Adds an output `features` of shape [N, width]: the tensor that feeds the last linear layer in front of `scores`
 * (Gemm or MatMul with a constant factor; or a 1 x 1 Conv in front of global pooling, whose input is pooled), or the
 * tensor `named`. Throws MODEL_UNSUPPORTED where there is none.
 */
export function tapFeatures(
  graph: Graph,
  request: {
    readonly input: string;
    readonly scores: string;
    readonly named?: string;
    readonly dimsOf?: DimsOf;
  },
): { graph: Graph; features: string; source: string } {
  const depends = dependents(graph, [request.input]);
  const found =
    request.named === undefined ? lastLinear(graph, request.scores, depends) : named(request.named, depends);
  const b = new GraphBuilder(graph);
  let value = found.source;
  if (found.pool) value = b.op("GlobalAveragePool", [value]);
  const flat = b.op("Flatten", [value], { axis: int(1) }, "features");
  const last = request.dimsOf?.(found.source)?.slice(1);
  const width = found.pool
    ? (last?.[0] ?? null)
    : last !== undefined && last.every((d) => typeof d === "number")
      ? last.reduce((p, d) => p * d, 1)
      : null;
  b.output(flat, "float32", ["batch", width]);
  return { graph: b.build(), features: flat, source: found.source };
}

function named(name: string, depends: ReadonlySet<string>): { source: string; pool: boolean } {
  if (depends.has(name)) return { source: name, pool: false };
  throw new MarauderError(
    "MODEL_INPUT",
    `no value named ${JSON.stringify(excerpt(name))} depends on the model's input; ` +
      "`marauder inspect MODEL` lists the values of a model",
  );
}

function lastLinear(graph: Graph, scores: string, depends: ReadonlySet<string>): { source: string; pool: boolean } {
  const needed = ancestors(graph, [scores]);
  const variable = (name: string | undefined): name is string => name !== undefined && depends.has(name);
  for (let i = graph.nodes.length - 1; i >= 0; i--) {
    const node = graph.nodes[i]!;
    if (!node.outputs.some((name) => needed.has(name))) continue;
    const [a, w] = node.inputs;
    if ((node.op === "Gemm" || node.op === "MatMul") && variable(a) !== variable(w)) {
      return { source: variable(a) ? a : w!, pool: false };
    }
    if (node.op === "Conv" && variable(a) && !variable(w) && isOneByOne(node, graph) && pooled(graph, node, needed)) {
      return { source: a, pool: true };
    }
  }
  throw new MarauderError(
    "MODEL_UNSUPPORTED",
    "no linear layer (Gemm, MatMul or 1 x 1 Conv before global pooling) was found in front of the scores; " +
      "name the tensor to take as features",
  );
}

function isOneByOne(node: Node, graph: Graph): boolean {
  const kernel = getInts(node, "kernel_shape") ?? graph.constants.get(node.inputs[1]!)?.dims.slice(2);
  return kernel !== undefined && kernel.length > 0 && kernel.every((k) => k === 1);
}

/** True where a global pooling stands between this node and the scores. */
function pooled(graph: Graph, from: Node, needed: ReadonlySet<string>): boolean {
  const after = dependents(graph, from.outputs);
  return graph.nodes.some(
    (n) =>
      (n.op === "GlobalAveragePool" || n.op === "ReduceMean" || n.op === "AveragePool") &&
      after.has(n.inputs[0] ?? "") &&
      n.outputs.some((name) => needed.has(name)),
  );
}
