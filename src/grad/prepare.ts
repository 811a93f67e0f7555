import type { Model, ValueInfo } from "../ir/graph.ts";
import { inferTypes } from "../ir/infer.ts";
import { raiseOpset } from "../ir/raise.ts";

/** A model in the form that the rules know, and what is known of the types of its values. */
export function prepare(model: Model): { model: Model; types: ReadonlyMap<string, ValueInfo> } {
  const typed = inferTypes(raiseOpset(model));
  const types = new Map(typed.graph.values);
  for (const v of [...typed.graph.outputs, ...typed.graph.inputs]) types.set(v.name, v);
  return { model: typed, types };
}
