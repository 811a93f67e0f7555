import { describe, expect, it } from "vitest";
import { GraphBuilder, int } from "../ir/index.ts";
import type { Graph, Model } from "../ir/index.ts";
import { float32, int64, tensor } from "../tensor/index.ts";
import type { DType, Tensor } from "../tensor/index.ts";
import { ortEngine } from "./ort-node.ts";

const model = (graph: Graph): Model => ({
  irVersion: 8,
  opsets: { "": 18 },
  producer: "",
  producerVersion: "",
  metadata: {},
  graph,
});

/** One operator over inputs a, b, ... of the given types. */
function oneOp(op: string, inputs: readonly Tensor[], result: DType): Model {
  const b = new GraphBuilder();
  const names = inputs.map((t, i) => b.input("abc"[i]!, t.dtype, t.dims));
  b.output(b.op(op, names), result, null, "y");
  return model(b.build());
}

describe("ortEngine", () => {
  it("adds two batches", async () => {
    const x = float32([2, 2], [1, 2, 3, 4]);
    const session = await ortEngine.load(oneOp("Add", [x, x], "float32"), { threads: 1 });
    expect(session.inputs).toEqual(["a", "b"]);
    expect(session.outputs).toEqual(["y"]);
    const { y } = await session.run({ a: x, b: float32([2, 2], [10, 20, 30, 40]) });
    expect(y!.dims).toEqual([2, 2]);
    expect([...(y!.data as Float32Array)]).toEqual([11, 22, 33, 44]);
    expect([...x.data]).toEqual([1, 2, 3, 4]);
    await session.close();
    await session.close();
    await expect(session.run({ a: x, b: x })).rejects.toMatchObject({ code: "ENGINE_FAILED" });
  });

  it("takes large constants from where they lie, views with an offset and shared memory among them", async () => {
    const n = 40_000;
    const memory = new Float32Array(2 * n).map((_, i) => i);
    const shared = new Float32Array(new SharedArrayBuffer(4 * n)).fill(2);
    const b = new GraphBuilder();
    const x = b.input("a", "float32", [1]);
    const sum = b.add(b.constant(float32([n], memory.subarray(n))), b.constant(tensor("float32", [n], shared)));
    b.output(b.mul(x, sum), "float32", null, "y");
    const session = await ortEngine.load(model(b.build()), { threads: 1 });
    memory.fill(0); // the session holds its own
    const { y } = await session.run({ a: float32([1], [3]) });
    expect([y!.data[0], y!.data[n - 1]]).toEqual([3 * (n + 2), 3 * (2 * n + 1)]);
    await session.close();
  });

  const cases: [DType, Tensor][] = [
    ["float16", tensor("float16", [2], Uint16Array.of(0x3c00, 0xfbff))],
    ["float64", tensor("float64", [2], Float64Array.of(1 / 3, -2))],
    ["int64", int64([2], [-(2n ** 63n), 2n ** 53n + 1n])],
    ["uint64", tensor("uint64", [1], BigUint64Array.of(2n ** 64n - 1n))],
    ["int32", tensor("int32", [1, 2], Int32Array.of(-5, 7))],
    ["uint8", tensor("uint8", [2], Uint8Array.of(0, 255))],
    ["int8", tensor("int8", [2], Int8Array.of(-128, 127))],
    ["uint16", tensor("uint16", [1], Uint16Array.of(65535))],
    ["bool", tensor("bool", [3], Uint8Array.of(1, 0, 1))],
    ["string", tensor("string", [2], ["a", "ä\u0000b"])],
    ["float32", float32([], [2.5])],
    ["float32", float32([0, 3])],
  ];
  it.each(cases)("carries %s there and back unchanged", async (dtype, value) => {
    const session = await ortEngine.load(oneOp("Identity", [value], dtype), { threads: 1 });
    const { y } = await session.run({ a: value });
    expect(y!.dtype).toBe(dtype);
    expect(y!.dims).toEqual(value.dims);
    // ONNX Runtime strings end at a zero byte.
    if (dtype === "string") expect((y!.data as string[])[0]).toBe("a");
    else expect(y!.data).toEqual(value.data);
    await session.close();
  });

  it("runs views into larger buffers and shared memory", async () => {
    const shared = new Float32Array(new SharedArrayBuffer(16));
    shared.set([1, 2, 3, 4]);
    const session = await ortEngine.load(oneOp("Neg", [float32([2])], "float32"), { threads: 1 });
    const view = tensor("float32", [2], Float32Array.of(9, 1, 2, 9).subarray(1, 3));
    expect([...((await session.run({ a: view }))["y"]!.data as Float32Array)]).toEqual([-1, -2]);
    const sharedView = tensor("float32", [2], shared.subarray(2) as unknown as Float32Array<ArrayBuffer>);
    expect([...((await session.run({ a: sharedView }))["y"]!.data as Float32Array)]).toEqual([-3, -4]);
    await session.close();
  });

  it("fetches only what is asked for", async () => {
    const b = new GraphBuilder();
    const x = b.input("x", "float32", ["n"]);
    b.output(b.neg(x), "float32", ["n"], "minus");
    b.output(b.add(x, x), "float32", ["n"], "twice");
    const session = await ortEngine.load(model(b.build()));
    expect(Object.keys(await session.run({ x: float32([1], [1]) }, ["twice"]))).toEqual(["twice"]);
    await expect(session.run({ x: float32([1], [1]) }, ["nothing"])).rejects.toMatchObject({ code: "ENGINE_FAILED" });
    await session.close();
  });

  it("says what failed, on one line and without control characters", async () => {
    await expect(ortEngine.load(oneOp("No\u001b[31mSuch\nOp", [float32([1])], "float32"))).rejects.toMatchObject({
      code: "ENGINE_FAILED",
      message: expect.not.stringMatching(/\p{Cc}/u),
    });
    const session = await ortEngine.load(oneOp("Neg", [float32([2])], "float32"));
    await expect(session.run({})).rejects.toMatchObject({
      code: "ENGINE_FAILED",
      message: expect.stringContaining("a"),
    });
    await expect(session.run({ a: float32([3]) })).rejects.toMatchObject({ code: "ENGINE_FAILED" });
    await expect(session.run({ a: tensor("int64", [2], BigInt64Array.of(1n, 2n)) })).rejects.toMatchObject({
      code: "ENGINE_FAILED",
    });
    const brain = tensor("bfloat16", [2], Uint16Array.of(1, 2));
    await expect(session.run({ a: brain })).rejects.toThrow(/bfloat16/);
    // Of an int4 result the binding would take the process down.
    const b = new GraphBuilder();
    b.output(b.op("Cast", [b.input("a", "float32", [2])], { to: int(22) }), "int4", [2], "y");
    const small = await ortEngine.load({ ...model(b.build()), irVersion: 10, opsets: { "": 21 } });
    await expect(small.run({ a: float32([2]) })).rejects.toThrow(/cannot exchange int4/);
    await small.close();
    await session.close();
  });

  it("gives the same numbers with one thread and two", async () => {
    const b = new GraphBuilder();
    const x = b.input("x", "float32", ["n", 64]);
    const w = b.constant(
      float32(
        [64, 64],
        Float32Array.from({ length: 4096 }, (_, i) => Math.sin(i)),
      ),
    );
    b.output(b.op("Gemm", [x, w], { transB: int(1) }), "float32", ["n", 64], "y");
    const data = float32(
      [32, 64],
      Float32Array.from({ length: 2048 }, (_, i) => Math.cos(i * 0.7)),
    );
    const answers: Float32Array[] = [];
    for (const threads of [1, 2]) {
      const session = await ortEngine.load(model(b.build()), { threads });
      answers.push((await session.run({ x: data }))["y"]!.data as Float32Array);
      await session.close();
    }
    for (const [i, v] of answers[0]!.entries()) expect(Math.abs(v - answers[1]![i]!)).toBeLessThan(1e-4);
  });
});
