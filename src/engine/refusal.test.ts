import { afterAll, describe, expect, it } from "vitest";
import { modelOf } from "../../test/support/run-graph.ts";
import { encodeModel, GraphBuilder } from "../ir/index.ts";
import type { Graph, Model } from "../ir/index.ts";
import { float32, tensor, type Tensor } from "../tensor/index.ts";
import type { Session } from "./engine.ts";
import { ortEngine } from "./ort-node.ts";
import { isRefusal, withRefusal } from "./refusal.ts";

const opened: Session[] = [];
afterAll(async () => {
  for (const session of opened) await session.close();
});
async function open(model: Model, options: { places?: boolean; lanes?: boolean; threads?: number } = {}) {
  const session = await ortEngine.load(model, { threads: 1, places: true, ...options });
  opened.push(session);
  return session;
}

/** x [n] negated and doubled, under these names. */
function two(minus = "minus", opset = 18): Model {
  const b = new GraphBuilder();
  const x = b.input("x", "float32", ["n"]);
  b.output(b.op("Neg", [x], {}, minus), "float32", ["n"]);
  b.output(b.op("Add", [x, x], {}, "twice"), "float32", ["n"]);
  return modelOf(b.build(), opset);
}
/** So many numbers that a refusal takes less time than their copies; what matters stands in front. */
const N = 2 ** 15;
const long = (values: readonly number[]): Tensor<"float32"> =>
  float32(
    [N],
    Float32Array.from({ length: N }, (_, i) => values[i] ?? 0),
  );
const x = long([1, -2, 5]);
const fresh = (): Tensor<"float32"> => long([7, 7, 7]);
const [minus, twice] = [
  [-1, 2, -5],
  [2, -4, 10],
];
const numbers = (value: Tensor | undefined): number[] => Array.from((value!.data as Float32Array).subarray(0, 3));

