import { expect, test } from "vitest";
import { modelOf, runGraph } from "../../../test/support/run-graph.ts";
import { grad } from "../../grad/index.ts";
import { getInt, GraphBuilder, inferTypes, int, type Graph } from "../../ir/index.ts";
import { seeded } from "../../random/index.ts";
import { float32, int64, type Tensor } from "../../tensor/index.ts";
import { prune } from "../prune.ts";
import { reusePieces } from "./reuse-pieces.ts";

const noise = (label: string, dims: number[]): Tensor<"float32"> => {
  const data = new Float32Array(dims.reduce((p, d) => p * d, 1));
  seeded(3).child(label).fillNormal(data, 0, 1);
  return float32(dims, data);
};
const feeds = { p: noise("p", [1, 2, 3]), q: noise("q", [1, 2, 3]) };

/** y is what `cut` takes from p and q, joined along the first axis to [2, N, 3]. */
function joined(cut: (b: GraphBuilder, all: string) => string): Graph {
  const b = new GraphBuilder();
  const [p, q] = ["p", "q"].map((name) => b.input(name, "float32", [1, "N", 3])) as [string, string];
  b.output(cut(b, b.op("Concat", [b.op("Exp", [p]), q], { axis: int(0) }, "all")), "float32", null, "y");
  return b.build();
}
const reused = (graph: Graph, keep: string[] = []): Graph => {
  const { graph: after } = reusePieces(inferTypes(modelOf(graph)), new Set(keep));
  return prune(after);
};
const ops = (graph: Graph): string[] => graph.nodes.map((node) => node.op);
const entry = (b: GraphBuilder, x: string, i: number, axis = 0): string =>
  b.op("Gather", [x, b.constant(int64([], [i]))], { axis: int(axis) });
const slice = (b: GraphBuilder, x: string, from: number, to: number): string =>
  b.op("Slice", [x, b.indices([from]), b.indices([to]), b.indices([0])]);

test.each<[string, (b: GraphBuilder, all: string) => string]>([
  ["a Split", (b, all) => b.sub(...(b.opN("Split", [all], 2, { num_outputs: int(2) }) as [string, string]))],
  [
    "a Split past an axis put in and taken out",
    (b, all) => {
      const same = b.squeeze(b.op("Identity", [b.unsqueeze(all, [1])]), [1]);
      return b.sub(...(b.opN("Split", [same, b.indices([1, 1])], 2) as [string, string]));
    },
  ],
  ["the last entry", (b, all) => entry(b, all, -1)],
  ["the first entry behind a Transpose", (b, all) => entry(b, b.transpose(all, [1, 0, 2]), 0, 1)],
  ["an entry behind an axis put in", (b, all) => entry(b, b.unsqueeze(all, [0]), 1, 1)],
  ["a Slice of one entry", (b, all) => slice(b, all, 0, 1)],
  ["a Slice of the last entry", (b, all) => slice(b, all, -1, 2 ** 31)],
])("%s takes what was joined as it was", async (_name, cut) => {
  const before = joined(cut);
  const after = reused(before);
  expect(ops(before)).toContain("Concat");
  expect(ops(after)).not.toContain("Concat");
  const own = Object.fromEntries(after.inputs.map(({ name }) => [name, feeds[name as "p" | "q"]]));
  expect(await runGraph(after, own)).toEqual(await runGraph(before, feeds));
});

test.each<[string, (b: GraphBuilder, all: string) => string]>([
  [
    "along another axis",
    (b, all) =>
      b.add(
        ...((b.opN("Split", [all, b.indices([1, 2])], 2, { axis: int(2) }) as [string, string]).map((v) =>
          b.reduceSum(v, [2], false),
        ) as [string, string]),
      ),
  ],
  [
    "in other sizes",
    (b, all) => b.opN("Split", [b.op("Concat", [all, all], { axis: int(0) }), b.indices([3, 1])], 2)[0]!,
  ],
  ["several entries", (b, all) => slice(b, all, 0, 2)],
  ["no entry", (b, all) => slice(b, all, -1, 0)],
  ["behind an operator that changes values", (b, all) => entry(b, b.neg(all), 0)],
])("%s: stays", (_name, cut) => {
  const before = joined(cut);
  expect(ops(reused(before))).toEqual(ops(before));
});

test("a value that is differentiated by is not passed over", async () => {
  const graph = joined((b, all) => entry(b, all, 1));
  expect(ops(reused(graph, ["all"]))).toContain("Concat");
  const made = grad(modelOf(graph), { of: "y", wrt: ["all"] });
  const only = prune(made.model.graph, [made.gradients.get("all")!], { dropInputs: true });
  const out = await runGraph(only, Object.fromEntries(only.inputs.map(({ name }) => [name, feeds[name as "p" | "q"]])));
  expect(Object.values(out)[0]!.data).toEqual([0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1]);
});

test("two recurrent layers read at their last step: no step is joined, none is zero", () => {
  const b = new GraphBuilder();
  let x = b.input("x", "float32", [4, "N", 2]);
  for (const layer of ["a", "b"]) {
    const weights = [noise(`${layer}w`, [1, 8, 2]), noise(`${layer}r`, [1, 8, 2])].map((w) => b.constant(w));
    x = b.squeeze(b.opN("LSTM", [x, ...weights], 1, { hidden_size: int(2) })[0]!, [1]);
  }
  b.output(entry(b, x, 3), "float32", null, "y");
  const made = grad(modelOf(b.build()), { of: "y", wrt: ["x"] });
  const { nodes } = prune(made.model.graph, [made.gradients.get("x")!]);
  expect(nodes.filter(({ op }) => op === "ScatterElements" || op === "Pad")).toEqual([]);
  // Along the steps: one Concat, of the gradients of x.
  expect(
    nodes.filter((node) => node.op === "Concat" && getInt(node, "axis", 0) === 0 && node.inputs.length === 4),
  ).toHaveLength(1);
});
