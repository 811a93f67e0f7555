import { afterAll, describe, expect, it } from "vitest";
import { modelOf } from "../../test/support/run-graph.ts";
import { ortEngine } from "../engine/index.ts";
import { GraphBuilder, int, ints, string } from "../ir/index.ts";
import type { Attribute, Graph, Model, Node } from "../ir/index.ts";
import { seeded } from "../random/index.ts";
import { float32, sizeOf } from "../tensor/index.ts";
import type { Tensor } from "../tensor/index.ts";
import { narrow, withBudget } from "./narrow.ts";
import { openOnnxTarget } from "./onnx.ts";
import type { OnnxTarget, OnnxTargetOptions } from "./onnx.ts";
import type { LossSpec } from "./target.ts";

const names = (v: readonly string[]): Attribute => ({
  type: "strings",
  value: v.map((s) => new TextEncoder().encode(s)),
});
const bounds = { low: 0, high: 1 };
const opened: OnnxTarget[] = [];
afterAll(async () => {
  for (const target of opened) await target.close();
});

async function open(file: Model, options: Partial<OnnxTargetOptions> = {}): Promise<OnnxTarget> {
  const target = await openOnnxTarget(file, { engine: ortEngine, bounds, threads: 1, ...options });
  opened.push(target);
  return target;
}

const rng = seeded(3);
const random = (path: string, dims: readonly number[], scale = 1): Tensor<"float32"> => {
  const data = new Float32Array(sizeOf(dims));
  rng.child(path).fillNormal(data, 0, scale);
  return float32(dims, data);
};
const inputs = (n: number, shape: readonly number[]): Tensor<"float32"> => {
  const data = new Float32Array(n * sizeOf(shape));
  rng.child("inputs").fillUniform(data, 0, 1);
  return float32([n, ...shape], data);
};

const W1 = random("w1", [6, 8]);
const W2 = random("w2", [8, 4]);

/** Softplus network 6 - 8 - 4, behind any input shape of 6 numbers. */
function network(shape: readonly number[], batch: string | number, end = "Softmax"): Model {
  const b = new GraphBuilder();
  const x = b.input("x", "float32", [batch, ...shape]);
  const flat = b.reshape(x, [batch === "n" ? -1 : (batch as number), 6]);
  const z = b.matmul(b.op("Softplus", [b.matmul(flat, b.constant(W1))]), b.constant(W2));
  b.output(end === "" ? z : b.op(end, [z]), "float32", [batch, 4]);
  return modelOf(b.build());
}

/** The same network by hand, in float64. */
function logitsOf(x: Float32Array | Float64Array): number[] {
  const hidden = Array.from({ length: 8 }, (_, j) => {
    let sum = 0;
    for (let i = 0; i < 6; i++) sum += x[i]! * W1.data[i * 8 + j]!;
    return Math.log1p(Math.exp(sum));
  });
  return Array.from({ length: 4 }, (_, k) => hidden.reduce((s, h, j) => s + h * W2.data[j * 4 + k]!, 0));
}

function lossOf(z: readonly number[], y: number, kind: LossSpec["kind"], t: number | null): number {
  const c = t ?? y;
  const others = z.filter((_, i) => i !== c);
  const sorted = z.toSorted((a, b) => b - a);
  if (kind === "dlr") {
    return t === null
      ? (Math.max(...others) - z[y]!) / (sorted[0]! - sorted[2]!)
      : (z[t]! - z[y]!) / (sorted[0]! - (sorted[2]! + sorted[3]!) / 2);
  }
  const up = kind === "margin" ? Math.max(...others) - z[c]! : Math.log(z.reduce((s, v) => s + Math.exp(v), 0)) - z[c]!;
  return t === null ? up : -up;
}

