import { describe, expect, it } from "vitest";
import { runGraph } from "../../test/support/run-graph.ts";
import { GraphBuilder, int, ints, tensorAttribute } from "../ir/index.ts";
import type { Attribute, Graph, Node } from "../ir/index.ts";
import { float32, int64, tensor } from "../tensor/index.ts";
import { foldNormalization } from "./fold-normalization.ts";
import { prune } from "./prune.ts";
import { sigmoidToTwo } from "./sigmoid-to-two.ts";
import { stripOutput } from "./strip-output.ts";
import { symbolicBatch } from "./symbolic-batch.ts";
import { tapFeatures } from "./tap-features.ts";
import { halfToNumber, hasFloat16, widenFloat16 } from "./widen-float16.ts";

const node = (op: string, inputs: string[], outputs: string[], attributes: Record<string, Attribute> = {}): Node => ({
  op,
  domain: "",
  name: outputs[0]!,
  inputs,
  outputs,
  attributes,
});

describe("prune", () => {
  it("drops what the outputs do not need, and keeps what a branch captures", () => {
    const b = new GraphBuilder();
    const x = b.input("x", "float32", ["n"]);
    const unused = b.input("unused", "float32", ["n"]);
    const flag = b.input("flag", "bool", []);
    const captured = b.op("Neg", [x], {}, "captured");
    b.op("Abs", [unused], {}, "dead");
    b.constant(float32([20]), "dead_constant");
    const branch: Graph = {
      name: "branch",
      inputs: [],
      outputs: [{ name: "inner", dtype: "float32", dims: null, kind: "tensor" }],
      nodes: [node("Identity", [captured], ["inner"])],
      constants: new Map(),
      values: new Map(),
    };
    b.append(
      node("If", [flag], ["y"], {
        then_branch: { type: "graph", value: branch },
        else_branch: { type: "graph", value: branch },
      }),
    );
    b.output("y", "float32", ["n"]);
    const graph = prune(b.build(), undefined, { dropInputs: true });
    expect(graph.nodes.map((n) => n.op)).toEqual(["Neg", "If"]);
    expect(graph.inputs.map((i) => i.name)).toEqual(["x", "flag"]);
    expect(graph.constants.size).toBe(0);
    expect(prune(b.build()).inputs).toHaveLength(3);
    expect(prune(b.build(), ["captured"]).nodes.map((n) => n.op)).toEqual(["Neg"]);
    expect(() => prune(b.build(), ["nothing"])).toThrow(/no value named "nothing".*outputs are y/);
  });
});

