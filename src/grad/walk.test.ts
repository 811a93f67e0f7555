import { describe, expect, test } from "vitest";
import { referenceEngine } from "../engine/index.ts";
import { GraphBuilder, int, ints, tensorInfo } from "../ir/index.ts";
import type { Model } from "../ir/index.ts";
import { float32, int64, type Tensor } from "../tensor/index.ts";
import { grad } from "./walk.ts";

function modelOf(build: (b: GraphBuilder) => string[]): Model {
  const b = new GraphBuilder();
  const outputs = build(b);
  const graph = b.build();
  return {
    irVersion: 9,
    opsets: { "": 20 },
    producer: "test",
    producerVersion: "",
    metadata: {},
    graph: { ...graph, outputs: outputs.map((name) => tensorInfo(name, null, null)) },
  };
}

async function run(model: Model, feeds: Record<string, Tensor>, name: string): Promise<number[]> {
  const session = await referenceEngine({ precision: "float64" }).load(model);
  return Array.from((await session.run(feeds, [name]))[name]!.data as Float64Array);
}

describe("grad", () => {
  test("a worked case: loss = Σ (W x + b)², by hand", async () => {
    const model = modelOf((b) => {
      const x = b.input("x", "float32", [2]);
      const w = b.constant(float32([2, 2], [1, 2, 3, 4]), "w");
      const y = b.add(b.matmul(w, x), b.constant(float32([2], [1, -1]), "bias"));
      return [b.op("ReduceSum", [b.mul(y, y)], { keepdims: int(0) })];
    });
    const g = grad(model, { of: model.graph.outputs[0]!.name, wrt: ["x", "w", "bias"] });
    const feeds = { x: float32([2], [1, 1]) };
    // y = [4, 6], dy = [8, 12]: dx = Wᵀ dy, dW = dy xᵀ, db = dy
    expect(await run(g.model, feeds, g.gradients.get("x")!)).toEqual([8 + 36, 16 + 48]);
    expect(await run(g.model, feeds, g.gradients.get("w")!)).toEqual([8, 8, 12, 12]);
    expect(await run(g.model, feeds, g.gradients.get("bias")!)).toEqual([8, 12]);
  });

  test("a value read by several nodes, and by one node twice, collects all parts", async () => {
    const model = modelOf((b) => {
      const x = b.input("x", "float32", [1]);
      return [b.add(b.mul(x, x), b.add(x, b.op("Exp", [x])))];
    });
    const g = grad(model, { of: model.graph.outputs[0]!.name, wrt: ["x"] });
    const [dx] = await run(g.model, { x: float32([1], [3]) }, g.gradients.get("x")!);
    expect(dx).toBeCloseTo(6 + 1 + Math.exp(3), 12);
  });

  test("where nothing flows the gradient is zeros of the right shape, and costs nothing inside", async () => {
    const model = modelOf((b) => {
      const x = b.input("x", "float32", [2]);
      b.input("unused", "float32", [3]);
      return [b.op("Exp", [x])];
    });
    const g = grad(model, { of: model.graph.outputs[0]!.name, wrt: ["x", "unused"] });
    const feeds = { x: float32([2], [0, 0]), unused: float32([3], [1, 2, 3]) };
    expect(await run(g.model, feeds, g.gradients.get("unused")!)).toEqual([0, 0, 0]);
  });

  test("integers and zero-by-nature operators stop the walk", async () => {
    const model = modelOf((b) => {
      const x = b.input("x", "float32", [2]);
      const rounded = b.op("Floor", [x]);
      const through = b.op("Cast", [b.op("Cast", [x], { to: int(7) })], { to: int(1) });
      return [b.add(b.add(rounded, through), x)];
    });
    const g = grad(model, { of: model.graph.outputs[0]!.name, wrt: ["x"] });
    expect(await run(g.model, { x: float32([2], [1.5, 2.5]) }, g.gradients.get("x")!)).toEqual([1, 1]);
  });

  test("inner values may be differentiated by", async () => {
    let inner = "";
    const model = modelOf((b) => {
      inner = b.op("Exp", [b.input("x", "float32", [1])]);
      return [b.mul(inner, inner)];
    });
    const g = grad(model, { of: model.graph.outputs[0]!.name, wrt: [inner] });
    const [d] = await run(g.model, { x: float32([1], [1]) }, g.gradients.get(inner)!);
    expect(d).toBeCloseTo(2 * Math.E, 12);
  });

  test("ReLU has slope 0 at 0", async () => {
    const model = modelOf((b) => [b.op("Relu", [b.input("x", "float32", [3])])]);
    const g = grad(model, { of: model.graph.outputs[0]!.name, wrt: ["x"] });
    expect(await run(g.model, { x: float32([3], [-1, 0, 1]) }, g.gradients.get("x")!)).toEqual([0, 0, 1]);
  });

  test.each([
    ["Max", [0.5, 0.5]],
    ["Min", [0.5, 0.5]],
  ] as const)("%s shares a tie equally", async (op, expected) => {
    const model = modelOf((b) => [b.op(op, [b.input("a", "float32", [1]), b.input("c", "float32", [1])])]);
    const g = grad(model, { of: model.graph.outputs[0]!.name, wrt: ["a", "c"] });
    const feeds = { a: float32([1], [2]), c: float32([1], [2]) };
    expect([
      ...(await run(g.model, feeds, g.gradients.get("a")!)),
      ...(await run(g.model, feeds, g.gradients.get("c")!)),
    ]).toEqual(expected);
  });

  test("the gradient of a window's maximum sums to the gradient of the output, ties or not", async () => {
    for (const strides of [2, 1]) {
      const model = modelOf((b) => [
        b.op("MaxPool", [b.input("x", "float32", [1, 1, 4, 4])], {
          kernel_shape: { type: "ints", value: [2n, 2n] },
          strides: { type: "ints", value: [BigInt(strides), BigInt(strides)] },
        }),
      ]);
      const g = grad(model, { of: model.graph.outputs[0]!.name, wrt: ["x"] });
      const dx = await run(g.model, { x: float32([1, 1, 4, 4]) }, g.gradients.get("x")!);
      expect(dx.reduce((a, v) => a + v, 0)).toBeCloseTo(strides === 2 ? 4 : 9, 12);
    }
  });

  test("a window of nothing but -∞ passes no gradient on, and no NaN", async () => {
    const model = modelOf((b) => [
      b.op("MaxPool", [b.input("x", "float32", [1, 1, 2, 4])], { kernel_shape: ints([2, 2]), strides: ints([2, 2]) }),
    ]);
    const g = grad(model, { of: model.graph.outputs[0]!.name, wrt: ["x"] });
    const x = float32([1, 1, 2, 4], [-Infinity, -Infinity, 1, 2, -Infinity, -Infinity, 3, -Infinity]);
    expect(await run(g.model, { x }, g.gradients.get("x")!)).toEqual([0, 0, 0, 0, 0, 0, 1, 0]);
  });

  test("an operator without a rule matters only on the path, and the message tells the path", () => {
    const model = modelOf((b) => {
      const x = b.input("x", "float32", [2, 2]);
      const y = b.op("BitCast", [b.op("Exp", [x])], {}, "odd");
      return [b.op("Exp", [y]), b.op("Exp", [x])];
    });
    const [through, beside] = model.graph.outputs.map((v) => v.name);
    expect(() => grad(model, { of: beside!, wrt: ["x"] })).not.toThrow();
    expect(() => grad(model, { of: through!, wrt: ["x"] })).toThrowError(
      /BitCast .*"odd".*x -> exp -> \[BitCast\] -> odd -> /,
    );
    expect(() => grad(model, { of: through!, wrt: ["x"] })).toThrowError(
      expect.objectContaining({ code: "GRAD_NO_RULE" }),
    );
  });

  test("names that are not there, integers, and empty requests are refused", () => {
    const model = modelOf((b) => {
      const i = b.input("i", "int64", [2]);
      return [b.op("Gather", [b.constant(float32([3], [1, 2, 3]), "table"), i])];
    });
    const of = model.graph.outputs[0]!.name;
    const refusal = expect.objectContaining({ code: "MODEL_INPUT" });
    expect(() => grad(model, { of, wrt: ["nobody"] })).toThrowError(refusal);
    expect(() => grad(model, { of: "__proto__", wrt: ["table"] })).toThrowError(refusal);
    expect(() => grad(model, { of, wrt: ["i"] })).toThrowError(refusal);
    expect(() => grad(model, { of, wrt: [] })).toThrowError(refusal);
  });

  test.each([
    ["steps along the second axis", [2, 1, 2], [2, 1, 2]],
    ["steps along the first axis", [1, 2, 2], [1, 2, 2]],
    ["rows of different shapes", [2, 1, 2], [1, 3, 2]],
    ["matrices", [2, 2], [3, 2]],
  ])("a weight used twice, on %s: the sum over both", async (_name, first, second) => {
    const model = modelOf((b) => {
      const w = b.constant(float32([2, 2], [1, 2, 3, 4]), "w");
      const all = [first, second].map((dims, i) => {
        const y = b.matmul(b.input(`x${i}`, "float32", dims), w);
        return b.op("ReduceSum", [b.mul(y, y)], { keepdims: int(0) });
      });
      return [b.add(all[0]!, all[1]!)];
    });
    const g = grad(model, { of: model.graph.outputs[0]!.name, wrt: ["w"] });
    const values = [first, second].map((dims, i) =>
      Array.from({ length: dims.reduce((p, d) => p * d, 1) }, (_, k) => k - 2 * i),
    );
    const feeds = { x0: float32(first, values[0]!), x1: float32(second, values[1]!) };
    // dW = 2 XᵀX W over the rows X of both
    const expected = [0, 0, 0, 0];
    for (const x of values) {
      for (let r = 0; r < x.length; r += 2) {
        const y = [x[r]! + 3 * x[r + 1]!, 2 * x[r]! + 4 * x[r + 1]!];
        for (const i of [0, 1]) for (const j of [0, 1]) expected[2 * i + j]! += 2 * x[r + i]! * y[j]!;
      }
    }
    expect(await run(g.model, feeds, g.gradients.get("w")!)).toEqual(expected);
  });

  test("an embedding's gradient adds up repeated rows", async () => {
    const model = modelOf((b) => [
      b.op("Gather", [b.constant(float32([3, 2], [1, 2, 3, 4, 5, 6]), "table"), b.input("i", "int64", ["n"])]),
    ]);
    const g = grad(model, { of: model.graph.outputs[0]!.name, wrt: ["table"] });
    expect(await run(g.model, { i: int64([4], [2, 0, 2, 2]) }, g.gradients.get("table")!)).toEqual([1, 1, 0, 0, 3, 3]);
  });

  test("the given model is left as it was, and its nodes stay in front", () => {
    const model = modelOf((b) => [b.op("Exp", [b.input("x", "float32", [2])])]);
    const before = structuredClone(model.graph.nodes);
    const g = grad(model, { of: model.graph.outputs[0]!.name, wrt: ["x"] });
    expect(model.graph.nodes).toEqual(before);
    expect(g.model.graph.nodes.slice(0, 1)).toEqual(before);
    expect(g.model.graph.outputs.map((v) => v.name)).toEqual([...model.graph.outputs.map((v) => v.name), "grad_x"]);
  });
});
