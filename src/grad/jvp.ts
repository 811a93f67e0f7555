import type { Model } from "../ir/graph.ts";
import { GraphBuilder } from "../ir/builder.ts";
import { prune } from "../rewrite/prune.ts";
import { constantOfShape } from "./context.ts";
import { grad } from "./walk.ts";

export interface JvpOptions {
  /** The values whose change is asked for. */
  readonly of: string | readonly string[];
  /** Graph inputs and constants that are moved. */
  readonly wrt: readonly string[];
}

export interface JacobianVectorProduct {
  /** The given graph, plus one input per `wrt`: the direction; plus one output per `of`: the change along it. */
  readonly model: Model;
  /** For each `wrt` the input that takes its part of the direction, of the shape of the value. */
  readonly directions: ReadonlyMap<string, string>;
  /** For each `of` the name of its derivative along the direction. */
  readonly products: ReadonlyMap<string, string>;
}

/**
 * Forward mode: J·v, how `of` changes when `wrt` moves along v. By the double-backward trick (Townsend 2017, "A new trick
 * for calculating Jacobian vector products"): Jᵀ·u is linear in u, so its own gradient by u, seeded with v, is J·v. What u
 * is does not matter; it is 0. Throws as `grad` does.
 */
export function jvp(model: Model, options: JvpOptions): JacobianVectorProduct {
  const of = typeof options.of === "string" ? [options.of] : [...new Set(options.of)];
  const wrt = [...new Set(options.wrt)];
  const first = grad(model, { of, wrt, seeds: "inputs" });
  const back = wrt.map((name) => first.gradients.get(name)!);
  const seeds = of.map((name) => first.seeds.get(name)!);
  const second = grad(first.model, { of: back, wrt: seeds, seeds: "inputs" });
  const products = new Map(of.map((name, i) => [name, second.gradients.get(seeds[i]!)!]));
  const outputs = [...model.graph.outputs.map((v) => v.name), ...products.values()];
  const graph = prune(second.model.graph, outputs, { dropInputs: true });
  const taken = new Set(graph.inputs.map((v) => v.name));
  // Rules may read u where they differentiate by it: then it must be something of the right shape.
  const open = of.filter((_, i) => taken.has(seeds[i]!));
  const directions = new Map(wrt.map((name, i) => [name, second.seeds.get(back[i]!)!]));
  return { model: { ...second.model, graph: withZeros(graph, open, first.seeds) }, directions, products };
}

/** The seeds as zeros made in the graph, in front of everything that reads them. */
function withZeros(graph: Model["graph"], of: readonly string[], seeds: ReadonlyMap<string, string>): Model["graph"] {
  if (of.length === 0) return graph;
  const gone = new Set(of.map((name) => seeds.get(name)!));
  const b = GraphBuilder.rewriting(graph);
  const place = (like: string): void => {
    const dtype = graph.inputs.find((v) => v.name === seeds.get(like))!.dtype;
    const node = { op: "", domain: "", name: "", inputs: [like], outputs: [], attributes: {} };
    const cx = { b, node, wants: () => false, shape: () => null, dtype: () => dtype, constant: () => null };
    const zero = constantOfShape(cx, b.shapeOf(like), 0);
    b.append({
      op: "Identity",
      domain: "",
      name: seeds.get(like)!,
      inputs: [zero],
      outputs: [seeds.get(like)!],
      attributes: {},
    });
  };
  const left = new Set(of);
  const ready = (name: string): void => {
    if (left.delete(name)) place(name);
  };
  for (const v of graph.inputs) ready(v.name);
  for (const node of graph.nodes) {
    b.append(node);
    for (const name of node.outputs) ready(name);
  }
  return { ...b.build(), inputs: graph.inputs.filter((v) => !gone.has(v.name)) };
}
