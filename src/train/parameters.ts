import { MarauderError } from "../errors.ts";
import type { Model } from "../ir/index.ts";
import { sizeOf, tensor, type Tensor } from "../tensor/index.ts";

/**
 * All parameters of a model as one vector, slot by slot: what a training keeps, adds noise to and writes to checkpoints.
 * Graphs take and give one tensor for each slot, which is a view of the vector (`feedsOf`).
 */
export interface Layout {
  readonly slots: readonly { readonly name: string; readonly dims: readonly number[]; readonly size: number }[];
  readonly size: number;
}

/** Name of the vector where it is one tensor. */
const WHOLE = "train.parameters";
/** Numbers up to which copies cost less than tensors: each that enters or leaves a graph takes some 15 us. */
const SMALL = 2 ** 18;

/** How vectors of the layout enter and leave graphs: small ones as one tensor, large ones slot by slot, without a copy. */
export const crossing = (layout: Layout): Layout =>
  layout.slots.length > 1 && layout.size <= SMALL
    ? { slots: [{ name: WHOLE, dims: [layout.size], size: layout.size }], size: layout.size }
    : layout;

/** Throws MODEL_INPUT when a name is not a float32 constant of the model. */
export function layoutOf(model: Model, parameters: readonly string[]): Layout {
  const slots = parameters.map((name) => {
    const { dims } = constantOf(model, name);
    return { name, dims, size: sizeOf(dims) };
  });
  return { slots, size: slots.reduce((sum, slot) => sum + slot.size, 0) };
}

/** A float32 constant of a model by name. */
export function constantOf(model: Model, name: string): Tensor<"float32"> {
  const value = model.graph.constants.get(name);
  if (value?.dtype !== "float32") {
    const got = value === undefined ? "none" : value.dtype;
    throw new MarauderError("MODEL_INPUT", `${name} cannot be trained: expected a float32 constant, got ${got}`);
  }
  return value as Tensor<"float32">;
}

/** The parameters of a model, one after the other, in a fresh vector. */
export function pack(model: Model, layout: Layout): Float32Array {
  const flat = new Float32Array(layout.size);
  let at = 0;
  for (const slot of layout.slots) {
    flat.set(constantOf(model, slot.name).data, at);
    at += slot.size;
  }
  return flat;
}

/** The model with these parameters. */
export function unpack(model: Model, layout: Layout, flat: Float32Array): Model {
  const constants = new Map(model.graph.constants);
  let at = 0;
  for (const slot of layout.slots) {
    constants.set(slot.name, tensor("float32", slot.dims, flat.slice(at, at + slot.size)));
    at += slot.size;
  }
  return { ...model, graph: { ...model.graph, constants } };
}

/** The tensors of a vector of the layout, slot by slot: views of its memory. */
export function slotsOf(layout: Layout, flat: Float32Array): Tensor<"float32">[] {
  let at = 0;
  return layout.slots.map(({ dims, size }) => tensor("float32", dims, flat.subarray(at, (at += size))));
}

/** The same as feeds, or as places to write to; named as the slots unless `nameOf` says otherwise. */
export function feedsOf(
  layout: Layout,
  flat: Float32Array,
  nameOf = (slot: string, _index: number): string => slot,
): Record<string, Tensor<"float32">> {
  return Object.fromEntries(slotsOf(layout, flat).map((value, k) => [nameOf(layout.slots[k]!.name, k), value]));
}