describe("openOnnxTarget", () => {
  const shapes: [readonly number[], string | number][] = [
    [[6], "n"],
    [[6, 1], 1],
    [[1, 2, 3], 1],
    [[2, 3], 5],
  ];
  it.each(shapes)("gives logits for examples of shape %j at file batch %s", async (shape, batch) => {
    const target = await open(network(shape, batch));
    expect(target.inputShape).toEqual(shape);
    expect(target.classes).toBe(4);
    expect(target.scoresAre).toBe("logits");
    expect(target.facts).toMatchObject({ cut: ["Softmax"], batch: { form: "any" }, batchRefused: null });
    const x = inputs(7, shape);
    const got = await target.scores(x);
    for (let i = 0; i < 7; i++) {
      const want = logitsOf(x.data.subarray(i * 6, i * 6 + 6));
      for (let c = 0; c < 4; c++) expect(got[i * 4 + c]).toBeCloseTo(want[c]!, 4);
    }
    expect(target.meter).toEqual({ queries: 7, gradients: 0 });
  });

  const losses: [LossSpec["kind"], boolean][] = [
    ["cross-entropy", false],
    ["cross-entropy", true],
    ["margin", false],
    ["margin", true],
    ["dlr", false],
    ["dlr", true],
  ];
  it.each(losses)("gives the gradient of %s (targeted: %s), against differences in float64", async (kind, targeted) => {
    // Raw inputs of 0 to 255 and a normalization, whose factor belongs to the gradient.
    const target = await open(network([6], "n"), { mean: [100], sd: [50], bounds: { low: 0, high: 255 }, batch: 3 });
    const unit = inputs(8, [6]);
    const x = float32(
      [8, 6],
      unit.data.map((v) => v * 255),
    );
    const labels = Int32Array.from({ length: 8 }, (_, i) => i % 4);
    const targets = targeted ? labels.map((y) => (y + 1) % 4) : undefined;
    const { loss, scores, gradient } = await target.gradient(x, labels, targets ? { kind, targets } : { kind });
    expect(loss).toHaveLength(8);
    expect(gradient).toHaveLength(48);
    expect(scores).toEqual(await target.scores(x));
    for (let i = 0; i < 8; i++) {
      const row = Float64Array.from(x.data.subarray(i * 6, i * 6 + 6));
      const at = (): number =>
        lossOf(logitsOf(row.map((v) => (v - 100) / 50)), labels[i]!, kind, targets ? targets[i]! : null);
      expect(loss[i]).toBeCloseTo(at(), 3);
      for (let j = 0; j < 6; j++) {
        const keep = row[j]!;
        row[j] = keep + 1e-3;
        const up = at();
        row[j] = keep - 1e-3;
        const slope = (up - at()) / 2e-3;
        row[j] = keep;
        expect(Math.abs(gradient[i * 6 + j]! - slope)).toBeLessThan(1e-4 * Math.max(1, Math.abs(slope)));
      }
    }
    expect(target.meter).toEqual({ queries: 16, gradients: 8 });
  });

  it("answers alike for any chunk size", async () => {
    const x = inputs(11, [6]);
    const answers = await Promise.all(
      [1, 4, 64].map(async (batch) => {
        const target = await open(network([6], "n"), { batch });
        return await target.gradient(x, new Int32Array(11), { kind: "cross-entropy" });
      }),
    );
    for (const answer of answers.slice(1)) {
      for (const key of ["loss", "scores", "gradient"] as const) {
        for (const [i, v] of answer[key].entries()) expect(Math.abs(v - answers[0]![key][i]!)).toBeLessThan(1e-5);
      }
    }
    const target = await open(network([6], "n"));
    expect(await target.scores(float32([0, 6]))).toHaveLength(0);
  });

  it("has a gradient where the model is as sure as float32 can tell", async () => {
    const b = new GraphBuilder();
    const x = b.input("x", "float32", ["n", 2]);
    b.output(b.op("Softmax", [b.mul(x, b.scalar(60))]), "float32", ["n", 2]);
    const target = await open(modelOf(b.build()));
    const { gradient, loss } = await target.gradient(float32([1, 2], [1, 0]), Int32Array.of(0), {
      kind: "cross-entropy",
    });
    expect(loss[0]).toBeLessThan(1e-6);
    expect(gradient[0]).toBeLessThan(0);
    expect(gradient[1]).toBeGreaterThan(0);
  });

  it("makes two classes of one sigmoid", async () => {
    const b = new GraphBuilder();
    const x = b.input("x", "float32", [1, 2]);
    b.output(b.op("Sigmoid", [b.op("Gemm", [x, b.constant(float32([2, 1], [1, -2]))])]), "float32", [1, 1]);
    const target = await open(modelOf(b.build()));
    expect(target.classes).toBe(2);
    const at = float32([2, 2], [1, 0, 0, 1]);
    expect([...(await target.scores(at))].map((v) => v + 0)).toEqual([0, 1, 0, -2]);
    expect([...(await target.label(at))]).toEqual([1, 0]);
    const { gradient } = await target.gradient(at, Int32Array.of(1, 1), { kind: "margin" });
    expect([...gradient]).toEqual([-1, 2, -1, 2]);
    await expect(target.gradient(at, Int32Array.of(1, 1), { kind: "dlr" })).rejects.toThrow(/at least 3 classes/);
  });

  it("runs models without a batch axis, and with one that cannot be opened", async () => {
    const b = new GraphBuilder();
    b.output(b.mul(b.input("x", "float32", [3]), b.constant(float32([3], [1, 2, 3]))), "float32", [3]);
    const vector = await open(modelOf(b.build()));
    expect(vector.facts.batch).toEqual({ form: "none" });
    const x = inputs(3, [3]);
    const want = x.data.map((v, i) => v * ((i % 3) + 1));
    expect(await vector.scores(x)).toEqual(want);
    const down = await vector.gradient(x, Int32Array.of(0, 1, 2), { kind: "margin" });
    expect(down.gradient).toHaveLength(9);
    expect(down.gradient[0]).toBe(-1);

    const fixed = new GraphBuilder();
    const y = fixed.input("x", "float32", [2, 3]);
    // Adds a constant of its own for each row of the batch.
    fixed.output(fixed.add(y, fixed.constant(float32([2, 1], [0, 0]))), "float32", [2, 3]);
    const stuck = await open(modelOf(fixed.build()), { batch: 3 });
    const five = inputs(5, [3]);
    expect(await stuck.scores(five)).toEqual(five.data);
    expect(stuck.facts.batch).toEqual({ form: "fixed", size: 2 });

    const mixing = new GraphBuilder();
    const z = mixing.input("x", "float32", ["n", 3]);
    mixing.output(mixing.sub(z, mixing.op("ReduceMean", [z, mixing.indices([0, 1])])), "float32", ["n", 3]);
    const single = await open(modelOf(mixing.build()));
    expect(single.facts.batch).toEqual({ form: "fixed", size: 1 });
    expect(single.facts.batchRefused).toMatch(/batch of 2 gives other/);
  });

  it("gives whole chunks and the rest the same gradient, each in the form that is best for it", async () => {
    const b = new GraphBuilder();
    const conv = (v: string, label: string, to: number, from: number): string =>
      b.op("Conv", [v, b.constant(random(label, [to, from, 3, 3], 0.2))], { pads: ints([1, 1, 1, 1]) });
    const relu = b.op("Relu", [conv(b.input("x", "float32", ["n", 1, 8, 8]), "a", 16, 1)]);
    const pooled = b.op("MaxPool", [b.op("Relu", [conv(relu, "b", 32, 16)])], {
      kernel_shape: ints([2, 2]),
      strides: ints([2, 2]),
    });
    const z = b.matmul(b.op("Flatten", [pooled]), b.constant(random("c", [512, 3], 0.1)));
    b.output(z, "float32", ["n", 3]);
    const loaded: Model[] = [];
    const watching = { ...ortEngine, load: (m: Model, o = {}) => (loaded.push(m), ortEngine.load(m, o)) };
    const file = modelOf(b.build());
    const target = await open(file, { batch: 2, engine: { ...watching, channelBlock: 16 } });
    const plain = await open(file, { batch: 5 });
    const x = inputs(5, [1, 8, 8]);
    const labels = Int32Array.of(0, 1, 2, 0, 1);
    loaded.length = 0;
    const got = await target.gradient(x, labels, { kind: "cross-entropy" });
    expect(loaded.map((m) => m.graph.inputs[0]!.dims![0])).toEqual([2, "batch"]);
    const want = await plain.gradient(x, labels, { kind: "cross-entropy" });
    for (const [i, v] of want.gradient.entries()) expect(got.gradient[i]).toBeCloseTo(v, 5);
    for (const [i, v] of want.loss.entries()) expect(got.loss[i]).toBeCloseTo(v, 5);
    expect(want.gradient.some((v) => Math.abs(v) > 0.01)).toBe(true);
  });

  it("says why a model has no gradient, and still gives scores and names", async () => {
    const b = new GraphBuilder();
    b.input("x", "float32", ["n", 2]);
    const classifier: Node = {
      op: "LinearClassifier",
      domain: "ai.onnx.ml",
      name: "linear",
      inputs: ["x"],
      outputs: ["label", "probabilities"],
      attributes: {
        coefficients: { type: "floats", value: [1, 0, 0, 1, -1, -1] },
        intercepts: { type: "floats", value: [0, 0, 0] },
        classlabels_strings: names(["ant", "bee", "cat"]),
        // Has no exact counterpart among the ordinary operators.
        post_transform: string("SOFTMAX_ZERO"),
        multi_class: int(0),
      },
    };
    b.append(classifier);
    b.append({
      op: "ZipMap",
      domain: "ai.onnx.ml",
      name: "zip",
      inputs: ["probabilities"],
      outputs: ["maps"],
      attributes: { classlabels_strings: names(["ant", "bee", "cat"]) },
    });
    const graph: Graph = {
      ...b.build(),
      outputs: [
        { name: "label", dtype: "string", dims: ["n"], kind: "tensor" },
        { name: "maps", dtype: null, dims: null, kind: "sequence", raw: undefined },
      ],
    };
    const target = await open(modelOf(graph, 18, true));
    expect([...target.can]).toEqual(["label", "scores"]);
    expect(target.noGradientReason).toMatch(/LinearClassifier/);
    expect(target.classNames).toEqual(["ant", "bee", "cat"]);
    expect(target.scoresAre).toBe("log-probabilities");
    const x = float32([1, 2], [0.25, 0.75]);
    const z = [0.25, 0.75, -1];
    const lse = Math.log(z.reduce((s, v) => s + Math.exp(v), 0));
    const got = await target.scores(x);
    for (let c = 0; c < 3; c++) expect(got[c]).toBeCloseTo(z[c]! - lse, 5);
    await expect(target.gradient(x, Int32Array.of(0), { kind: "margin" })).rejects.toMatchObject({
      code: "CAPABILITY_MISSING",
      message: expect.stringContaining("LinearClassifier"),
    });
    expect(() => narrow(target, ["gradient"])).toThrow(/LinearClassifier/);
  });

  it.each(["SOFTMAX", "LOGISTIC", "NONE"])("differentiates a scaled linear classifier with %s", async (post) => {
    const ml = (op: string, inputs: string[], outputs: string[], attributes: Node["attributes"]): Node => ({
      op,
      domain: "ai.onnx.ml",
      name: op,
      inputs,
      outputs,
      attributes,
    });
    const b = new GraphBuilder();
    b.input("x", "float32", ["n", 2]);
    const numbers = (value: number[]): Attribute => ({ type: "floats", value });
    b.append(ml("Scaler", ["x"], ["scaled"], { offset: numbers([0.5, 0.25]), scale: numbers([2, 4]) }));
    const labels = names(["ant", "bee", "cat"]);
    const classifier = {
      coefficients: numbers([1, 0, 0, 1, -1, -1]),
      intercepts: numbers([0.5, 0, -0.5]),
      classlabels_strings: labels,
      post_transform: string(post),
    };
    b.append(ml("LinearClassifier", ["scaled"], ["label", "p"], classifier));
    b.append(ml("Normalizer", ["p"], ["q"], { norm: string("L1") }));
    b.append(ml("ZipMap", [post === "NONE" ? "p" : "q"], ["maps"], { classlabels_strings: labels }));
    const graph: Graph = { ...b.build(), outputs: [{ name: "maps", dtype: null, dims: null, kind: "sequence" }] };
    // Opening compares with ONNX Runtime's own LinearClassifier, Scaler and Normalizer.
    const target = await open(modelOf(graph, 18, true));
    expect(target.noGradientReason).toBeNull();
    expect(target.scoresAre).toBe(post === "LOGISTIC" ? "log-probabilities" : "logits");
    const at = async (x0: number, x1: number) =>
      await target.gradient(float32([1, 2], [x0, x1]), Int32Array.of(0), { kind: "margin" });
    const { gradient } = await at(0.3, 0.4);
    if (post !== "LOGISTIC") expect([...gradient].map((v) => Math.round(v * 1e5) / 1e5)).toEqual([-2, 4]);
    const slope0 = ((await at(0.31, 0.4)).loss[0]! - (await at(0.29, 0.4)).loss[0]!) / 0.02;
    const slope1 = ((await at(0.3, 0.41)).loss[0]! - (await at(0.3, 0.39)).loss[0]!) / 0.02;
    expect(gradient[0]).toBeCloseTo(slope0, 2);
    expect(gradient[1]).toBeCloseTo(slope1, 2);
  });

  it("refuses what it cannot attack, and lists what there is", async () => {
    const two = new GraphBuilder();
    two.output(two.add(two.input("a", "float32", ["n", 2]), two.input("b", "float32", ["n", 2])), "float32", ["n", 2]);
    await expect(open(modelOf(two.build()))).rejects.toMatchObject({
      code: "MODEL_INPUT",
      message: expect.stringMatching(/a float32\[n, 2\], b float32\[n, 2\].*--input/),
    });
    const regression = new GraphBuilder();
    regression.output(regression.reduceSum(regression.input("x", "float32", ["n", 2]), [1], true), "float32", ["n", 1]);
    await expect(open(modelOf(regression.build()))).rejects.toMatchObject({ code: "MODEL_INPUT" });
    const outputs = new GraphBuilder();
    const x = outputs.input("x", "float32", ["n", 2]);
    const doubled = outputs.output(outputs.add(x, x), "float32", ["n", 2]);
    outputs.output(outputs.neg(x), "float32", ["n", 2]);
    await expect(open(modelOf(outputs.build()))).rejects.toThrow(/2 outputs.*--output/);
    expect([
      ...(await (await open(modelOf(outputs.build()), { output: doubled })).scores(float32([1, 2], [1, 2]))),
    ]).toEqual([2, 4]);
    await expect(open(modelOf(outputs.build()), { output: "nothing" })).rejects.toThrow(/"nothing"/);
    const free = new GraphBuilder();
    free.output(free.op("GlobalMaxPool", [free.input("x", "float32", ["n", 3, "h", "w"])]), "float32", null);
    await expect(open(modelOf(free.build()))).rejects.toThrow(/--shape/);
    expect((await open(modelOf(free.build()), { inputShape: [3, 4, 4] })).classes).toBe(3);
    await expect(open(modelOf(free.build()), { inputShape: [2, 4, 4] })).rejects.toThrow(/does not fit/);
    await expect(open(network([6], "n"), { bounds: { low: 1, high: 1 } })).rejects.toMatchObject({
      code: "OPTION_RANGE",
    });
    const target = await open(network([6], "n"));
    await expect(target.scores(float32([2, 5]))).rejects.toMatchObject({ code: "SHAPE_MISMATCH" });
    await expect(target.gradient(inputs(1, [6]), Int32Array.of(4), { kind: "margin" })).rejects.toMatchObject({
      code: "DATA_LABELS",
    });
  });

  it("says which example makes the model answer NaN", async () => {
    const b = new GraphBuilder();
    b.output(b.op("Sqrt", [b.input("x", "float32", ["n", 2])]), "float32", ["n", 2]);
    const target = await open(modelOf(b.build()));
    await expect(target.scores(float32([2, 2], [1, 1, 1, -1]))).rejects.toThrow(/NaN for class 1 of example 1/);
    await target.gradient(float32([1, 2], [0, 1]), Int32Array.of(0), { kind: "margin" }).then((answer) => {
      expect([...answer.gradient].every(Number.isFinite)).toBe(true);
    });
    expect(target.nonFiniteGradients()).toBe(1);
  });
});

