import { inferTypes } from "../ir/index.ts";
import type { Dim, DimsOf, Model } from "../ir/index.ts";

/** What is known of each value's shape before a run. */
export function shapesOf(model: Model): DimsOf {
  const { graph } = inferTypes(model);
  const known = new Map<string, readonly Dim[] | null>();
  for (const [name, info] of graph.values) known.set(name, info.dims);
  for (const info of [...graph.outputs, ...graph.inputs]) known.set(info.name, info.dims);
  for (const [name, value] of graph.constants) known.set(name, value.dims);
  return (name) => known.get(name) ?? null;
}
