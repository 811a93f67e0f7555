import type { Session } from "../engine/engine.ts";
import type { Tensor } from "../tensor/index.ts";

/** Runs a graph so that the outputs named in `into` are in its memory afterwards; gives all outputs. */
export async function runInto(
  session: Session,
  feeds: Readonly<Record<string, Tensor>>,
  into: Readonly<Record<string, Tensor<"float32">>>,
): Promise<Readonly<Record<string, Tensor>>> {
  const out = await session.run(feeds, undefined, into);
  // An engine need not write where it is told to.
  for (const [name, { data }] of Object.entries(into)) {
    if (out[name]!.data !== data) data.set(out[name]!.data as Float32Array);
  }
  return out;
}
