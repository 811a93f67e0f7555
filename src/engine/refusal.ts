import { GraphBuilder, type Model } from "../ir/index.ts";

/**
 * The binding hands back a copy of each output, in fresh memory, of those too that it wrote where it was told to: some 0.6 ms
 * a megabyte, which parameters and their states would pay at each training step. What it cannot hand back is a sequence:
 * with one as the first output it refuses after the run and before the copies, and everything is in its place.
 */
export function withRefusal(model: Model): { readonly model: Model; readonly refused: string } | null {
  if ((model.opsets[""] ?? 0) < 11) return null; // no SequenceEmpty
  const refused = new GraphBuilder(model.graph).fresh("refused");
  const node = { op: "SequenceEmpty", domain: "", name: refused, inputs: [], outputs: [refused], attributes: {} };
  const output = { name: refused, dtype: null, dims: null, kind: "sequence" } as const;
  const { nodes, outputs } = model.graph;
  const graph = { ...model.graph, nodes: [...nodes, node], outputs: [output, ...outputs] };
  return { model: { ...model, graph }, refused };
}

/** Whether a run went well, and only its outputs were not handed back. */
export const isRefusal = (cause: unknown): boolean =>
  cause instanceof Error && cause.message.startsWith("Non tensor type");
