import { describe, expect, test } from "vitest";
import { ortEngine } from "../engine/index.ts";
import { GraphBuilder, int, type Graph, type Model } from "../ir/index.ts";
import { float32 } from "../tensor/index.ts";
import { inspectRunning, openOnnxTarget } from "./index.ts";

const modelOf = (graph: Graph, opset = 18): Model => ({
  irVersion: 8,
  opsets: { "": opset },
  producer: "",
  producerVersion: "",
  metadata: {},
  graph,
});

/** A model by the operators between an input `x` and its scores. */
function made(emit: (b: GraphBuilder) => string, opset?: number): Model {
  const b = new GraphBuilder();
  b.output(emit(b), "float32", null, "scores");
  return modelOf(b.build(), opset);
}
const input = (b: GraphBuilder): string => b.input("x", "float32", ["n", 3]);
const weights = (b: GraphBuilder, bad = 0.5): string => b.constant(float32([3, 2], [1, 2, 3, 4, bad, 6]), "w");

interface Case {
  readonly model: Model;
  readonly attacks: "with gradients" | "scores only" | "none";
  readonly says: RegExp;
}
const cases: Record<string, Case> = {
  "NaN weights": {
    model: made((b) => b.matmul(input(b), weights(b, NaN))),
    attacks: "none",
    says: /hold NaN.*"w" \(1 of 6\).*export the model again/,
  },
  "an unknown operator": {
    model: made((b) => b.op("Frobnicate", [b.matmul(input(b), weights(b))])),
    attacks: "none",
    says: /ONNX Runtime refused the model.*Frobnicate.*no attack can run/,
  },
  "an opset that is still to come": {
    model: made((b) => b.matmul(input(b), weights(b)), 99),
    attacks: "none",
    says: /opset 99; expected at most 26/,
  },
  "an operator without a gradient": {
    model: made((b) => b.matmul(b.op("BitCast", [input(b)], { to: int(1) }), weights(b)), 26),
    attacks: "scores only",
    says: /BitCast \(node "bitcast"\) has no gradient \(reads the bits.*x -> \[BitCast\] -> bitcast -> .*; use an attack that needs no gradient/,
  },
  "integer inputs": {
    model: made((b) => b.op("Cast", [b.input("ids", "int64", ["n", 3])], { to: int(1) })),
    attacks: "none",
    says: /no tensor of float numbers.*ids int64/,
  },
  "text inputs": {
    model: made((b) => b.op("StringConcat", [b.input("t", "string", ["n"]), "t"]), 20),
    attacks: "none",
    says: /no tensor of float numbers.*t string/,
  },
  "two inputs": {
    model: made((b) => b.add(input(b), b.input("y", "float32", ["n", 3]))),
    attacks: "none",
    says: /2 tensors of float numbers.*x float32\[n, 3\], y float32\[n, 3\].*--input NAME/,
  },
  "a regression": {
    model: made((b) => b.matmul(input(b), b.constant(float32([3, 1], [1, 2, 3])))),
    attacks: "none",
    says: /one number for each example.*regression.*--output NAME/,
  },
  "open sizes": {
    model: made((b) => b.op("Relu", [b.input("x", "float32", ["n", "w"])])),
    attacks: "none",
    says: /some sizes are open; give the shape of one example, as in --shape/,
  },
};

describe("bad input: what is wrong with which node or value, and what still works", () => {
  test.each(Object.entries(cases))("%s", async (_, { model, attacks, says }) => {
    const i = await inspectRunning(model, ortEngine);
    expect(i.attacks).toBe(attacks);
    expect([i.gradient.reason, ...i.problems].join("\n")).toMatch(says);
  });

  test("without a gradient, attacks that need none still run", async () => {
    const b = new GraphBuilder();
    const x = input(b);
    const scores = b.matmul(b.op("BitCast", [x], { to: int(1) }), weights(b));
    b.output(scores, "float32", ["n", 2]);
    const target = await openOnnxTarget(modelOf(b.build(), 26), { engine: ortEngine, bounds: { low: 0, high: 1 } });
    expect(Array.from(await target.scores(float32([1, 3], [1, 0, 0])))).toEqual([1, 2]);
    expect(target.noGradientReason).toMatch(/BitCast/);
    const asked = target.gradient(float32([1, 3]), Int32Array.of(0), { kind: "margin" });
    await expect(asked).rejects.toThrow(/offers no gradient.*take an attack that needs scores or labels only/);
    await target.close();
  });

  test("a batch of no examples, in the file and at run time", async () => {
    const b = new GraphBuilder();
    b.output(b.matmul(b.input("x", "float32", [0, 3]), weights(b)), "float32", [0, 2]);
    const target = await openOnnxTarget(modelOf(b.build()), { engine: ortEngine, bounds: { low: 0, high: 1 } });
    expect(await target.scores(float32([0, 3]))).toHaveLength(0);
    expect(await target.scores(float32([2, 3]))).toHaveLength(4);
    await target.close();
  });
});
