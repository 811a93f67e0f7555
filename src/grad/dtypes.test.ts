import { describe, expect, test } from "vitest";
import { ortEngine, referenceEngine } from "../engine/index.ts";
import { fromTensor, numbers, toHalf } from "../engine/reference/value.ts";
import { GraphBuilder, int, ints, tensorInfo } from "../ir/index.ts";
import type { Model } from "../ir/index.ts";
import { seeded } from "../random/index.ts";
import { sizeOf, tensor, type Tensor } from "../tensor/index.ts";
import { grad } from "./walk.ts";

type Float = "float16" | "float32" | "float64";

function draw(dtype: Float, path: string, ...dims: number[]): Tensor {
  const data = new Float64Array(sizeOf(dims));
  seeded(5).child(path).fillUniform(data, -1, 1);
  if (dtype === "float64") return tensor(dtype, dims, data);
  if (dtype === "float32") return tensor(dtype, dims, Float32Array.from(data));
  return tensor(dtype, dims, Uint16Array.from(data, toHalf));
}

/** A small network with every form that depends on the element type: masks, constants, zeros, pooled windows. */
function network(dtype: Float): { model: Model; wrt: string[] } {
  const b = new GraphBuilder();
  const x = b.input("x", dtype, ["n", 2, 4, 4]);
  const s = b.constant(draw(dtype, "s", 2, 1, 1), "scale");
  let h = b.op("Relu", [b.mul(x, s)]);
  if (dtype !== "float64") h = b.op("AveragePool", [h], { kernel_shape: ints([2, 2]), strides: ints([2, 2]) });
  h = b.op("MaxPool", [h], { kernel_shape: ints([2, 2]) });
  h = b.op("Gemm", [b.op("Flatten", [h]), b.constant(draw(dtype, "w", dtype === "float64" ? 18 : 2, 3), "w")]);
  h = b.op("LogSoftmax", [b.op("Tanh", [h])]);
  const loss = b.op("ReduceMean", [b.op("Gather", [h, b.indices([1])], { axis: int(1) })], { keepdims: int(0) });
  const outputs = [tensorInfo(loss, dtype, [])];
  const model: Model = {
    irVersion: 9,
    opsets: { "": 20 },
    producer: "test",
    producerVersion: "",
    metadata: {},
    graph: { ...b.build(), outputs },
  };
  return { model, wrt: ["x", "scale", "w"] };
}

describe.each([
  ["float16", 2e-2],
  ["float32", 1e-5],
  ["float64", 1e-12],
] as const)("gradients in %s", (dtype, tolerance) => {
  test("are of that type in ONNX Runtime and agree with the reference", async () => {
    const { model, wrt } = network(dtype);
    const g = grad(model, { of: model.graph.outputs[0]!.name, wrt });
    const feeds = { x: draw(dtype, "x", 3, 2, 4, 4) };
    const exact = await (await referenceEngine({ precision: "float64" }).load(g.model)).run(feeds);
    const session = await ortEngine.load(g.model, { threads: 1 });
    const got = await session.run(feeds);
    await session.close();
    for (const name of g.gradients.values()) {
      expect(got[name]!.dtype).toBe(dtype);
      const [a, b] = [numbers(fromTensor(got[name]!)), numbers(fromTensor(exact[name]!))];
      const scale = Math.max(...Array.from(b, Math.abs));
      expect(scale).toBeGreaterThan(0);
      for (let i = 0; i < b.length; i++) expect(Math.abs(a[i]! - b[i]!) / scale).toBeLessThan(tolerance);
    }
  });
});
