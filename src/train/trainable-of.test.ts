import { afterAll, describe, expect, it } from "vitest";
import { modelOf, runGraph } from "../../test/support/run-graph.ts";
import { shared, sharedData } from "../../test/support/shared-data.ts";
import type { RunContext } from "../context.ts";
import { openDataset, take, type Dataset } from "../data/index.ts";
import { ortEngine } from "../engine/ort-node.ts";
import { decodeModel, encodeModel, float, GraphBuilder, int, loadModel, type Model } from "../ir/index.ts";
import { seeded } from "../random/index.ts";
import { float32 } from "../tensor/index.ts";
import { makeTrainer, type OpenTrainer } from "./loop.ts";
import { correctness } from "./predictions.ts";
import { trainableOf } from "./trainable-of.ts";
import type { TrainedModel } from "./trainer.ts";

const context = (seed = 1): RunContext => ({ rng: seeded(seed), signal: new AbortController().signal, step: () => {} });
const rng = seeded(9);
const noise = (dims: number[], label: string) => {
  const data = new Float32Array(dims.reduce((a, b) => a * b, 1));
  rng.child(label).fillNormal(data, 0, 0.5);
  return float32(dims, data);
};
const opened: OpenTrainer[] = [];
const trainerOf = (model: Model): OpenTrainer => {
  const made = makeTrainer(ortEngine, { threads: 1, start: trainableOf(model) });
  opened.push(made);
  return made;
};
afterAll(async () => {
  for (const trainer of opened) await trainer.close();
});

/** Normalization of the inputs, a layer, batch normalization, the same square weight twice, a scalar, a final Softmax. */
function awkward(fixed: boolean): Model {
  const b = new GraphBuilder();
  const x = b.input("pixels", "float32", [fixed ? 1 : "N", 2]);
  const centred = b.sub(x, b.constant(float32([2], [0.1, 0.2]), "mean"));
  const first = b.op("Gemm", [
    centred,
    b.constant(noise([2, 4], "a"), "first.w"),
    b.constant(noise([4], "b"), "first.b"),
  ]);
  const norm = ["scale", "shift"].map((n) => b.constant(noise([4], n), `norm.${n}`));
  const [m, v] = [b.constant(float32([4]), "norm.mean"), b.constant(float32([4], [1, 2, 1, 2]), "norm.var")];
  const normed = b.op("BatchNormalization", [first, ...norm, m, v], { epsilon: float(1e-5) });
  const tied = b.constant(noise([4, 4], "t"), "tied");
  const h = b.op("Relu", [b.matmul(b.op("Relu", [b.matmul(normed, tied)]), tied)]);
  const scaled = b.mul(b.reshape(h, [fixed ? 1 : -1, 4]), b.constant(float32([], [1.5]), "factor"));
  const last = b.op("MatMul", [scaled, b.constant(noise([4, 2], "l"), "last.w")]);
  const probabilities = b.op("Softmax", [b.add(last, b.constant(noise([2], "c"), "last.b"))], { axis: int(-1) });
  b.output(probabilities, "float32", [fixed ? 1 : "N", 2], "classes");
  return decodeModel(encodeModel(modelOf(b.build(), 17)));
}

const size = 200;
const x = new Float32Array(2 * size);
seeded(4).fillNormal(x);
const data: Dataset = {
  name: "points",
  size,
  features: float32([size, 2], x),
  classNames: ["a", "b"],
  groups: {},
  labels: Int32Array.from({ length: size }, (_, i) => (x[2 * i]! + x[2 * i + 1]! > 0 ? 1 : 0)),
  rowIds: Array.from({ length: size }, (_, i) => String(i)),
  storedAs: "float32",
  schema: null,
  table: null,
};

