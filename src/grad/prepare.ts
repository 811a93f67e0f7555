import type { Model, ValueInfo } from "../ir/graph.ts";

/** A model in the form that the rules know, and what is known of the types of its values. */
export function prepare(model: Model): { model: Model; types: ReadonlyMap<string, ValueInfo> } {
  const types = new Map(model.graph.values);
  for (const v of [...model.graph.outputs, ...model.graph.inputs]) types.set(v.name, v);
  return { model, types };
}