describe("stripOutput", () => {
  const x = float32([2, 3], [0.5, -1, 2, 3, 3, -2]);
  const make = (end: (b: GraphBuilder, z: string) => string): { graph: Graph; output: string } => {
    const b = new GraphBuilder();
    const z = b.op("Mul", [b.input("x", "float32", ["n", 3]), b.scalar(2)], {}, "z");
    const output = b.output(end(b, z), "float32", null);
    return { graph: b.build(), output };
  };
  const dims = () => ["n", 3] as const;
  const logits = [...x.data].map((v) => 2 * v);
  const run = async (graph: Graph, scores: string): Promise<number[]> =>
    (await runGraph(prune(graph, [scores]), { x }))[scores]!.data;

  it("cuts Softmax behind Reshape, Cast and Identity", async () => {
    const { graph, output } = make((b, z) => {
      const p = b.op("Softmax", [z], { axis: int(-1) });
      return b.op("Identity", [b.op("Cast", [b.reshape(p, [-1, 3, 1])], { to: int(1) })]);
    });
    const got = stripOutput(graph, output, dims);
    expect(got.kind).toBe("logits");
    expect(got.cut).toEqual(["Softmax"]);
    expect(await run(got.graph, got.scores)).toEqual(logits);
  });

  it("cuts Sigmoid, passes by ZipMap and ArgMax, keeps LogSoftmax and plain logits", async () => {
    const sigmoid = make((b, z) => b.op("Sigmoid", [z]));
    expect(stripOutput(sigmoid.graph, sigmoid.output)).toMatchObject({ kind: "sigmoid-logits", cut: ["Sigmoid"] });
    const argmax = make((b, z) => b.op("ArgMax", [b.op("Softmax", [z])], { axis: int(1), keepdims: int(0) }));
    const cut = stripOutput(argmax.graph, argmax.output, dims);
    expect(cut).toMatchObject({ kind: "logits", cut: ["ArgMax", "Softmax"] });
    expect(await run(cut.graph, cut.scores)).toEqual(logits);
    const zip = make((b, z) => {
      b.append({ ...node("ZipMap", [b.op("Softmax", [z], {}, "p")], ["maps"]), domain: "ai.onnx.ml" });
      return "maps";
    });
    expect(stripOutput(zip.graph, zip.output, dims)).toMatchObject({ cut: ["ZipMap", "Softmax"], scores: "p" });
    const log = make((b, z) => b.op("LogSoftmax", [z], { axis: int(1) }));
    expect(stripOutput(log.graph, log.output, dims)).toMatchObject({
      kind: "log-probabilities",
      cut: [],
      graph: log.graph,
    });
    const none = make((b, z) => b.op("Relu", [z]));
    expect(stripOutput(none.graph, none.output, dims)).toMatchObject({ kind: "logits", cut: [], graph: none.graph });
  });

  it("leaves a Softmax alone that runs over something else, or that others read", () => {
    const overRows = make((b, z) => b.op("Softmax", [z], { axis: int(0) }));
    expect(stripOutput(overRows.graph, overRows.output, dims).cut).toEqual([]);
    const positions = make((b, z) => b.op("Softmax", [b.reshape(z, [-1, 3, 1, 1])], { axis: int(1) }));
    expect(stripOutput(positions.graph, positions.output, () => ["n", 3, 4, 4]).cut).toEqual([]);
    // Before opset 13 axis 1 meant everything behind it, so there this is one Softmax over 48 numbers.
    expect(stripOutput(positions.graph, positions.output, () => ["n", 3, 4, 4], 11).cut).toEqual(["Softmax"]);
  });
});

describe("foldNormalization", () => {
  it("normalizes channels on axis 1, on the last axis, and everything", async () => {
    for (const [dims, channel] of [
      [[2, 3, 2, 2], (i: number) => Math.floor(i / 4) % 3],
      [[2, 2, 2, 3], (i: number) => i % 3],
    ] as const) {
      const b = new GraphBuilder();
      b.output(b.op("Identity", [b.input("x", "float32", ["n", ...dims.slice(1)])]), "float32", null, "y");
      const mean = [0.1, 0.2, 0.3];
      const sd = [1, 2, 4];
      const { graph, input } = foldNormalization(b.build(), "x", { mean, sd });
      const x = float32(
        dims,
        Float32Array.from({ length: 24 }, (_, i) => i / 10),
      );
      const { y } = await runGraph(graph, { [input]: x });
      for (const [i, v] of y!.data.entries()) {
        expect(v).toBeCloseTo((x.data[i]! - mean[channel(i)]!) / sd[channel(i)]!, 6);
      }
    }
    const b = new GraphBuilder();
    b.output(b.input("x", "float64", ["n", 2]), "float64", null, "y");
    const { graph, input } = foldNormalization(b.build(), "x", { mean: [1], sd: [2] });
    expect((await runGraph(graph, { [input]: float32([1, 2], [3, 5]) }))["y"]!.data).toEqual([1, 2]);
  });

  it("refuses numbers that do not fit", () => {
    const b = new GraphBuilder();
    b.output(b.input("x", "float32", ["n", 3, 8, 8]), "float32", null, "y");
    const graph = b.build();
    const fold = (mean: number[], sd: number[]) => () => foldNormalization(graph, "x", { mean, sd });
    expect(fold([1, 2], [1, 1])).toThrow(/2 numbers.*\[n, 3, 8, 8\]/);
    expect(fold([1, 2, 3], [1, 1])).toThrow(/mean has 3 numbers and sd has 2/);
    expect(fold([0], [0])).toThrow(/positive/);
    expect(fold([NaN], [1])).toThrow(/finite/);
    expect(fold([], [1])).toThrow(/empty/);
  });
});

