import { MarauderError } from "../errors.ts";
import type { Model } from "../ir/graph.ts";
import { grad } from "./walk.ts";

export interface HvpOptions {
  /** A scalar value, or one whose entries are added up. */
  readonly of: string;
  /** Inputs and constants; the Hessian is over all of them together. */
  readonly wrt: readonly string[];
}

export interface HessianProduct {
  readonly model: Model;
  /** For each `wrt` the input that takes its part of the vector, of the shape of the value. */
  readonly vectors: ReadonlyMap<string, string>;
  /** For each `wrt` its part of the gradient. */
  readonly gradients: ReadonlyMap<string, string>;
  /** For each `wrt` its part of the Hessian times the vector. */
  readonly products: ReadonlyMap<string, string>;
}

/**
 * The Hessian of a scalar times a vector, as a graph: the gradient of <gradient, v>, which is H·v because H is symmetric
 * (Pearlmutter 1994, "Fast exact multiplication by the Hessian", section 3, in reverse over reverse). Costs a few forward passes; H is never formed.
 *
 * Throws as `grad` does.
 */
export function hvp(model: Model, options: HvpOptions): HessianProduct {
  const first = grad(model, { of: options.of, wrt: options.wrt });
  const gradients = options.wrt.map((name) => first.gradients.get(name) ?? missing(name));
  const second = grad(first.model, { of: gradients, wrt: options.wrt, seeds: "inputs" });
  const pairs = options.wrt.map((name, i) => [name, gradients[i]!] as const);
  return {
    model: second.model,
    vectors: new Map(pairs.map(([name, gradient]) => [name, second.seeds.get(gradient)!])),
    gradients: new Map(pairs),
    products: second.gradients,
  };
}

function missing(name: string): never {
  throw new MarauderError("MODEL_INPUT", `no gradient by ${JSON.stringify(name)} was made`);
}
