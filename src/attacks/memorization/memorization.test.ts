import { describe, expect, test } from "vitest";
import { datasetOf } from "../../../test/support/gaussian-data.ts";
import { linearData, linearTarget } from "../../../test/support/linear-target.ts";
import type { RunContext } from "../../context.ts";
import type { Dataset } from "../../data/index.ts";
import { seeded } from "../../random/index.ts";
import { auc } from "../../stats/index.ts";
import type { Target } from "../../target/index.ts";
import type { TrainedModel, Trainer } from "../../train/index.ts";
import { logSumExp } from "../../stats/index.ts";
import { entropy, lossThreshold, memorizationScore, modifiedEntropy, sampleRows } from "./index.ts";

const context = (seed = 1, signal = new AbortController().signal): RunContext => ({
  rng: seeded(seed),
  signal,
  step: () => undefined,
});

/** A target whose scores are given row by row: the feature of a row is its number. */
function tableTarget(scores: readonly (readonly number[])[]): Target {
  return {
    id: "table",
    can: new Set(["scores", "label"]),
    inputShape: [1],
    classes: scores[0]!.length,
    bounds: { low: 0, high: scores.length },
    meter: { queries: 0, gradients: 0 },
    scores: async (x) => Float32Array.from(Array.from(x.data).flatMap((i) => scores[i]!)),
    label: async (x) => Int32Array.from(x.data, (i) => scores[i]!.indexOf(Math.max(...scores[i]!))),
    gradient: async () => {
      throw new Error("no gradient here");
    },
    close: async () => undefined,
  };
}
const numbered = (labels: readonly number[], classes: number): Dataset =>
  datasetOf(Float32Array.from(labels.keys()), labels, [1], classes);

describe("scores of membership", () => {
  // Song & Mittal's formula written out with probabilities, for logits where that loses nothing.
  const byHand = (z: readonly number[], y: number): number => {
    const total = z.reduce((s, v) => s + Math.exp(v), 0);
    const p = z.map((v) => Math.exp(v) / total);
    return p.reduce((s, q, i) => s - (i === y ? (1 - q) * Math.log(q) : q * Math.log(1 - q)), 0);
  };
  test.each([
    { z: [0.3, -1.2, 0.9], y: 0 },
    { z: [0.3, -1.2, 0.9], y: 1 },
    { z: [0.3, -1.2, 0.9], y: 2 },
    { z: [-2, 1], y: 0 },
    { z: [5, 5, 5, 5], y: 3 },
  ])("modified entropy of $z for class $y is what the formula gives", ({ z, y }) => {
    expect(modifiedEntropy(Float64Array.from(z), y)).toBeCloseTo(byHand(z, y), 12);
  });
  test("two even classes have a modified entropy of log 2, and a surely wrong answer is far worse than a surely right one", () => {
    expect(modifiedEntropy(new Float64Array(2), 1)).toBeCloseTo(Math.log(2), 12);
    // p_y = 1 - e^-100: (1 - p) log p is about 0; p_y = e^-100: twice -log(e^-100).
    expect(modifiedEntropy(Float64Array.of(100, 0), 0)).toBeCloseTo(0, 12);
    expect(modifiedEntropy(Float64Array.of(100, 0), 1)).toBeCloseTo(200, 9);
  });
  test("logSumExp neither overflows nor forgets", () => {
    expect(logSumExp(Float64Array.of(1000, 1000))).toBeCloseTo(1000 + Math.LN2, 9);
    expect(logSumExp(Float64Array.of(1, 2, 3), 2)).toBeCloseTo(Math.log(Math.E + Math.E ** 2), 12);
    expect(logSumExp(Float64Array.of(7), 0)).toBe(-Infinity);
  });
  test("a confident right answer scores higher than a doubtful one, and that higher than a wrong one, in both attacks", async () => {
    const target = tableTarget([
      [9, 0, 0],
      [0.5, 0, 0],
      [0, 9, 0],
    ]);
    for (const attack of [lossThreshold, entropy]) {
      const [sure, doubtful, wrong] = await attack.run(context(), { target, data: numbered([0, 0, 0], 3) }, {});
      expect(sure!, attack.id).toBeGreaterThan(doubtful!);
      expect(doubtful!, attack.id).toBeGreaterThan(wrong!);
    }
  });
  test("loss-threshold is the log-odds of the label, and tells rows apart whose probability rounds to 1", async () => {
    const target = tableTarget([
      [60, 0, 0],
      [80, 0, 0],
    ]);
    const scores = await lossThreshold.run(context(), { target, data: numbered([0, 0], 3) }, {});
    expect(scores[0]).toBeCloseTo(60 - Math.LN2, 12);
    expect(scores[1]! - scores[0]!).toBeCloseTo(20, 12);
  });
  test.each([lossThreshold, entropy])(
    "$id finds the members of a model that knows them by heart, and nobody in a constant model",
    async (attack) => {
      const rng = seeded(5);
      const labels = Array.from({ length: 400 }, () => rng.int(2));
      const data = numbered(labels, 2);
      // The first 200 rows are known by heart; of the rest the model knows nothing.
      const knows = labels.map((y, i) => (i < 200 ? (y === 0 ? [4, 0] : [0, 4]) : [rng.normal(), rng.normal()]));
      const area = async (target: Target): Promise<number> => {
        const s = [...(await attack.run(context(), { target, data }, {}))];
        return auc(s.slice(0, 200), s.slice(200)).value;
      };
      expect(await area(tableTarget(knows))).toBeGreaterThan(0.95);
      expect(await area(tableTarget(labels.map(() => [0.7, 0.7])))).toBe(0.5);
    },
  );
  test("scores do not depend on the chunk: 600 rows at once are 600 rows one by one", async () => {
    const target = linearTarget(seeded(3), { shape: [4], classes: 3 });
    const data = await linearData(target, seeded(4), 600);
    const all = await entropy.run(context(), { target, data }, {});
    for (const i of [0, 255, 256, 599]) {
      const z = target.scores({ ...data.features, dims: [1, 4], data: data.features.data.slice(4 * i, 4 * i + 4) });
      expect(all[i]).toBe(-modifiedEntropy(Float64Array.from(await z), data.labels![i]!));
    }
  });
  test("without labels: DATA_LABELS", async () => {
    const data = { ...numbered([0], 2), labels: null };
    const target = tableTarget([[0, 1]]);
    await expect(lossThreshold.run(context(), { target, data }, {})).rejects.toMatchObject({ code: "DATA_LABELS" });
  });
  test("a sample is in row order, without repeats, the same for the same seed", () => {
    const data = numbered(
      Array.from({ length: 50 }, () => 0),
      2,
    );
    const ids = sampleRows(context(), data, 20, "x").rowIds;
    expect(new Set(ids).size).toBe(20);
    expect(ids.map((id) => Number(id.slice(1)))).toEqual(
      ids.map((id) => Number(id.slice(1))).toSorted((a, b) => a - b),
    );
    expect(sampleRows(context(), data, 20, "x").rowIds).toEqual(ids);
    expect(sampleRows(context(), data, 50, "x")).toBe(data);
  });
});