describe("symbolicBatch", () => {
  const build = (middle: (b: GraphBuilder, x: string) => string): Graph => {
    const b = new GraphBuilder();
    b.output(middle(b, b.input("x", "float32", [1, 2, 2])), "float32", [1, 4]);
    return b.build();
  };
  const dimsOf = (name: string) => (name === "x" ? [1, 2, 2] : null);

  it("opens Reshape and Expand targets that repeat the batch size, not those of weights", async () => {
    const graph = build((b, x) => {
      const w = b.op("Reshape", [b.constant(float32([4, 2], [1, 2, 3, 4, 5, 6, 7, 8])), b.indices([1, 8])], {}, "w");
      const flat = b.reshape(x, [1, 4]);
      return b.op("Gemm", [flat, b.reshape(w, [4, 2])]);
    });
    const { graph: open, refused, fixedAt, changed } = symbolicBatch(graph, "x", dimsOf);
    expect(refused).toBeNull();
    expect(fixedAt).toBe(1);
    expect(changed).toHaveLength(1);
    expect(open.inputs[0]!.dims).toEqual(["batch", 2, 2]);
    expect(open.outputs[0]!.dims![0]).toBe("batch");
    const name = open.outputs[0]!.name;
    const one = (v: number[]) => float32([v.length / 4, 2, 2], v);
    const both = (await runGraph(open, { x: one([1, 2, 3, 4, 5, 6, 7, 8]) }))[name]!.data;
    const first = (await runGraph(graph, { x: one([1, 2, 3, 4]) }))[name]!.data;
    const second = (await runGraph(graph, { x: one([5, 6, 7, 8]) }))[name]!.data;
    expect(both).toEqual([...first, ...second]);
  });

  it("keeps what is open already", () => {
    const b = new GraphBuilder();
    b.output(b.input("x", "float32", ["n", 4]), "float32", null, "y");
    const graph = b.build();
    expect(symbolicBatch(graph, "x", () => null)).toMatchObject({ graph, fixedAt: null, refused: null });
  });

  const refusals: [string, (b: GraphBuilder, x: string) => string, RegExp][] = [
    ["a Reshape that flattens the batch", (b, x) => b.reshape(x, [4]), /Reshape.*\[4\]/],
    ["a Reshape that lets -1 swallow it", (b, x) => b.reshape(x, [-1, 2]), /Reshape.*\[-1, 2\]/],
    ["a Squeeze of axis 0", (b, x) => b.squeeze(x, [0]), /removes the batch axis/],
    ["a Squeeze of all axes", (b, x) => b.op("Squeeze", [x]), /removes the batch axis/],
    ["Flatten on axis 0", (b, x) => b.op("Flatten", [x], { axis: int(0) }), /flattens/],
    [
      "an LSTM with a constant state",
      (b, x) =>
        b.opN(
          "LSTM",
          [x, b.constant(float32([1, 4, 2])), b.constant(float32([1, 4, 1])), "", "", b.constant(float32([1, 2, 1]))],
          1,
        )[0]!,
      /initial state/,
    ],
  ];
  it.each(refusals)("refuses %s", (_, middle, reason) => {
    const graph = build(middle);
    const got = symbolicBatch(graph, "x", dimsOf);
    expect(got.refused).toMatch(reason);
    expect(got.graph).toBe(graph);
  });
});

