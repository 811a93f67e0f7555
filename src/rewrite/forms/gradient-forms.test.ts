import { describe, expect, it } from "vitest";
import { modelOf, runGraph } from "../../../test/support/run-graph.ts";
import { grad } from "../../grad/index.ts";
import { GraphBuilder, ints } from "../../ir/index.ts";
import type { Graph } from "../../ir/index.ts";
import { seeded } from "../../random/index.ts";
import { float32, sizeOf, tensor } from "../../tensor/index.ts";
import { shapesOf } from "../../target/shapes.ts";
import { attachLoss } from "../attach-loss.ts";
import { channelBlocks } from "./channel-blocks.ts";
import { poolBeforeRelu } from "./pool-before-relu.ts";
import { shareWeights } from "./share-weights.ts";

const random = (label: string, dims: readonly number[]) => {
  const data = new Float32Array(sizeOf(dims));
  seeded(11).child(label).fillNormal(data, 0, 1);
  return float32(dims, data);
};

const opsOf = (graph: Graph): string[] => graph.nodes.map((node) => node.op);

/** Gradient of the sum of the only output by the input x. */
async function gradientOf(graph: Graph, x: ReturnType<typeof random>): Promise<number[]> {
  const { model, gradients } = grad(modelOf(graph), { of: graph.outputs[0]!.name, wrt: ["x"] });
  return (await runGraph(model.graph, { x }))[gradients.get("x")!]!.data;
}

describe("poolBeforeRelu", () => {
  const pooled = (alsoRead: boolean): Graph => {
    const b = new GraphBuilder();
    const relu = b.op("Relu", [b.input("x", "float32", ["n", 3, 7, 7])]);
    const y = b.op("MaxPool", [relu], { kernel_shape: ints([3, 3]), strides: ints([2, 2]), pads: ints([1, 1, 1, 1]) });
    b.output(alsoRead ? b.add(y, b.op("ReduceMax", [relu])) : y, "float32", null);
    return b.build();
  };

  it("gives the same values and gradients", async () => {
    const x = random("pool", [2, 3, 7, 7]);
    const before = pooled(false);
    const after = poolBeforeRelu(before);
    expect(opsOf(after)).toEqual(["MaxPool", "Relu"]);
    const y = before.outputs[0]!.name;
    expect((await runGraph(after, { x }))[y]).toEqual((await runGraph(before, { x }))[y]);
    expect(await gradientOf(after, x)).toEqual(await gradientOf(before, x));
  });

  it("leaves a Relu that something else reads", () => {
    const graph = pooled(true);
    expect(poolBeforeRelu(graph)).toBe(graph);
  });
});

describe("channelBlocks", () => {
  const [n, channels, size] = [2, 16, 4];
  const dims = [n, channels, size, size];
  /** The gradient of a pooling between two convolutions. */
  const gradient = () => {
    const b = new GraphBuilder();
    const conv = (v: string, label: string): string =>
      b.op("Conv", [v, b.constant(random(label, [channels, channels, 3, 3]))], { pads: ints([1, 1, 1, 1]) });
    const relu = b.op("Relu", [conv(b.input("x", "float32", dims), "first")]);
    const pooled = b.op("MaxPool", [relu], { kernel_shape: ints([2, 2]), strides: ints([2, 2]) });
    b.output(conv(pooled, "second"), "float32", null);
    const { model, gradients } = grad(modelOf(poolBeforeRelu(b.build())), {
      of: b.build().outputs[0]!.name,
      wrt: ["x"],
    });
    return { model, name: gradients.get("x")! };
  };

  it("gives the same values, ties and a window of nothing but zeros included", async () => {
    const { model, name } = gradient();
    const after = channelBlocks(model.graph, shapesOf(model), channels);
    const groups = after.nodes.filter((node) => node.op === "Conv" && node.attributes["group"] !== undefined);
    expect(groups.length).toBeGreaterThanOrEqual(3);
    const x = random("x", dims);
    x.data.fill(0, 0, channels * size * size); // the first example: every window is a tie
    const [want, got] = [await runGraph(model.graph, { x }), await runGraph(after, { x })];
    expect(got[name]!.dims).toEqual(dims);
    for (const [i, v] of want[name]!.data.entries()) expect(got[name]!.data[i]).toBeCloseTo(v, 5);
    expect(want[name]!.data.some((v) => Math.abs(v) > 0.1)).toBe(true);
  });

  it("leaves graphs of open sizes, of other numbers of channels and without pooling", () => {
    const { model } = gradient();
    expect(channelBlocks(model.graph, shapesOf(model), 32)).toBe(model.graph);
    const open = model.graph.inputs.map((v) => ({ ...v, dims: ["n", ...dims.slice(1)] }));
    const symbolic = { ...model, graph: { ...model.graph, inputs: open, values: new Map() } };
    expect(channelBlocks(symbolic.graph, shapesOf(symbolic), channels)).toBe(symbolic.graph);
    const relu = new GraphBuilder();
    relu.output(relu.op("Relu", [relu.input("x", "float32", dims)]), "float32", null);
    const plain = grad(modelOf(relu.build()), { of: relu.build().outputs[0]!.name, wrt: ["x"] }).model;
    expect(channelBlocks(plain.graph, shapesOf(plain), channels)).toBe(plain.graph);
  });
});