describe("narrow and withBudget", () => {
  it("hand out what was declared and nothing else", async () => {
    const target = await open(network([6], "n"));
    const x = inputs(2, [6]);
    const blackBox = narrow(target, ["scores"]);
    expect([...blackBox.can].toSorted()).toEqual(["label", "scores"]);
    expect(await blackBox.label(x)).toEqual(await target.label(x));
    await expect(blackBox.gradient(x, Int32Array.of(0, 0), { kind: "margin" })).rejects.toMatchObject({
      code: "CAPABILITY_MISSING",
    });
    const labels = narrow(target, ["label"]);
    await expect(labels.scores(x)).rejects.toMatchObject({ code: "CAPABILITY_MISSING" });
    expect(Object.keys(labels)).not.toContain("graph");
    expect(() => narrow(labels, ["scores"])).toThrow(/offers no scores/);
    const before = target.meter.queries;
    const budget = withBudget(narrow(target, ["gradient"]), 5);
    await budget.gradient(x, Int32Array.of(0, 0), { kind: "margin" });
    await budget.scores(x);
    await expect(budget.label(x)).rejects.toMatchObject({ code: "BUDGET_SPENT" });
    expect(budget.left()).toBe(1);
    expect(target.meter.queries).toBe(before + 4);
    expect(() => withBudget(target, -1)).toThrow(/whole number/);
  });
});
