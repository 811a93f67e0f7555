import { afterAll, describe, expect, it } from "vitest";
import type { RunContext } from "../context.ts";
import type { Dataset } from "../data/dataset.ts";
import type { Engine } from "../engine/engine.ts";
import { ortEngine } from "../engine/ort-node.ts";
import { seeded } from "../random/index.ts";
import { float32 } from "../tensor/index.ts";
import { makeTrainer } from "./loop.ts";
import type { TrainedModel, TrainOptions } from "./trainer.ts";

const context = (seed: number | string = 1, more: Partial<RunContext> = {}): RunContext => ({
  rng: seeded(seed),
  signal: new AbortController().signal,
  step: () => {},
  ...more,
});

/** Three noisy groups of points in the plane, on very different scales. */
function groups(size: number, seed: number): Dataset {
  const rng = seeded(seed);
  const labels = Int32Array.from({ length: size }, (_, i) => i % 3);
  const x = [...labels].flatMap((k) => {
    const angle = (2 * Math.PI * k) / 3;
    return [1000 + 50 * (Math.cos(angle) + 0.25 * rng.normal()), 0.01 * (Math.sin(angle) + 0.25 * rng.normal())];
  });
  return {
    name: "groups",
    size,
    features: float32([size, 2], x),
    labels,
    classNames: ["a", "b", "c"],
    rowIds: Array.from({ length: size }, (_, i) => `r${i}`),
    groups: {},
    storedAs: "float32",
    schema: null,
    table: null,
  };
}

const weights = (trained: TrainedModel): number[] =>
  [...trained.model.graph.constants].flatMap(([name, value]) =>
    /weight|bias/.test(name) ? [...(value.data as Float32Array)] : [],
  );

const accuracy = (logits: Float32Array, data: Dataset): number => {
  let right = 0;
  for (let i = 0; i < data.size; i++) {
    const row = [...logits.subarray(i * 3, i * 3 + 3)];
    if (row.indexOf(Math.max(...row)) === data.labels![i]) right++;
  }
  return right / data.size;
};

let loads = 0;
const counting: Engine = {
  id: ortEngine.id,
  load: (model, options) => {
    loads++;
    return ortEngine.load(model, options);
  },
};
const train = makeTrainer(counting, { threads: 1 });
afterAll(() => train.close());
const data = groups(120, 3);
const fast: Partial<TrainOptions> = { arch: "mlp", epochs: 4, batch: 50, hidden: [8] };

describe("training", () => {
  it.each<[Partial<TrainOptions>]>([[{ arch: "logistic" }], [{ arch: "mlp" }], [{ arch: "mlp", optimizer: "sgd" }]])(
    "learns separable groups on raw inputs with %j and the defaults",
    async (options) => {
      const trained = await train(data, options, context());
      const fresh = groups(300, 4);
      expect(accuracy(await trained.logits(fresh), fresh)).toBeGreaterThan(0.97);
    },
  );

  it("gives a model that the engine runs by itself, and features that feed its last layer", async () => {
    const trained = await train(data, fast, context());
    const logits = await trained.logits(data);
    const session = await ortEngine.load(trained.model);
    const out = await session.run({ input: data.features });
    await session.close();
    logits.forEach((v, i) => expect(v).toBeCloseTo((out["logits"]!.data as Float32Array)[i]!, 4));
    const { values, width } = await trained.features(data);
    expect([values.length, width]).toEqual([120 * 8, 8]);
    const w = trained.model.graph.constants.get("output.weight")!.data as Float32Array;
    const b = trained.model.graph.constants.get("output.bias")!.data as Float32Array;
    for (let k = 0; k < 3; k++) {
      const sum = values.subarray(0, 8).reduce((s, v, i) => s + v * w[i * 3 + k]!, b[k]!);
      expect(sum).toBeCloseTo(logits[k]!, 4);
    }
  });

  it("gives bit-equal weights for the same seed, whatever was trained before, and others for another seed", async () => {
    const first = weights(await train(data, fast, context("same")));
    const loadsBefore = loads;
    const other = weights(await train(data, fast, context("other")));
    expect(weights(await train(data, fast, context("same")))).toEqual(first);
    expect(other).not.toEqual(first);
    const alone = makeTrainer(ortEngine, { threads: 1 });
    expect(weights(await alone(data, fast, context("same")))).toEqual(first);
    await alone.close();
    expect(loads, "compiled graphs are shared by trainings of one shape").toBe(loadsBefore);
    const wider = { ...data, features: float32([120, 4], [...data.features.data, ...data.features.data]) };
    await train(wider, fast, context());
    expect(loads).toBe(loadsBefore + 1);
  });

  it("trainings that run at the same time do not disturb each other", async () => {
    const alone = weights(await train(data, fast, context("x")));
    const both = await Promise.all([train(data, fast, context("x")), train(data, fast, context("y"))]);
    expect(weights(both[0])).toEqual(alone);
  });

  it("visits every row once in an epoch, in another order each time, and keeps the last partial batch", async () => {
    const seen: number[][] = [];
    const batch = async (given: { rows: Uint32Array; features: Dataset["features"] }): Promise<Dataset["features"]> => {
      seen.push([...given.rows]);
      given.rows.forEach((row, k) => expect(given.features.data[2 * k]).toBe(data.features.data[2 * row]));
      return given.features;
    };
    await train(data, { ...fast, epochs: 2 }, context(), { batch });
    expect(seen.map((rows) => rows.length)).toEqual([50, 50, 20, 50, 50, 20]);
    const epochs = [seen.slice(0, 3).flat(), seen.slice(3).flat()];
    const all = Array.from({ length: 120 }, (_, i) => i);
    for (const rows of epochs) expect(rows.toSorted((a, b) => a - b)).toEqual(all);
    expect(epochs[0]).not.toEqual(epochs[1]);
  });

  it("a row of weight 0 does not teach its label; equal weights only scale the loss", async () => {
    const rowWeights = new Float32Array(120).fill(1);
    rowWeights[7] = 0;
    const flipped = { ...data, labels: data.labels!.map((l, i) => (i === 7 ? (l + 1) % 3 : l)) };
    const a = weights(await train(data, { ...fast, rowWeights }, context()));
    expect(weights(await train(flipped, { ...fast, rowWeights }, context()))).toEqual(a);
    expect(weights(await train(flipped, fast, context()))).not.toEqual(weights(await train(data, fast, context())));
    const sgd: Partial<TrainOptions> = { ...fast, optimizer: "sgd", weightDecay: 0 };
    const half = await train(data, { ...sgd, learningRate: 0.1, rowWeights: rowWeights.fill(0.5) }, context());
    const plain = weights(await train(data, { ...sgd, learningRate: 0.05 }, context()));
    weights(half).forEach((v, i) => expect(v).toBeCloseTo(plain[i]!, 5));
  });

  it("label smoothing pulls the logits to the gap that it stands for", async () => {
    const gap = async (labelSmoothing: number): Promise<number> => {
      const logits = await (await train(data, { arch: "mlp", labelSmoothing }, context())).logits(data);
      const gaps = Array.from({ length: 120 }, (_, i) => {
        const [low, middle, high] = [...logits.subarray(3 * i, 3 * i + 3)].sort((a, b) => a - b);
        return high! - (low! + middle!) / 2;
      });
      return gaps.reduce((a, b) => a + b) / 120;
    };
    // With 0.3 spread over three classes the targets are 0.8, 0.1, 0.1.
    expect(Math.abs((await gap(0.3)) - Math.log(8))).toBeLessThan(0.2);
    expect(await gap(0)).toBeGreaterThan(5);
  });

  it("reports progress up to the last step", async () => {
    const steps: [number, number, string | undefined][] = [];
    await train(data, fast, context(1, { step: (done, of, note) => steps.push([done, of, note]) }));
    expect(steps.at(-1)!.slice(0, 2)).toEqual([12, 12]);
    expect(steps.at(-1)![2]).toMatch(/^epoch 4\/4, loss \d\.\d+, accuracy \d+\.\d %, \d+ examples\/s$/);
  });
});

