import { expect, test } from "vitest";
import { ortEngine, referenceEngine } from "../engine/index.ts";
import { emptyGraph, GraphBuilder, tensorInfo, type Model } from "../ir/index.ts";
import { float32 } from "../tensor/index.ts";
import { jvp } from "./jvp.ts";

/** y = (x₀·x₁, x₀²): the Jacobian can be written down. */
function model(): Model {
  const b = new GraphBuilder(emptyGraph);
  b.input("x", "float32", [2]);
  const [x0, x1] = b.opN("Split", ["x", b.indices([1, 1])], 2) as [string, string];
  const y = b.op("Concat", [b.mul(x0, x1), b.mul(x0, x0)], { axis: { type: "int", value: 0n } });
  const graph = { ...b.build(), outputs: [tensorInfo(y, "float32", [2])] };
  return { irVersion: 9, opsets: { "": 18 }, producer: "", producerVersion: "", metadata: {}, graph };
}

test.each([
  ["reference", referenceEngine()],
  ["ONNX Runtime", ortEngine],
])("the change along a direction, in %s, with no seed to feed", async (_, engine) => {
  const m = model();
  const of = m.graph.outputs[0]!.name;
  const made = jvp(m, { of, wrt: ["x"] });
  const session = await engine.load(made.model, { threads: 1 });
  const v = made.directions.get("x")!;
  expect([...session.inputs].toSorted()).toEqual(["x", v].toSorted());
  const out = await session.run({ x: float32([2], [3, 5]), [v]: float32([2], [1, 10]) });
  expect(Array.from(out[of]!.data as Float32Array)).toEqual([15, 9]);
  // d(x₀x₁) = 5·1 + 3·10, d(x₀²) = 6·1
  expect(Array.from(out[made.products.get(of)!]!.data as Float32Array)).toEqual([35, 6]);
  await session.close();
});
