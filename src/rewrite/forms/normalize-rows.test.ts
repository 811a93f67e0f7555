import { expect, it } from "vitest";
import { runGraph } from "../../../test/support/run-graph.ts";
import { float, GraphBuilder, type Graph } from "../../ir/index.ts";
import { float32 } from "../../tensor/index.ts";
import { normalizeRows } from "./normalize-rows.ts";

const instance = (scale: number, bias: number): Graph => {
  const b = new GraphBuilder();
  const [s, t] = [scale, bias].map((v) => b.constant(float32([2], [v, v])));
  const x = b.input("x", "float32", ["N", 2, 2, 3]);
  b.output(b.op("InstanceNormalization", [x, s!, t!], { epsilon: float(0.5) }, "y"), "float32", null);
  return b.build();
};
const dimsOf = () => ["N", 2, 2, 3];

it("has the values of the operator, and its deviation as an output", async () => {
  const x = float32([1, 2, 2, 3], [1, 2, 3, 4, 5, 6, 100, 100, 100, 100, 100, 106]);
  const rows = normalizeRows(instance(1, 0), dimsOf);
  expect(rows.nodes.map((node) => node.op)).toEqual(["LayerNormalization"]);
  const inverse = rows.nodes[0]!.outputs[2]!;
  const b = new GraphBuilder(rows);
  b.output(inverse, "float32", null);
  const out = await runGraph(b.build(), { x });
  // Variances 35/12 and 5.
  expect(out[inverse]!.data[0]).toBeCloseTo(1 / Math.sqrt(35 / 12 + 0.5), 6);
  expect(out[inverse]!.data[1]).toBeCloseTo(1 / Math.sqrt(5 + 0.5), 6);
  const own = await runGraph(instance(1, 0), { x });
  own["y"]!.data.forEach((v, i) => expect(out["y"]!.data[i]).toBeCloseTo(v as number, 5));
});

it("leaves what scales, shifts or has open sizes", () => {
  for (const graph of [instance(2, 0), instance(1, 1)]) expect(normalizeRows(graph, dimsOf)).toBe(graph);
  const open = instance(1, 0);
  expect(normalizeRows(open, () => ["N", 2, "H", 3])).toBe(open);
  expect(normalizeRows(open, () => null)).toBe(open);
});