describe("trainableOf", () => {
  it("takes what stands where weights stand, tied ones once, and leaves the rest", () => {
    const weights = ["first.w", "first.b", "tied", "last.w", "last.b"];
    expect(trainableOf(awkward(false)).parameters.toSorted()).toEqual(weights.toSorted());
    const affine = trainableOf(awkward(false), { batchNorm: "affine" }).parameters;
    expect(affine.toSorted()).toEqual([...weights, "norm.scale", "norm.shift"].toSorted());
  });

  it.each([false, true])(
    "trains and exports the file as it was, with new weights (fixed batch axis: %s)",
    async (fixed) => {
      const model = awkward(fixed);
      const trained = await trainerOf(model)(data, { epochs: 30, learningRate: 0.02 }, context());
      const out = trained.model;
      expect({ ...out.graph, constants: null }).toEqual({ ...model.graph, constants: null });
      expect(out.opsets).toEqual(model.opsets);
      for (const [name, value] of model.graph.constants) {
        const kept = out.graph.constants.get(name)!.data;
        const same = [...(value.data as Float32Array)].every((v, i) => v === kept[i]);
        expect(same, name).toBe(!/first|tied|last/.test(name));
      }
      const logits = await trained.logits(data);
      for (const i of [0, 7]) {
        const one = await runGraph(out.graph, { pixels: float32([1, 2], x.slice(2 * i, 2 * i + 2)) }, 17);
        const [a, b] = [logits[2 * i]!, logits[2 * i + 1]!];
        expect(one["classes"]!.data[1]).toBeCloseTo(1 / (1 + Math.exp(a - b)), 5);
      }
      const right = data.labels!.filter((l, i) => (logits[2 * i + 1]! > logits[2 * i]! ? 1 : 0) === l).length;
      expect(right / size).toBeGreaterThan(0.9);
    },
  );

  it("the first step moves each weight against the gradient of the mean loss, the tied one with both its uses", async () => {
    const model = awkward(false);
    const options = { optimizer: "sgd", momentum: 0, weightDecay: 0, schedule: "constant", learningRate: 1 } as const;
    const trained = await trainerOf(model)(data, { ...options, epochs: 1, batch: size }, context());
    const session = await ortEngine.load(model);
    const loss = async (name: string, at: number, h: number): Promise<number> => {
      const constants = new Map(model.graph.constants);
      const moved = (constants.get(name)!.data as Float32Array).slice();
      moved[at]! += h;
      constants.set(name, float32(constants.get(name)!.dims, moved));
      const out = await runGraph({ ...model.graph, constants }, { pixels: data.features }, 17);
      const p = out["classes"]!.data;
      return -data.labels!.reduce((s, l, i) => s + Math.log(p[2 * i + l]!), 0) / size;
    };
    await session.close();
    for (const name of ["tied", "first.w", "last.b"]) {
      const before = model.graph.constants.get(name)!.data as Float32Array;
      const after = trained.model.graph.constants.get(name)!.data as Float32Array;
      for (const at of [0, before.length - 1]) {
        const slope = ((await loss(name, at, 2e-3)) - (await loss(name, at, -2e-3))) / 4e-3;
        expect(Math.abs(before[at]! - after[at]! - slope)).toBeLessThan(2e-3 * (1 + Math.abs(slope)));
      }
    }
  });

  it("refuses what cannot be trained, and says why", async () => {
    const b = new GraphBuilder();
    b.output(b.op("Relu", [b.input("x", "float32", ["N", 2])]), "float32", ["N", 2], "y");
    const act = (model: Model) => (): unknown => trainableOf(model);
    expect(act(modelOf(b.build()))).toThrow(/no float32 constant stands where weights stand/);
    const c = new GraphBuilder();
    const h = c.matmul(c.input("x", "float32", ["N", 2]), c.constant(noise([2, 2], "w"), "w"));
    c.output(c.op("BitCast", [h], {}, "bend"), "float32", ["N", 2], "y");
    expect(act(modelOf(c.build()))).toThrow(/operator BitCast \(node "bend"\) has no gradient/);
    const d = new GraphBuilder();
    const wide = d.matmul(d.input("x", "float32", [4, 2]), d.constant(noise([2, 2], "w"), "w"));
    d.output(d.reshape(wide, [8]), "float32", [8], "y");
    expect(act(modelOf(d.build()))).toThrow(/batch axis is fixed at 4, and Reshape "reshape"/);
    const e = new GraphBuilder();
    e.output(e.add(e.input("x", "float32", ["N", 2]), e.input("z", "float32", ["N", 2])), "float32", ["N", 2], "y");
    expect(act(modelOf(e.build()))).toThrow(/one input; this one has "x", "z"/);
    const g = new GraphBuilder();
    const table = g.constant(noise([7, 2], "table"), "table");
    const words = g.op("ReduceMean", [g.op("Gather", [table, g.input("x", "int64", ["N", 2])]), g.indices([1])]);
    g.output(g.op("Flatten", [words]), "float32", ["N", 2], "y");
    await expect(trainerOf(modelOf(g.build()))(data, {}, context())).rejects.toThrow(
      /takes inputs of int64; expected float32/,
    );
    const train = trainerOf(awkward(false));
    await expect(train(data, { arch: "mlp" }, context())).rejects.toThrow(/arch must be left out/);
    await expect(train({ ...data, classNames: ["a", "b", "c"] }, { emptyClasses: "allow" }, context())).rejects.toThrow(
      /3 classes, the model gives scores of shape \[N, 2\]/,
    );
    await expect(
      train({ ...data, features: float32([100, 4], x), size: 100, labels: data.labels!.slice(100) }, {}, context()),
    ).rejects.toThrow(/expected rows of shape \[2\], got \[4\]/);
  });
});

