import { describe, expect, test } from "vitest";
import { ortEngine, referenceEngine } from "../engine/index.ts";
import { emptyGraph, GraphBuilder, tensorInfo, type Model } from "../ir/index.ts";
import { float32, tensor } from "../tensor/index.ts";
import { grad } from "./walk.ts";

const int8 = (dims: number[], data: number[]) => tensor("int8", dims, Int8Array.from(data));
const uint8 = (dims: number[], data: number[]) => tensor("uint8", dims, Uint8Array.from(data));

function model(emit: (b: GraphBuilder) => string, dims: number[]): Model {
  const b = new GraphBuilder(emptyGraph);
  b.input("x", "float32", dims);
  const y = emit(b);
  const graph = { ...b.build(), outputs: [tensorInfo(y, "float32", null)] };
  return { irVersion: 9, opsets: { "": 20 }, producer: "", producerVersion: "", metadata: {}, graph };
}

/** The gradient of the sum of the output by x, from both engines. */
async function gradientOf(m: Model, dims: number[], x: number[]) {
  const g = grad(m, { of: m.graph.outputs[0]!.name, wrt: ["x"] });
  const name = g.gradients.get("x")!;
  const feeds = { x: float32(dims, x) };
  const [ours, theirs] = [await referenceEngine().load(g.model), await ortEngine.load(g.model, { threads: 1 })];
  const a = Array.from((await ours.run(feeds, [name]))[name]!.data as Float32Array);
  const b = Array.from((await theirs.run(feeds, [name]))[name]!.data as Float32Array);
  await theirs.close();
  expect(b).toEqual(a);
  return { gradient: a, estimated: g.estimated.map((e) => e.op) };
}

describe("straight-through estimator", () => {
  test("a quantize and dequantize pair: 1 inside the range, 0 where it saturates", async () => {
    const m = model(
      (b) => {
        const [s, z] = [b.scalar(0.5), b.constant(int8([], [10]))];
        return b.op("DequantizeLinear", [b.op("QuantizeLinear", ["x", s, z]), s, z]);
      },
      [5],
    );
    // int8 with zero point 10 and scale 0.5 holds -69 to 58.5.
    const { gradient, estimated } = await gradientOf(m, [5], [-70, -68, 0.3, 58, 60]);
    expect(gradient).toEqual([0, 1, 1, 1, 0]);
    expect(estimated).toEqual(["QuantizeLinear"]);
  });

  test("a scale for each channel, integers reshaped on the way, different scales on either side", async () => {
    const m = model(
      (b) => {
        const s = b.constant(float32([2], [0.5, 0.25]));
        const z = b.constant(uint8([2], [0, 4]));
        const q = b.transpose(b.op("QuantizeLinear", ["x", s, z]), [1, 0]);
        return b.op("DequantizeLinear", [q, b.scalar(2), b.constant(uint8([], [0]))]);
      },
      [2, 2],
    );
    // dy·2/s inside; channel 0 begins at 0, channel 1 at -1.
    expect((await gradientOf(m, [2, 2], [-0.5, -0.5, 3, 3])).gradient).toEqual([0, 8, 4, 8]);
  });

  test("a dynamically quantized product", async () => {
    const m = model(
      (b) => {
        const [q, s, z] = b.opN("DynamicQuantizeLinear", ["x"], 3) as [string, string, string];
        const w = b.constant(int8([2, 1], [5, -3]));
        const product = b.op("MatMulInteger", [q, w, z, b.constant(int8([], [1]))]);
        return b.mul(b.op("Cast", [product], { to: { type: "int", value: 1n } }), s);
      },
      [1, 2],
    );
    const { gradient, estimated } = await gradientOf(m, [1, 2], [0.4, -1]);
    expect(gradient[0]).toBeCloseTo(4, 5);
    expect(gradient[1]).toBeCloseTo(-4, 5);
    expect(estimated).toEqual(["DynamicQuantizeLinear"]);
  });

  test("a quantized convolution in one piece: weights and bias to floats, 0 where it saturates", async () => {
    const m = model(
      (b) => {
        const [s, z] = [b.scalar(0.5), b.constant(uint8([], [128]))];
        const q = b.op("QuantizeLinear", ["x", s, z]);
        const w = b.constant(int8([1, 1, 2], [3, -2]));
        const [ws, wz] = [b.constant(float32([1], [0.25])), b.constant(int8([1], [1]))];
        const [ys, yz] = [b.scalar(1), b.constant(uint8([], [0]))];
        const bias = b.constant(tensor("int32", [1], Int32Array.of(8))); // 8 * 0.5 * 0.25 = 1
        const y = b.op("QLinearConv", [q, s, z, w, ws, wz, ys, yz, bias]);
        return b.op("DequantizeLinear", [y, ys, yz]);
      },
      [1, 1, 3],
    );
    // Weights 0.5 and -0.75: outputs 1 + 0.5·2 + 0.75·4 = 5, and 1 - 2 - 0.75·4 = -4, which is cut at 0.
    const { gradient, estimated } = await gradientOf(m, [1, 1, 3], [2, -4, 4]);
    expect(gradient).toEqual([0.5, -0.75, 0]);
    expect(estimated).toEqual(["QuantizeLinear", "QuantizeLinear"]);
  });

  test("a quantized product in one piece", async () => {
    const m = model(
      (b) => {
        const [s, z] = [b.scalar(0.5), b.constant(uint8([], [128]))];
        const q = b.op("QuantizeLinear", ["x", s, z]);
        const w = b.constant(uint8([2, 2], [3, 0, 1, 2]));
        const ws = b.constant(float32([2], [0.25, 0.5]));
        const [ys, yz] = [b.scalar(0.25), b.constant(uint8([], [100]))];
        const y = b.op("QLinearMatMul", [q, s, z, w, ws, b.constant(uint8([2], [1, 1])), ys, yz]);
        return b.op("DequantizeLinear", [y, ys, yz]);
      },
      [1, 2],
    );
    // Columns (0.5, 0) and (-0.5, 0.5).
    expect((await gradientOf(m, [1, 2], [2, 3])).gradient).toEqual([0, 0.5]);
  });

  test("a convolution of integers", async () => {
    const m = model(
      (b) => {
        const [q, s, z] = b.opN("DynamicQuantizeLinear", ["x"], 3) as [string, string, string];
        const w = b.constant(int8([1, 1, 2], [5, -3]));
        const y = b.op("ConvInteger", [q, w, z, b.constant(int8([], [1]))], {
          pads: { type: "ints", value: [1n, 0n] },
        });
        return b.mul(b.op("Cast", [y], { to: { type: "int", value: 1n } }), s);
      },
      [1, 1, 2],
    );
    // y = (-4·x₀, 4·x₀ - 4·x₁)
    const { gradient, estimated } = await gradientOf(m, [1, 1, 2], [0.4, -1]);
    expect(gradient[0]).toBeCloseTo(0, 5);
    expect(gradient[1]).toBeCloseTo(-4, 5);
    expect(estimated).toEqual(["DynamicQuantizeLinear"]);
  });

  test("without quantizers nothing is called an estimate", () => {
    const m = model((b) => b.op("Tanh", ["x"]), [2]);
    expect(grad(m, { of: m.graph.outputs[0]!.name, wrt: ["x"] }).estimated).toEqual([]);
  });
});
