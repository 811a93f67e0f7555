import { ortEngine } from "../../src/engine/index.ts";
import type { Graph, Model } from "../../src/ir/index.ts";
import type { Tensor } from "../../src/tensor/index.ts";

/** A model file around a graph. */
export const modelOf = (graph: Graph, opset = 18, ml = false): Model => ({
  irVersion: 8,
  opsets: ml ? { "": opset, "ai.onnx.ml": 3 } : { "": opset },
  producer: "test",
  producerVersion: "",
  metadata: {},
  graph,
});

/** Runs a graph once and gives its outputs as numbers. */
export async function runGraph(
  graph: Graph,
  feeds: Record<string, Tensor>,
  opset = 18,
): Promise<Record<string, { dims: readonly number[]; data: number[] }>> {
  const session = await ortEngine.load(modelOf(graph, opset), { threads: 1 });
  try {
    const out = await session.run(feeds);
    return Object.fromEntries(
      Object.entries(out).map(([name, t]) => [
        name,
        { dims: t.dims, data: Array.from(t.data as ArrayLike<number>, Number) },
      ]),
    );
  } finally {
    await session.close();
  }
}