describe.skipIf(sharedData === null)("models of others", () => {
  it.each<[string, (v: number) => number]>([
    ["cntk-mnist-8", (v) => v],
    ["tribuo-cnn-mnist", (v) => v / 255],
    ["burn-mnist-bn", (v) => (v / 255 - 0.1307) / 0.3081],
  ])("%s learns to read dark digits on light paper", async (name, scale) => {
    const labels = shared("mnist/t10k-labels-idx1-ubyte.gz");
    const all = await openDataset(shared("mnist/t10k-images-idx3-ubyte.gz"), { labels });
    const upTo = (from: number, to: number): Dataset => {
      const rows = take(
        all,
        Array.from({ length: to - from }, (_, i) => from + i),
      );
      const pixels = rows.features.data.map((v) => scale(255 - v));
      return { ...rows, features: float32([to - from, 1, 28, 28], pixels) };
    };
    const test = upTo(1200, 1500);
    const model = await loadModel(shared(`models/mnist/${name}.onnx`));
    const train = trainerOf(model);
    const right = async (trained: TrainedModel): Promise<number> =>
      (await correctness(trained, test)).reduce((a, b) => a + b, 0) / 300;
    const idle = await train(test, { epochs: 1, learningRate: 0 }, context());
    expect(await right(idle)).toBeLessThan(0.4);
    expect(idle.model.graph.constants).toEqual(model.graph.constants);
    const trained = await train(upTo(0, 1200), { epochs: 3 }, context());
    expect(await right(trained)).toBeGreaterThan(0.7);
    expect({ ...trained.model.graph, constants: null }).toEqual({ ...model.graph, constants: null });
    const session = await ortEngine.load(decodeModel(encodeModel(trained.model)));
    const first = test.features.data.slice(0, 784);
    const out = await session.run({ [session.inputs[0]!]: float32([1, 1, 28, 28], first) });
    await session.close();
    const logits = (await trained.logits(test)).subarray(0, 10);
    const own = out[session.outputs[0]!]!.data as Float32Array;
    // Where the file ends in a LogSoftmax, so do the scores; so both are the same numbers.
    own.forEach((v, k) => expect(v).toBeCloseTo(logits[k]!, 3));
  });
});
