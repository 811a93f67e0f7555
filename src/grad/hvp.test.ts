import { expect, test } from "vitest";
import { ortEngine, referenceEngine } from "../engine/index.ts";
import { emptyGraph, GraphBuilder, tensorInfo, type Model } from "../ir/index.ts";
import { float32 } from "../tensor/index.ts";
import { hvp } from "./hvp.ts";

/** f = Σ x³ + x₀·x₁·w, a function whose Hessian can be written down. */
function model(): Model {
  const b = new GraphBuilder(emptyGraph);
  b.input("x", "float32", [2]);
  b.input("w", "float32", [1]);
  const cube = b.reduceSum(b.mul("x", b.mul("x", "x")), [0], false);
  const [x0, x1] = b.opN("Split", ["x", b.indices([1, 1])], 2) as [string, string];
  const f = b.add(cube, b.squeeze(b.mul(b.mul(x0, x1), "w"), [0]));
  const graph = { ...b.build(), outputs: [tensorInfo(f, "float32", [])] };
  return { irVersion: 9, opsets: { "": 18 }, producer: "", producerVersion: "", metadata: {}, graph };
}

test.each([
  ["reference", referenceEngine()],
  ["ONNX Runtime", ortEngine],
])("Hessian times vector over two inputs together, in %s", async (_, engine) => {
  const m = model();
  const made = hvp(m, { of: m.graph.outputs[0]!.name, wrt: ["x", "w"] });
  const session = await engine.load(made.model, { threads: 1 });
  const out = await session.run(
    {
      x: float32([2], [2, -1]),
      w: float32([1], [3]),
      [made.vectors.get("x")!]: float32([2], [1, 10]),
      [made.vectors.get("w")!]: float32([1], [100]),
    },
    [...made.products.values(), ...made.gradients.values()],
  );
  await session.close();
  const read = (name: string | undefined): number[] => Array.from(out[name!]!.data as Float32Array);
  // H = [[6x₀, w, x₁], [w, 6x₁, x₀], [x₁, x₀, 0]] at (2, -1, 3), times (1, 10, 100).
  expect(read(made.products.get("x"))).toEqual([12 + 30 - 100, 3 - 60 + 200]);
  expect(read(made.products.get("w"))).toEqual([-1 + 20]);
  expect(read(made.gradients.get("x"))).toEqual([12 - 3, 3 + 6]);
});
