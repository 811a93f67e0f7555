import type { Model, ValueInfo } from "../ir/graph.ts";
import { inferTypes } from "../ir/infer.ts";
import { dimsIn, typesOf } from "../ir/known.ts";
import { raiseOpset } from "../ir/raise.ts";
import { decompose, type Decomposed } from "../rewrite/decompose/index.ts";
import { inlineFunctions } from "../rewrite/inline-functions.ts";
import { normalizeRows } from "../rewrite/forms/normalize-rows.ts";
import { reusePieces } from "../rewrite/forms/reuse-pieces.ts";
import { ancestors, dependents } from "../rewrite/uses.ts";

export interface Prepared extends Omit<Decomposed, "model"> {
  readonly model: Model;
  readonly types: ReadonlyMap<string, ValueInfo>;
}

/**
 * A model in the form that the rules know, and what is known of the types of its values. Operators without a rule are
 * decomposed where they lie between `wrt` and `of`; all of them, where no path is given. Normalizations become the form
 * whose gradient costs least.
 */
export function prepare(
  model: Model,
  path?: { readonly of: readonly string[]; readonly wrt: readonly string[] },
): Prepared {
  const typed = inferTypes(raiseOpset(inlineFunctions(model)));
  const after = path === undefined ? null : dependents(typed.graph, path.wrt);
  const before = path === undefined ? null : ancestors(typed.graph, path.of);
  const on = (names: readonly string[]): boolean =>
    after === null || names.some((name) => after.has(name) && before!.has(name));
  const done = decompose(typed, { only: (node) => on(node.outputs) });
  const made = reusePieces(done.model, new Set(path?.wrt));
  const graph = normalizeRows(made.graph, dimsIn(made.graph));
  return { ...done, model: { ...made, graph }, types: typesOf(made.graph) };
}
