import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { afterAll, describe, expect, it } from "vitest";
import type { RunContext } from "../../src/context.ts";
import type { Dataset } from "../../src/data/dataset.ts";
import { ortEngine } from "../../src/engine/ort-node.ts";
import { seeded } from "../../src/random/index.ts";
import { float32 } from "../../src/tensor/index.ts";
import { makeTrainer, type TrainedModel } from "../../src/train/index.ts";
import { adversarialTraining } from "../../src/defenses/training/adversarial-training.ts";
import { defaultsOf } from "../../src/options.ts";
import { openOnnxTarget } from "../../src/target/index.ts";
import { shared, sharedData } from "../support/shared-data.ts";

const context = (seed: number): RunContext => ({
  rng: seeded(seed),
  signal: new AbortController().signal,
  step: () => {},
});

function dataset(name: string, shape: number[], x: Float32Array, labels: Int32Array, classes: number): Dataset {
  return {
    name,
    size: labels.length,
    features: float32([labels.length, ...shape], x),
    labels,
    classNames: Array.from({ length: classes }, (_, i) => String(i)),
    rowIds: Array.from(labels, (_, i) => String(i)),
    groups: {},
    storedAs: "float32",
    schema: null,
    table: null,
  };
}

function mnist(split: "train" | "t10k", count: number): Dataset {
  const open = (kind: string): Buffer => gunzipSync(readFileSync(shared(`mnist/${split}-${kind}-ubyte.gz`)));
  const pixels = open("images-idx3").subarray(16, 16 + 784 * count);
  const labels = Int32Array.from(open("labels-idx1").subarray(8, 8 + count));
  return dataset("mnist", [1, 28, 28], Float32Array.from(pixels), labels, 10);
}

/** Numbers and, last, the class; every `fold`-th row is held out. */
function table(file: string, classes: string[], fold: number): { train: Dataset; test: Dataset } {
  const lines = readFileSync(shared(`tabular/${file}`), "utf8")
    .trim()
    .split(/\r?\n/);
  const rows = lines.map((line) => line.split(",").map((cell) => cell.trim()));
  const pick = (held: boolean): Dataset => {
    const kept = rows.filter((_, i) => (i % fold === 0) === held);
    const x = Float32Array.from(kept.flatMap((row) => row.slice(0, -1).map(Number)));
    const labels = Int32Array.from(kept, (row) => classes.indexOf(row.at(-1)!));
    return dataset(file, [rows[0]!.length - 1], x, labels, classes.length);
  };
  return { train: pick(false), test: pick(true) };
}

function accuracy(logits: Float32Array, data: Dataset): number {
  const k = data.classNames.length;
  let right = 0;
  for (let i = 0; i < data.size; i++) {
    let best = 0;
    for (let c = 1; c < k; c++) if (logits[i * k + c]! > logits[i * k + best]!) best = c;
    if (best === data.labels![i]) right++;
  }
  return right / data.size;
}

/** Accuracy under 20 steps of PGD (linf), written here anew from its definition; the model is asked as a file would be. */
async function robustAccuracy(trained: TrainedModel, data: Dataset, eps: number): Promise<number> {
  const bounds = { low: 0, high: 255 };
  const target = await openOnnxTarget(trained.model, { engine: ortEngine, bounds });
  const clean = data.features.data;
  const rng = seeded("attack");
  const inside = (v: number, i: number): number =>
    Math.max(bounds.low, clean[i]! - eps, Math.min(bounds.high, clean[i]! + eps, v));
  let x = clean.map((v, i) => inside(v + eps * (2 * rng.float() - 1), i));
  for (let step = 0; step < 20; step++) {
    const { gradient } = await target.gradient(float32(data.features.dims, x), data.labels!, { kind: "cross-entropy" });
    x = x.map((v, i) => inside(v + 0.1 * eps * Math.sign(gradient[i]!), i));
  }
  const logits = await target.scores(float32(data.features.dims, x));
  await target.close();
  return accuracy(logits, data);
}

describe.skipIf(!sharedData)("training on real data", () => {
  const train = makeTrainer(ortEngine);
  afterAll(() => train.close());

  it.each([
    ["logistic", "iris.csv", ["Iris-setosa", "Iris-versicolor", "Iris-virginica"], 0.93],
    ["mlp", "iris.csv", ["Iris-setosa", "Iris-versicolor", "Iris-virginica"], 0.93],
    ["logistic", "banknote_authentication.csv", ["0", "1"], 0.97],
    ["mlp", "banknote_authentication.csv", ["0", "1"], 0.99],
  ] as const)("%s on %s", async (arch, file, classes, least) => {
    const { train: rows, test } = table(file, [...classes], 5);
    const trained = await train(rows, { arch }, context(1));
    expect(accuracy(await trained.logits(test), test)).toBeGreaterThanOrEqual(least);
  });

  it("a cnn on 10,000 MNIST digits with inputs 0 to 255 reaches 97.5 % on the test set", async () => {
    const trained = await train(mnist("train", 10_000), { arch: "cnn", epochs: 3 }, context(1));
    const test = mnist("t10k", 10_000);
    expect(accuracy(await trained.logits(test), test)).toBeGreaterThanOrEqual(0.975);
  }, 300_000);

  it("adversarial training holds at linf 0.2 of the range, where plain training falls to chance", async () => {
    const data = mnist("train", 2000);
    const test = mnist("t10k", 300);
    const options = { ...defaultsOf(adversarialTraining.options), eps: 51, steps: 3, relStep: 0.5 };
    const subject = { data, trainer: train, train: { epochs: 6 }, bounds: { low: 0, high: 255 } };
    const hardened = await adversarialTraining.apply(context(1), subject, options);
    const plain = await train(data, { epochs: 6 }, context(1));
    expect(accuracy(await hardened.logits(test), test)).toBeGreaterThan(0.9);
    expect(await robustAccuracy(hardened, test, 51)).toBeGreaterThan(0.6);
    expect(await robustAccuracy(plain, test, 51)).toBeLessThan(0.1);
  }, 300_000);
});