describe("training on bad input", () => {
  const without = (row: number, value: number): Dataset => {
    const x = data.features.data.slice();
    x[2 * row + 1] = value;
    return { ...data, features: float32([120, 2], x) };
  };
  it.each<[string, Dataset, Partial<TrainOptions>, string, RegExp]>([
    ["no labels", { ...data, labels: null }, fast, "DATA_LABELS", /has no labels/],
    [
      "no rows",
      { ...data, size: 0, features: float32([0, 2]), labels: new Int32Array() },
      fast,
      "NOT_ENOUGH_DATA",
      /no rows/,
    ],
    [
      "a label outside",
      { ...data, classNames: ["a", "b"] },
      fast,
      "DATA_LABELS",
      /label 2 of row r2 .* expected 0 to 1/,
    ],
    [
      "a negative label",
      { ...data, labels: data.labels!.map((l) => l - 1) },
      fast,
      "DATA_LABELS",
      /label -1 of row r0/,
    ],
    [
      "an empty class",
      { ...data, classNames: ["a", "b", "c", "d"] },
      fast,
      "DATA_LABELS",
      /class 3 \("d"\) .* emptyClasses/,
    ],
    ["one class", { ...data, classNames: ["a"], labels: new Int32Array(120) }, fast, "DATA_LABELS", /at least 2/],
    ["too few labels", { ...data, labels: new Int32Array(3) }, fast, "SHAPE_MISMATCH", /3 labels/],
    ["NaN", without(5, NaN), fast, "DATA_INVALID", /input 1 of row r5 .* NaN/],
    ["infinity", without(0, Infinity), fast, "DATA_INVALID", /Infinity/],
    ["a table for a cnn", data, { arch: "cnn" }, "SHAPE_MISMATCH", /expected \[channels, height, width\]/],
    [
      "a huge learning rate",
      data,
      { ...fast, hidden: [64, 64], optimizer: "sgd", learningRate: 100, epochs: 50 },
      "TRAIN_DIVERGED",
      /epoch \d+ of 50, step .* lower learningRate \(it is 100\)/,
    ],
  ])("%s", async (_name, given, options, code, message) => {
    const act = train(given, options, context());
    await expect(act).rejects.toThrow(message);
    await expect(act).rejects.toMatchObject({ code });
  });

  it("allows an empty class where it is asked to", async () => {
    const trained = await train(
      { ...data, classNames: ["a", "b", "c", "d"] },
      { ...fast, emptyClasses: "allow" },
      context(),
    );
    expect(trained.classes).toBe(4);
    expect(await trained.logits(data)).toHaveLength(480);
  });

  it("stops when cancelled", async () => {
    const stop = new AbortController();
    const act = train(data, fast, context(1, { signal: stop.signal, step: () => stop.abort() }));
    await expect(act).rejects.toMatchObject({ code: "CANCELLED" });
  });

  it("a trained model refuses rows of another shape, and questions after it was closed", async () => {
    const trained = await train(data, fast, context());
    const other = { ...data, features: float32([120, 3]) };
    await expect(trained.logits(other)).rejects.toThrow(/expected rows of shape \[2\], got \[3\]/);
    await trained.close();
    await expect(trained.logits(data)).rejects.toMatchObject({ code: "INTERNAL" });
  });
});