describe("shareWeights", () => {
  it("writes A·Wᵀ as the transpose of W·Aᵀ, for constants only", async () => {
    const b = new GraphBuilder();
    const x = b.input("x", "float32", [4, "n", 5]);
    const turn = (value: string): string => b.transpose(value, [0, 2, 1]);
    const weights = b.constant(random("w", [4, 3, 5]), "w");
    b.output(b.matmul(x, turn(b.op("Neg", [weights]))), "float32", null, "fixed");
    b.output(b.matmul(x, turn(x)), "float32", null, "own");
    const before = b.build();
    const after = shareWeights(before);
    expect(opsOf(after).filter((op) => op === "Transpose")).toHaveLength(4);
    const feeds = { x: random("x", [4, 6, 5]) };
    const [want, got] = [await runGraph(before, feeds), await runGraph(after, feeds)];
    for (const name of ["fixed", "own"]) {
      expect(got[name]!.dims).toEqual(want[name]!.dims);
      for (const [i, v] of want[name]!.data.entries()) expect(got[name]!.data[i]).toBeCloseTo(v, 5);
    }
  });
});

describe("the slope of a loss", () => {
  for (const [kind, targeted, classes] of [
    ["cross-entropy", false, 5],
    ["cross-entropy", true, 5],
    ["cross-entropy", false, 2],
    ["cross-entropy", true, 2],
    ["margin", false, 5],
    ["margin", true, 5],
    ["margin", false, 2],
    ["margin", true, 2],
  ] as const) {
    it(`${kind}, targeted ${targeted}, ${classes} classes: equals the differentiated loss`, async () => {
      const b = new GraphBuilder();
      const x = b.input("x", "float32", ["n", classes]);
      const { graph, names } = attachLoss(b.build(), { scores: x, classes, kind, targeted });
      const { model, gradients } = grad(modelOf(graph), { of: names.total, wrt: ["x"] });
      const whole = { ...model.graph, outputs: [...model.graph.outputs] };
      whole.outputs.push({ name: names.slope!, dtype: "float32", dims: null, kind: "tensor" });
      const z = random("scores", [9, classes]);
      z.data.set([0, 0, 0, 0, 0].slice(0, classes), 0); // no difference at all: the kink of the formula
      z.data.set([30, -30, 0, 0, 0].slice(0, classes), classes);
      z.data.set([-30, 30, 30, 0, 0].slice(0, classes), 2 * classes); // equal rivals share
      const index = tensor(
        "int32",
        [9],
        Int32Array.from([0, 0, 0, 1, 2, 3, 4, 0, 1], (v) => v % classes),
      );
      const out = await runGraph(whole, { x: z, [(names.labels ?? names.targets)!]: index });
      const want = out[gradients.get("x")!]!.data;
      for (const [i, v] of want.entries()) {
        expect(Math.abs(out[names.slope!]!.data[i]! - v)).toBeLessThan(1e-6 + 1e-5 * Math.abs(v));
      }
      expect(want.some((v) => Math.abs(v) > 0.1)).toBe(true);
    });
  }
});