/** Knows each row that it saw by its id, and says class 0 with probability 3/4 of any other. */
const lookupTrainer: Trainer = async (data) => {
  const seen = new Map(data.rowIds.map((id, i) => [id, data.labels![i]!]));
  const model: TrainedModel = {
    model: null as never,
    classes: 2,
    logits: async (other) =>
      Float32Array.from(
        other.rowIds.flatMap((id) => {
          const y = seen.get(id);
          return y === undefined ? [Math.log(3), 0] : y === 0 ? [50, 0] : [0, 50];
        }),
      ),
    features: async () => ({ values: new Float32Array(), width: 0 }),
    close: async () => undefined,
  };
  return model;
};

describe("memorization-score", () => {
  const options = { subsets: 60, fraction: 0.7, epochs: 0, maxRows: 100 };
  const labels = [0, 0, 1, 0, 1, 0, 0, 1, 0, 0];
  const run = (trainer: Trainer, seed = 1) =>
    memorizationScore.run(context(seed), { train: numbered(labels, 2), arch: "mlp", trainer }, options);

  test("a look-up table memorizes exactly the rows that it would guess wrong", async () => {
    const c = await run(lookupTrainer);
    labels.forEach((y, i) => {
      expect(c.inside[i]! + c.outside[i]!).toBe(60);
      expect(c.outside[i]!).toBeGreaterThan(5);
      expect(c.insideCorrect[i]).toBe(c.inside[i]);
      expect(c.outsideCorrect[i]).toBe(y === 0 ? c.outside[i] : 0);
      expect(c.insideProbability[i]).toBeCloseTo(1, 12);
      expect(c.outsideProbability[i]).toBeCloseTo(y === 0 ? 0.75 : 0.25, 6);
    });
    // Every subset holds round(0.7 * 10) rows.
    expect(c.inside.reduce((a, b) => a + b)).toBe(7 * 60);
  });
  test("same seed, same counts; another seed, other subsets", async () => {
    expect(await run(lookupTrainer)).toEqual(await run(lookupTrainer));
    expect((await run(lookupTrainer, 2)).inside).not.toEqual((await run(lookupTrainer)).inside);
  });
  test("every model is closed, and asked to put up with classes that a subset lacks", async () => {
    let open = 0;
    let trained = 0;
    const counting: Trainer = async (data, given, inner) => {
      expect(given).toEqual({ arch: "mlp", emptyClasses: "allow" });
      expect(data.size).toBe(7);
      open++;
      trained++;
      return { ...(await lookupTrainer(data, given, inner)), close: async () => void open-- };
    };
    await run(counting);
    expect([open, trained]).toEqual([0, 60]);
  });
  test("too many rows are refused before any training, missing labels too, and a cancelled run stops", async () => {
    const never: Trainer = async () => {
      throw new Error("trained");
    };
    const train = numbered(labels, 2);
    const call = (data: Dataset, maxRows: number, signal?: AbortSignal) =>
      memorizationScore.run(context(1, signal), { train: data, arch: "mlp", trainer: never }, { ...options, maxRows });
    await expect(call(train, 9)).rejects.toMatchObject({ code: "OPTION_RANGE" });
    await expect(call({ ...train, labels: null }, 100)).rejects.toMatchObject({ code: "DATA_LABELS" });
    await expect(call(train, 100, AbortSignal.abort())).rejects.toMatchObject({ code: "CANCELLED" });
  });
});
