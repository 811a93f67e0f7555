import { tensorInfo, emptyGraph, GraphBuilder } from "../ir/builder.ts";
import type { Graph, Model, ValueInfo } from "../ir/graph.ts";
import { isFloat } from "../tensor/index.ts";
import { appendIf, asBranch } from "../rewrite/decompose/inline.ts";
import { prune } from "../rewrite/prune.ts";
import { captured } from "../rewrite/uses.ts";
import type { GradientContext } from "./context.ts";
import { constantOfShape } from "./context.ts";
import type { Gradient, GradOptions } from "./walk.ts";

/**
 * The gradient of an If whose condition is known only at run time: an If again. Each branch computes its own values anew
 * and from them the gradients of what it takes from outside; of what it does not take they are 0. Only the branch that is
 * taken runs, so the other one can neither fail nor bring a NaN in.
 */
export function ifGradient(
  cx: GradientContext,
  dys: readonly (string | null)[],
  model: Model,
  differentiate: (model: Model, options: GradOptions) => Gradient,
  wants: (name: string) => boolean,
): ReadonlyMap<string, string> {
  const { b, node } = cx;
  const bodies = ["then_branch", "else_branch"].map((name) => {
    const a = node.attributes[name];
    return a?.type === "graph" ? a.value : emptyGraph;
  });
  const infoOf = (name: string): ValueInfo => tensorInfo(name, cx.dtype(name), cx.shape(name));
  const differentiable = (name: string): boolean => {
    const dtype = cx.dtype(name);
    return wants(name) && (dtype === null || isFloat(dtype));
  };
  const sources = [...new Set(bodies.flatMap(captured))].filter(differentiable);
  const branches = bodies.map((body) => branchGradient(cx, body, sources, dys, model, differentiate, infoOf));
  const outputs = sources.map((name) => b.fresh(`grad_${name}`));
  appendIf(b, node.inputs[0]!, branches[0]!, branches[1]!, outputs);
  return new Map(sources.map((name, i) => [name, outputs[i]!]));
}

function branchGradient(
  cx: GradientContext,
  body: Graph,
  sources: readonly string[],
  dys: readonly (string | null)[],
  model: Model,
  differentiate: (model: Model, options: GradOptions) => Gradient,
  infoOf: (name: string) => ValueInfo,
): Graph {
  const taken = captured(body);
  const wrt = sources.filter((name) => taken.includes(name));
  // An output that comes straight from outside is made here, so that it can be differentiated by its source.
  const b = new GraphBuilder({ ...body, inputs: taken.map(infoOf), outputs: [] });
  const of = body.outputs.flatMap((v, i) => (dys[i] === null ? [] : [[b.op("Identity", [v.name]), dys[i]!] as const]));
  const whole: Model = { ...model, graph: b.build() };
  const made = wrt.length === 0 ? null : differentiate(whole, { of: of.map(([name]) => name), wrt, seeds: "inputs" });
  const graph = made?.model.graph ?? whole.graph;
  const g = new GraphBuilder({ ...graph, outputs: [] });
  for (const name of sources) {
    const own = made?.gradients.get(name);
    const gradient = own ?? zeros(cx, g, name);
    g.output(gradient, cx.dtype(name), cx.shape(name));
  }
  const built = g.build();
  const pruned = prune(
    built,
    built.outputs.map((v) => v.name),
  );
  const seeds = new Map(of.map(([name, dy]) => [made?.seeds.get(name) ?? "", dy]));
  const args = pruned.inputs.map((v) => seeds.get(v.name) ?? v.name);
  return asBranch(pruned, args, cx.b.fresh("branch"));
}

const zeros = (cx: GradientContext, b: GradientContext["b"], like: string): string =>
  constantOfShape({ ...cx, b, node: { ...cx.node, inputs: [like], outputs: [] } }, b.shapeOf(like), 0);