describe("tapFeatures", () => {
  it("takes what feeds the last linear layer", async () => {
    const b = new GraphBuilder();
    const x = b.input("x", "float32", ["n", 2]);
    const hidden = b.op("Relu", [b.matmul(x, b.constant(float32([2, 2], [1, 0, 0, -1])))], {}, "hidden");
    const scores = b.output(b.op("Gemm", [hidden, b.constant(float32([2, 3]))]), "float32", ["n", 3]);
    const got = tapFeatures(b.build(), { input: x, scores });
    expect(got.source).toBe(hidden);
    const out = await runGraph(got.graph, { x: float32([2, 2], [1, 2, -3, -4]) });
    expect(out[got.features]).toEqual({ dims: [2, 2], data: [1, 0, 0, 4] });
    expect(tapFeatures(b.build(), { input: x, scores, named: "x" }).source).toBe("x");
    expect(() => tapFeatures(b.build(), { input: x, scores, named: "nope" })).toThrow(/"nope"/);
  });

  it("pools what feeds a 1 x 1 convolution before global pooling", async () => {
    const b = new GraphBuilder();
    const x = b.input("x", "float32", ["n", 2, 2, 2]);
    const conv = b.op("Conv", [x, b.constant(float32([3, 2, 1, 1]))], { kernel_shape: ints([1, 1]) });
    const scores = b.output(b.op("GlobalAveragePool", [conv]), "float32", null);
    const got = tapFeatures(b.build(), { input: x, scores });
    const out = await runGraph(got.graph, { x: float32([1, 2, 2, 2], [1, 2, 3, 4, 5, 5, 5, 5]) });
    expect(out[got.features]).toEqual({ dims: [1, 2], data: [2.5, 5] });
  });

  it("refuses a graph without a linear layer", () => {
    const b = new GraphBuilder();
    const x = b.input("x", "float32", ["n", 2]);
    const scores = b.output(b.op("Relu", [x]), "float32", null);
    expect(() => tapFeatures(b.build(), { input: x, scores })).toThrow(/no linear layer/);
  });
});

describe("sigmoidToTwo", () => {
  it.each([[[3, 1]], [[3]]])("makes [0, l] of shape %j", async (dims) => {
    const b = new GraphBuilder();
    const two = sigmoidToTwo({ ...b.build(), inputs: [{ name: "l", dtype: "float32", dims, kind: "tensor" }] }, "l");
    const out = new GraphBuilder(two.graph);
    out.output(two.scores, "float32", null);
    const got = await runGraph(out.build(), { l: float32(dims, [-1, 0.5, 3]) });
    expect(got[two.scores]!.dims).toEqual([3, 2]);
    expect(got[two.scores]!.data.map((v) => v + 0)).toEqual([0, -1, 0, 0.5, 0, 3]);
  });
});

describe("widenFloat16", () => {
  it("reads every half-precision number exactly", () => {
    expect([0x3c00, 0xc000, 0x7bff, 0x0001, 0x0400, 0x3555].map(halfToNumber)).toEqual([
      1,
      -2,
      65504,
      2 ** -24,
      2 ** -14,
      1365 * 2 ** -12,
    ]);
    expect(halfToNumber(0x7c00)).toBe(Infinity);
    expect(halfToNumber(0xfc00)).toBe(-Infinity);
    expect(halfToNumber(0x7e00)).toBeNaN();
    expect(Object.is(halfToNumber(0x8000), -0)).toBe(true);
  });

  it("widens inputs, constants, Constant nodes and casts", async () => {
    const b = new GraphBuilder();
    const x = b.input("x", "float16", ["n", 2]);
    const w = b.constant(tensor("float16", [2], Uint16Array.of(0x3c00, 0xc000)), "w");
    b.append(node("Constant", [], ["c"], { value: tensorAttribute(tensor("float16", [1], Uint16Array.of(0x4200))) }));
    const cast = b.op("Cast", [b.constant(int64([1], [2]), "two")], { to: int(10) });
    b.output(b.add(b.mul(b.mul(x, w), "c"), cast), "float16", ["n", 2], "y");
    const graph = b.build();
    expect(hasFloat16(graph)).toBe(true);
    const wide = widenFloat16(graph);
    expect(hasFloat16(wide)).toBe(false);
    expect((await runGraph(wide, { x: float32([1, 2], [0.5, 100]) }))["y"]!.data).toEqual([3.5, -598]);
  });
});
