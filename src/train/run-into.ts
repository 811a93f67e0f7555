import type { Session } from "../engine/engine.ts";
import { inferTypes, type Model } from "../ir/index.ts";
import { sizeOf, tensor, type Tensor } from "../tensor/index.ts";

export type Feeds = Readonly<Record<string, Tensor>>;
export type Places = Readonly<Record<string, Tensor<"float32">>>;

/** Runs a graph so that the outputs named in `into` are in its memory afterwards; gives all outputs. */
export async function runInto(session: Session, feeds: Feeds, into: Places): Promise<Feeds> {
  const out = await session.run(feeds, undefined, into);
  // An engine need not write where it is told to.
  for (const [name, { data }] of Object.entries(into)) {
    if (out[name]!.data !== data) data.set(out[name]!.data as Float32Array);
  }
  return out;
}

/**
 * Fresh memory for those of a model's outputs `names` whose shapes follow from the shapes of its feeds, so that a run can
 * be told where all its outputs go (`SessionOptions.places`).
 */
export function placesBy(model: Model, names: readonly string[]): (feeds: Feeds) => Places {
  // A size without a name gets one: what has the same size is then known to have it.
  const inputs = model.graph.inputs.map((input, i) => ({
    ...input,
    dims: input.dims?.map((d, k) => d ?? `size.${i}.${k}`) ?? null,
  }));
  const { graph } = inferTypes({ ...model, graph: { ...model.graph, inputs } });
  const outputs = graph.outputs.filter(
    ({ name, dtype, dims }) => names.includes(name) && dtype === "float32" && dims !== null,
  );
  const symbols = inputs.flatMap(({ name, dims }) =>
    (dims ?? []).flatMap((d, k) => (typeof d === "string" ? [{ name, d, k }] : [])),
  );
  return (feeds) => {
    const sizes = new Map<string, number>();
    for (const { name, d, k } of symbols) {
      const size = feeds[name]?.dims[k];
      if (size !== undefined) sizes.set(d, (sizes.get(d) ?? size) === size ? size : NaN);
    }
    const places: Record<string, Tensor<"float32">> = {};
    for (const { name, dims } of outputs) {
      const own = dims!.map((d) => (typeof d === "number" ? d : (sizes.get(d ?? "") ?? NaN)));
      if (!own.some(Number.isNaN)) places[name] = tensor("float32", own, new Float32Array(sizeOf(own)));
    }
    return places;
  };
}