describe("a session whose outputs all have places", () => {
  it("writes them there and gives the same tensors", async () => {
    const session = await open(two());
    expect(session.outputs).toEqual(["minus", "twice"]);
    const into = { twice: fresh(), minus: fresh() };
    for (const sign of [-1, 1]) {
      const out = await session.run({ x: long([sign, -2 * sign, 5 * sign]) }, undefined, into);
      expect(Object.keys(out).toSorted()).toEqual(["minus", "twice"]);
      for (const name of ["minus", "twice"] as const) {
        expect(out[name]!.data).toBe(into[name].data);
        expect(out[name]!.dims).toEqual([N]);
      }
      expect(numbers(into.minus)).toEqual(minus!.map((v) => v * sign));
      expect(numbers(into.twice)).toEqual(twice!.map((v) => v * sign));
    }
    const { minus: own } = into;
    const out = await session.run({ x }, ["minus"], { minus: own });
    expect([Object.keys(out), out["minus"]!.data === own.data]).toEqual([["minus"], true]);
  });

  // What all of this is for, and rests on: the order in which the binding writes, refuses and copies.
  it("allocates no copies of them", async () => {
    const n = 2 ** 20;
    const b = new GraphBuilder();
    b.output(b.op("Neg", [b.input("x", "float32", [n])], {}, "y"), "float32", [n]);
    const feeds = { x: float32([n], new Float32Array(n).fill(2)) };
    const allocated: number[] = [];
    for (const places of [false, true]) {
      const session = await open(modelOf(b.build()), { places });
      const into = { y: float32([n]) };
      await session.run(feeds, undefined, into);
      let [sum, last] = [0, process.memoryUsage().arrayBuffers];
      for (let i = 0; i < 20; i++) {
        await session.run(feeds, undefined, into);
        const now = process.memoryUsage().arrayBuffers;
        [sum, last] = [sum + Math.max(0, now - last), now]; // what is collected meanwhile does not count
      }
      expect(into.y.data.every((v) => v === -2)).toBe(true);
      allocated.push(sum / 20 / (4 * n));
    }
    expect(
      allocated[0],
      "without `places` the binding makes no copies any more: drop refusal.ts and SessionOptions.places",
    ).toBeGreaterThan(0.5);
    expect(
      allocated[1],
      "copies of outputs in spite of `places`: the binding no longer refuses a sequence before it copies " +
        "(refusal.ts), or says it in other words (isRefusal)",
    ).toBeLessThan(0.1);
  });

  it("refuses in the words that are looked for, with everything in its place", async () => {
    const { model, refused } = withRefusal(two())!;
    expect(model.graph.outputs.map(({ name }) => name)).toEqual([refused, "minus", "twice"]);
    const ort = (await import("onnxruntime-node")).default;
    const native = await ort.InferenceSession.create(encodeModel(model), { logSeverityLevel: 4 });
    const data = new Float32Array(N);
    const place = new ort.Tensor("float32", data, [N]);
    const run = native.run({ x: new ort.Tensor("float32", x.data, [N]) }, { minus: place, [refused]: null });
    const cause: unknown = await run.then(
      () => null,
      (error: unknown) => error,
    );
    expect(isRefusal(cause), `the binding said: ${String(cause)}`).toBe(true);
    expect([...data.subarray(0, 3)]).toEqual(minus);
    await native.release();
  });

  it("gives what has no place, or shared memory for one, like any other session", async () => {
    const session = await open(two());
    const shared = (): Tensor<"float32"> =>
      tensor("float32", [N], new Float32Array(new SharedArrayBuffer(4 * N)) as unknown as Float32Array<ArrayBuffer>);
    const places: Record<string, Tensor>[] = [{}, { minus: fresh() }, { twice: fresh() }];
    for (const into of [...places, { minus: shared(), twice: fresh() }]) {
      for (let i = 0; i < 2; i++) {
        const out = await session.run({ x }, undefined, into);
        expect(Object.keys(out).toSorted()).toEqual(["minus", "twice"]);
        expect([numbers(out["minus"]), numbers(out["twice"])]).toEqual([minus, twice]);
        if (into["twice"] !== undefined) expect(out["twice"]!.data).toBe(into["twice"].data);
      }
    }
    expect(await session.run({ x }, [], {})).toEqual({});
  });

  it("still says what failed, and goes on", async () => {
    const b = new GraphBuilder();
    const w = b.constant(float32([2, N], [...long([1, 2, 3]).data, ...long([4, 5, 6]).data]));
    b.output(b.op("MatMul", [b.input("x", "float32", ["n", "k"]), w], {}, "y"), "float32", ["n", N]);
    const session = await open(modelOf(b.build()));
    const into = { y: float32([1, N]) };
    const failed = { code: "ENGINE_FAILED", details: { feeds: { x: "float32[1,5]" } } };
    for (const places of [{}, into]) {
      const run = session.run({ x: float32([1, 5]) }, undefined, places);
      await expect(run).rejects.toMatchObject({ ...failed, message: expect.stringMatching(/MatMul.*dimension/) });
    }
    // A place of another shape is no place: nothing may be taken for written.
    await expect(session.run({ x: float32([2, 2]) }, undefined, into)).rejects.toMatchObject({ code: "ENGINE_FAILED" });
    await expect(session.run({ x }, ["z"], { z: fresh() })).rejects.toMatchObject({ code: "ENGINE_FAILED" });
    const out = await session.run({ x: float32([1, 2], [1, 10]) }, undefined, into);
    expect(numbers(into.y)).toEqual([41, 52, 63]);
    expect(out["y"]!.data).toBe(into.y.data);
  });

  it.each<[string, Model, string]>([
    ["a model without sequences", two("minus", 10), "minus"],
    ["a model with a value of the name", two("refused"), "refused"],
  ])("may be of %s", async (_, model, name) => {
    expect(withRefusal(model)?.refused ?? null).not.toBe(name);
    expect(withRefusal(model) === null).toBe(model.opsets[""] === 10);
    const session = await open(model);
    expect(session.outputs).toEqual([name, "twice"]);
    const into = { [name]: fresh(), twice: fresh() };
    const out = await session.run({ x }, undefined, into);
    for (const [key, values] of [
      [name, minus],
      ["twice", twice],
    ] as const) {
      expect(numbers(out[key])).toEqual(values);
      expect(out[key]!.data).toBe(into[key]!.data);
    }
  });

  it("may be of a model with a value of the name in a branch", async () => {
    const branch = (op: string): Graph => {
      const inner = new GraphBuilder();
      inner.output(inner.op("Abs", [inner.op(op, ["x"], {}, "refused")], {}, "inner"), "float32", [N]);
      return inner.build();
    };
    const b = new GraphBuilder();
    b.input("x", "float32", [N]);
    const flag = b.input("flag", "bool", []);
    const attributes = {
      then_branch: { type: "graph", value: branch("Neg") },
      else_branch: { type: "graph", value: branch("Floor") },
    } as const;
    b.output(b.op("If", [flag], attributes, "y"), "float32", [N]);
    const session = await open(modelOf(b.build()));
    const into = { y: fresh() };
    await session.run({ x, flag: tensor("bool", [], Uint8Array.of(1)) }, undefined, into);
    expect(numbers(into.y)).toEqual([1, 2, 5]);
  });

  it("may have lanes: a place in this thread is written, and all answers are right", async () => {
    const session = await open(two(), { threads: 2, lanes: true });
    expect([session.lanes, session.outputs]).toEqual([2, ["minus", "twice"]]);
    const runs = [1, 2, 3].map((k) => ({
      feeds: { x: long([k, -k, 2 * k]) },
      into: { minus: fresh(), twice: fresh() },
    }));
    for (let i = 0; i < 2; i++) {
      const answers = await session.runAll(runs);
      answers.forEach((out, k) => {
        expect(Object.keys(out).toSorted()).toEqual(["minus", "twice"]);
        expect(numbers(out["minus"])).toEqual([-k - 1, k + 1, -2 * k - 2]);
        expect(numbers(out["twice"])).toEqual([2 * k + 2, -2 * k - 2, 4 * k + 4]);
      });
      for (const k of [0, 2]) expect(answers[k]!["minus"]!.data).toBe(runs[k]!.into.minus.data);
    }
    const bad = { feeds: { y: x }, into: runs[0]!.into };
    for (const some of [
      [runs[0]!, bad as never],
      [bad as never, runs[0]!],
    ]) {
      await expect(session.runAll(some)).rejects.toMatchObject({ code: "ENGINE_FAILED" });
    }
    expect(await session.runAll(runs)).toHaveLength(3);
  });
});
