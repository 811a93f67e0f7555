import { afterAll, describe, expect, it } from "vitest";
import { modelOf } from "../../test/support/run-graph.ts";
import { GraphBuilder, int } from "../ir/index.ts";
import type { Model } from "../ir/index.ts";
import { float32, tensor } from "../tensor/index.ts";
import type { DType, Tensor } from "../tensor/index.ts";
import type { Session } from "./engine.ts";
import { ortEngine } from "./ort-node.ts";

const opened: Session[] = [];
afterAll(async () => {
  for (const session of opened) await session.close();
});
async function open(model: Model, threads: number, lanes = true): Promise<Session> {
  const session = await ortEngine.load(model, { threads, lanes });
  opened.push(session);
  return session;
}

/** x [n, 32] times a matrix, through a Softmax. */
function network(): Model {
  const b = new GraphBuilder();
  const w = float32(
    [32, 8],
    Float32Array.from({ length: 256 }, (_, i) => Math.sin(i)),
  );
  b.output(b.op("Softmax", [b.matmul(b.input("x", "float32", ["n", 32]), b.constant(w))]), "float32", ["n", 8], "y");
  return modelOf(b.build());
}
const rows = (n: number, seed: number): Tensor<"float32"> =>
  float32(
    [n, 32],
    Float32Array.from({ length: 32 * n }, (_, i) => Math.cos(i * 0.37 + seed)),
  );

describe("lanes", () => {
  it("answer several runs in their order and to the bit as one thread does", async () => {
    const alone = await open(network(), 1, false);
    const three = await open(network(), 3);
    expect([alone.lanes, three.lanes]).toEqual([1, 3]);
    for (const count of [0, 1, 2, 3, 7]) {
      const runs = Array.from({ length: count }, (_, i) => ({ feeds: { x: rows(1 + (i % 4), i) }, fetches: ["y"] }));
      const before = runs.map(({ feeds }) => feeds.x.data.slice());
      const answers = await three.runAll(runs);
      expect(answers).toEqual(await alone.runAll(runs));
      expect(answers).toHaveLength(count);
      expect(runs.map(({ feeds }) => feeds.x.data)).toEqual(before); // sent on, and still here
    }
  });

  it("take all their turns when asked twice at a time", async () => {
    const two = await open(network(), 2);
    const asked = [1, 2, 3].map((k) => Array.from({ length: 4 }, (_, i) => ({ feeds: { x: rows(2, 10 * k + i) } })));
    const together = await Promise.all(asked.map((runs) => two.runAll(runs)));
    for (const [k, runs] of asked.entries()) {
      for (const [i, { feeds }] of runs.entries()) expect(together[k]![i]).toEqual(await two.run(feeds));
    }
  });

  const values: [DType, Tensor][] = [
    ["float16", tensor("float16", [2], Uint16Array.of(0x3c00, 0xfbff))],
    ["int64", tensor("int64", [2], BigInt64Array.of(-(2n ** 63n), 5n))],
    ["bool", tensor("bool", [3], Uint8Array.of(1, 0, 1))],
    ["string", tensor("string", [2], ["a", "b"])],
    ["float32", float32([0, 3])],
    ["float32", tensor("float32", [2], new Float32Array(new SharedArrayBuffer(8)).fill(3))],
  ];
  it.each(values)("carry %s there and back", async (dtype, value) => {
    const b = new GraphBuilder();
    b.output(b.op("Identity", [b.input("x", dtype, value.dims)]), dtype, null, "y");
    const two = await open(modelOf(b.build()), 2);
    const run = { feeds: { x: value } }; // the same tensor twice
    const answers = await two.runAll([run, run, run, run]);
    expect(answers.map(({ y }) => [y!.dtype, [...y!.dims], [...y!.data]])).toEqual(
      Array.from({ length: 4 }, () => [dtype, [...value.dims], [...value.data]]),
    );
  });

  it("say what failed, wherever it ran, and go on", async () => {
    const two = await open(network(), 2);
    const good = { feeds: { x: rows(1, 0) } };
    const bad = { feeds: { x: float32([1, 5]) } };
    for (const runs of [
      [good, bad],
      [bad, good],
      [bad, bad],
    ]) {
      await expect(two.runAll(runs)).rejects.toMatchObject({
        code: "ENGINE_FAILED",
        message: expect.stringMatching(/failed while running the model: .*(32|5)/),
        details: { feeds: { x: "float32[1,5]" } },
      });
    }
    await expect(two.runAll([good, { ...good, fetches: ["z"] }])).rejects.toMatchObject({ code: "ENGINE_FAILED" });
    expect(await two.runAll([good, good])).toHaveLength(2);
    await two.close();
    await two.close();
    await expect(two.runAll([good, good])).rejects.toThrow(/after it was closed/);
  });

  it("share constants of any size, and threads beyond the eighth go into the operators", async () => {
    const b = new GraphBuilder();
    const large = float32([40_000], new Float32Array(40_000).fill(2));
    b.output(b.reduceSum(b.mul(b.input("x", "float32", [1]), b.constant(large)), [0], true), "float32", [1], "y");
    const many = await open(modelOf(b.build()), 20);
    expect(many.lanes).toBe(8);
    const answers = await many.runAll([1, 2, 3].map((v) => ({ feeds: { x: float32([1], [v]) } })));
    expect(answers.map(({ y }) => y!.data[0])).toEqual([80_000, 160_000, 240_000]);
  });

  it("may be given memory to write to", async () => {
    const b = new GraphBuilder();
    b.output(b.op("Cast", [b.input("x", "float32", [2])], { to: int(1) }), "float32", [2], "y");
    const two = await open(modelOf(b.build()), 2);
    const into = { y: float32([2]) };
    const runs = [1, 2].map((v) => ({ feeds: { x: float32([2], [v, v]) }, into }));
    expect((await two.runAll(runs)).map(({ y }) => [...y!.data])).toEqual([
      [1, 1],
      [2, 2],
    ]);
  });
});
