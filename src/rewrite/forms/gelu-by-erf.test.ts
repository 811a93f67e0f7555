import { expect, it } from "vitest";
import { runGraph } from "../../../test/support/run-graph.ts";
import { GraphBuilder, string, type Graph } from "../../ir/index.ts";
import { float32 } from "../../tensor/index.ts";
import { geluByErf } from "./gelu-by-erf.ts";

const gelu = (attributes = {}): Graph => {
  const b = new GraphBuilder();
  b.output(b.op("Gelu", [b.input("x", "float32", ["N"])], attributes, "y"), "float32", ["N"]);
  return b.build();
};

it("has the values of the operator, and leaves the approximation alone", async () => {
  const x = float32([9], [-40, -3, -1, -0.2, 0, 0.2, 1, 3, 40]);
  const opened = geluByErf(gelu());
  expect(opened.nodes.map((node) => node.op)).toEqual(["Mul", "Erf", "HardSigmoid", "Mul"]);
  const [direct, own] = [await runGraph(gelu(), { x }, 20), await runGraph(opened, { x }, 20)];
  own["y"]!.data.forEach((v, i) => expect(v).toBeCloseTo(direct["y"]!.data[i]!, 6));
  const rough = gelu({ approximate: string("tanh") });
  expect(geluByErf(rough).nodes).toEqual(rough.nodes);
});
