import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { diracs, linearTiny, modelOf, normOf, quiet, withRow } from "../../../test/support/private-tiny.ts";
import { isCancelled } from "../../errors.ts";
import { ortEngine } from "../../engine/ort-node.ts";
import { GraphBuilder, int, type Node } from "../../ir/index.ts";
import { openLedgerFile, parseEvent, pldOf } from "../../privacy/index.ts";
import { seeded } from "../../random/index.ts";
import { float32, int64 } from "../../tensor/index.ts";
import { checkpointFolder } from "../checkpoints/checkpoint-folder.ts";
import type { Trainable } from "../architectures.ts";
import { openNoise } from "./noise.ts";
import { calibratePlan, sourceOf, type PrivatePlan } from "./plan.ts";
import { poissonSampler } from "./sampler.ts";
import { privateMean } from "./private-mean.ts";
import { makePrivateTrainer, wholeEvent } from "./trainer.ts";

const spec = { records: 60, batch: 20, steps: 6, targetEpsilon: 3, delta: 1e-4, clip: 0.5 } as const;
let plan: PrivatePlan;
let openPlan: PrivatePlan;
beforeAll(() => {
  plan = calibratePlan(spec);
  openPlan = calibratePlan({ ...spec, seed: 5 });
});
const train = makePrivateTrainer(ortEngine, { threads: 1 });
const plain = { learningRate: 1, momentum: 0 } as const;
const folder = mkdtempSync(join(tmpdir(), "private-"));
afterAll(() => rmSync(folder, { recursive: true }));

describe("a plan", () => {
  it("keeps its target, by the account of its events", () => {
    expect(plan.epsilon).toBeLessThanOrEqual(3);
    expect(plan.epsilon).toBeGreaterThan(2.99);
    expect(pldOf(wholeEvent(plan), plan.adjacency).epsilon(plan.delta)).toBe(plan.epsilon);
    expect(Number.isInteger(plan.rate * 2 ** 32)).toBe(true);
    expect(plan.expectedBatch).toBeCloseTo(20, 5);
    expect(Object.isFrozen(plan)).toBe(true);
  });
  it("says NOT PRIVATE when seeded, and nobody knows what it costs; the seed is not in it", () => {
    expect(openPlan.noise).toMatch(/NOT PRIVATE/);
    expect(openPlan.epsilon).toBe(Infinity);
    expect(openPlan.event.kind).toBe("unsupported");
    expect(Object.values(openPlan)).not.toContain(5);
  });
  it.each([
    ["batch", { batch: 61 }, /at most the 60 records, got 61/],
    ["target", { targetEpsilon: 1e-6, steps: 1e6 }, /cannot be reached.*fewer steps/],
    ["delta", { delta: 0.5 }, /not below 1\/60/],
    ["clip", { clip: 0 }, /clip must be/],
    ["steps and epochs", { epochs: 3 }, /either steps or epochs/],
    ["records", { records: 1.5 }, /records must be a whole number/],
    ["count noise", { adaptiveClip: { countNoise: 0.01 } }, /countNoise must be above/],
  ])("refuses a wrong %s", (_, more, message) => {
    expect(() => calibratePlan({ ...spec, ...more })).toThrow(message);
  });
  it("is refused when it was changed by hand, with what is wrong with it", async () => {
    const tampered = { ...plan, sigma: plan.sigma / 2 };
    await expect(train(linearTiny(60), diracs(60, 60), tampered, {}, quiet())).rejects.toMatchObject({
      code: "PLAN_INVALID",
      message: expect.stringMatching(/sigma .* cost epsilon .*, it claims/),
    });
    const copied = { ...plan };
    await expect(train(linearTiny(60), diracs(60, 60), copied, {}, quiet())).rejects.toThrow(/copied/);
  });
});

describe("a private mean", () => {
  it("is near the mean, costs what a plan then counts, and is refused by a plan when its noise was seeded", () => {
    const rows = float32(
      [500, 3],
      Array.from({ length: 1500 }, (_, i) => [1, -2, (i % 7) - 3][i % 3]!),
    );
    const { mean, event } = privateMean(rows, { norm: 4, sigma: 2 });
    const exact = [0, 1, 2].map((j) => {
      let sum = 0;
      for (let i = 0; i < 500; i++) sum += rows.data[3 * i + j]!;
      return sum / 500;
    });
    mean.forEach((v, j) => expect(Math.abs(v - exact[j]!)).toBeLessThan((5 * 8) / 500));
    const both = calibratePlan({ ...spec, also: [event] });
    expect(both.sigma).toBeGreaterThan(plan.sigma);
    expect(both.epsilon).toBeLessThanOrEqual(3);
    expect(wholeEvent(both)).toMatchObject({ events: [{ kind: "gaussian", sigma: 2 }, { count: 6 }] });
    const seededMean = privateMean(rows, { norm: 4, sigma: 2, source: sourceOf(openPlan) });
    expect(() => calibratePlan({ ...spec, also: [seededMean.event] })).toThrow(/NOT PRIVATE/);
    expect(() => privateMean(rows, { norm: 0, sigma: 2 })).toThrow(/norm and sigma above 0/);
  });
});

describe("the sampler", () => {
  it("takes each record with the planned probability, each step anew, and says what it did", () => {
    const sampler = poissonSampler(plan, sourceOf(openPlan), 8);
    const counts = new Float64Array(60);
    const sizes: number[] = [];
    const n = 4000;
    for (let i = 0; i < n; i++) {
      const { groups, event } = sampler.draw();
      expect(event).toBe(plan.event);
      const rows = groups.flatMap((g) => [...g]);
      expect(new Set(rows).size).toBe(rows.length);
      expect(groups.every((g) => g.length <= 8)).toBe(true);
      sizes.push(rows.length);
      for (const r of rows) counts[r]!++;
    }
    const { rate } = plan;
    const statistic = counts.reduce((s, c) => s + (c - n * rate) ** 2 / (n * rate * (1 - rate)), 0);
    expect(statistic).toBeLessThan(130); // chi-square with 60 degrees: 1e-6 above 129
    const mean = sizes.reduce((a, b) => a + b) / n;
    const variance = sizes.reduce((s, x) => s + (x - mean) ** 2, 0) / n;
    expect(Math.abs(variance / (60 * rate * (1 - rate)) - 1)).toBeLessThan(0.15); // a binomial, not a fixed size
  });
  it("keeps a random part of a sample above the cap", () => {
    const small = calibratePlan({ ...spec, cap: 5 });
    const sampler = poissonSampler(small, sourceOf(openPlan), 2);
    const counts = new Float64Array(60);
    for (let i = 0; i < 3000; i++) {
      const rows = sampler.draw().groups.flatMap((g) => [...g]);
      expect(rows.length).toBeLessThanOrEqual(5);
      for (const r of rows) counts[r]!++;
    }
    const expected = counts.reduce((a, b) => a + b) / 60;
    expect(counts.reduce((s, c) => s + (c - expected) ** 2 / expected, 0)).toBeLessThan(129);
  });
});

describe("the noise", () => {
  it("is a Gaussian of sigma times the norm on a grid, a little wider than accounted", () => {
    const d = 20_000;
    const noise = openNoise(plan, sourceOf(openPlan), d);
    expect(noise.sigma / plan.sigma).toBeCloseTo(1 + 2 ** -10, 9);
    const sum = noise.open(0.5);
    sum.add(new Float32Array(d).fill(0.25));
    sum.add(new Float32Array(d).fill(0.5));
    const out = sum.release(2);
    const mean = out.reduce((a, b) => a + b) / d;
    const sd = (noise.sigma * 0.5) / 2;
    expect(Math.abs(mean - 0.375)).toBeLessThan((4.9 * sd) / Math.sqrt(d));
    const variance = out.reduce((s, x) => s + (x - 0.375) ** 2, 0) / d;
    expect(Math.abs(variance / sd ** 2 - 1)).toBeLessThan(4.9 * Math.sqrt(2 / d));
    // What was summed is gone, the noise is fresh.
    const next = sum.release(2);
    expect(Math.abs(next.reduce((a, b) => a + b) / d)).toBeLessThan((4.9 * sd) / Math.sqrt(d));
    expect(next[0]).not.toBe(out[0]);
  });
  it("refuses more parameters than its grid can pay for", () => {
    expect(() => openNoise(plan, sourceOf(plan), 1e19)).toThrow(/finer noise grid.*fewer parameters/);
  });
});

describe("training", () => {
  it("changes by at most the clip norm over the expected batch when one record changes, whatever is in it", async () => {
    const one = calibratePlan({ ...spec, steps: 1, seed: 5 });
    const run = async (row: number[]) =>
      (await train(linearTiny(4), withRow(diracs(60, 4, 1), 7, row), one, plain, quiet())).parameters;
    const base = await run([0, 0, 0, 0]); // adds nothing: as if it were not there
    let moved = 0;
    for (const row of [
      [0, 0, 0, 3],
      [1e4, -1e4, 1e4, 1e4],
      [NaN, 0, 0, 0],
      [Infinity, 1, 1, 1],
      [1e30, 0, 0, 1e30],
    ]) {
      const other = await run(row);
      const difference = normOf(other.map((v, i) => v - base[i]!));
      expect(difference).toBeLessThanOrEqual((spec.clip / one.expectedBatch) * (1 + 1e-6));
      moved = Math.max(moved, difference);
    }
    expect([0, 1]).toContain(Math.round((moved * one.expectedBatch) / spec.clip)); // all or nothing of the bound
  });
  it("noises empty batches like others, and counts them", async () => {
    const rare = calibratePlan({ ...spec, batch: 0.05, steps: 4, targetEpsilon: 0.5 });
    const seen: number[][] = [];
    const step = (_: number, p: Float32Array) => void seen.push([...p]);
    const result = await train(linearTiny(60), diracs(60, 60), rare, plain, quiet(), { step });
    expect(seen).toHaveLength(4);
    expect(new Set(seen.flat()).size).toBe(seen.flat().length);
    expect(result.event).toMatchObject({ events: [{ count: 4 }] });
    expect(result.epsilon).toBeLessThanOrEqual(rare.epsilon);
  });
  it("is repeatable when seeded, never otherwise", async () => {
    const run = (p: PrivatePlan) =>
      train(linearTiny(4), diracs(60, 4), p, plain, quiet()).then((r) => [...r.parameters]);
    expect(await run(openPlan)).toEqual(await run(openPlan));
    expect(await run(plan)).not.toEqual(await run(plan));
  });
  it("learns: two groups of points, epsilon 2", async () => {
    const rng = seeded(3);
    const n = 2000;
    const targets = float32([n, 2]);
    const x = Array.from({ length: n }, (_, i) => {
      targets.data[2 * i + (i % 2)] = 1;
      return [(i % 2 ? 1 : -1) + 0.5 * rng.normal(), 0.3 * rng.normal(), 1];
    }).flat();
    const good = calibratePlan({ records: n, batch: 100, steps: 40, targetEpsilon: 2, delta: 1e-5, clip: 0.5 });
    const { parameters: w, model } = await train(
      linearTiny(3),
      { features: float32([n, 3], x), targets },
      good,
      { learningRate: 1 },
      quiet(),
    );
    let right = 0;
    for (let i = 0; i < n; i++) {
      const z = [0, 1].map((k) => [0, 1, 2].reduce((s, j) => s + x[3 * i + j]! * w[2 * j + k]!, 0));
      right += Number(z[i % 2]! > z[1 - (i % 2)]!);
    }
    expect(right / n).toBeGreaterThan(0.95); // the best is 0.977
    expect(model.graph.constants.get("w")!.data).toEqual(w);
  });
  it("takes whole-number inputs and next-token targets", async () => {
    const b = new GraphBuilder();
    const ids = b.input("ids", "int64", ["N", 3]);
    const table = b.constant(
      float32(
        [5, 5],
        Float32Array.from({ length: 25 }, (_, i) => Math.sin(i)),
      ),
      "table",
    );
    const logits = b.output(b.op("Gather", [table, ids], { axis: int(0) }), "float32", ["N", 3, 5], "logits");
    const trainable: Trainable = { model: modelOf(b), parameters: [table], frozen: [], features: logits };
    const tokens = int64(
      [60, 3],
      Array.from({ length: 180 }, (_, i) => i % 5),
    );
    const result = await train(trainable, { features: tokens, targets: tokens }, plan, { loss: "next-token" }, quiet());
    expect(result.parameters).toHaveLength(25);
  });
  it("an adaptive clip norm goes to the quantile", async () => {
    const many = calibratePlan({
      records: 2000,
      batch: 400,
      steps: 60,
      targetEpsilon: 12,
      delta: 1e-5,
      clip: 100,
      adaptiveClip: {},
    });
    const norms: number[] = [];
    const examples = diracs(2000, 50, 3); // at W = 0 all gradients have norm 3 / sqrt(2)
    const frozenModel = { learningRate: 0, momentum: 0 };
    const place = checkpointFolder(join(folder, "adaptive"));
    await train(linearTiny(50), examples, many, frozenModel, quiet(), { checkpoint: { store: place } });
    const { decodeCheckpoint } = await import("../checkpoints/checkpoint.ts");
    const open = await place.open();
    norms.push(decodeCheckpoint((await open.read())!).vectors.at(-1)![0]!);
    await open.close();
    expect(norms[0]! / (3 / Math.SQRT2)).toBeGreaterThan(0.85);
    expect(norms[0]! / (3 / Math.SQRT2)).toBeLessThan(1.2);
  });
});

describe("what mixes examples is refused by name", () => {
  const model = (make: (b: GraphBuilder, x: string) => string, extra: Partial<Node> = {}): Trainable => {
    const b = new GraphBuilder();
    const x = b.input("x", "float32", ["N", 4]);
    const w = b.constant(float32([4, 2], [1, 2, 3, 4, 5, 6, 7, 8]), "w");
    const logits = b.output(b.matmul(make(b, x), w), "float32", ["N", 2], "logits");
    void extra;
    return { model: modelOf(b), parameters: [w], frozen: [], features: logits };
  };
  const ones = (b: GraphBuilder, name: string, value: number) =>
    b.constant(float32([4], new Float32Array(4).fill(value)), name);
  it.each<[string, Trainable]>([
    [
      "BatchNormalization",
      model(
        (b, x) =>
          b.opN(
            "BatchNormalization",
            [x, ones(b, "s", 1), ones(b, "b", 0), ones(b, "m", 0), ones(b, "v", 1)],
            3,
            { training_mode: int(1) },
            "norm",
          )[0]!,
      ),
    ],
    ["ReduceMean", model((b, x) => b.sub(x, b.op("ReduceMean", [x, b.indices([0])], {}, "norm")))],
    ["CumSum", model((b, x) => b.op("CumSum", [x, b.constant(int64([], [0]), "axis")], {}, "norm"))],
  ])("%s", async (op, trainable) => {
    await expect(train(trainable, diracs(60, 4), plan, {}, quiet())).rejects.toMatchObject({
      code: "MODEL_UNSUPPORTED",
      message: expect.stringMatching(new RegExp(`${op} \\(node "norm"\\)`)),
    });
  });
});

describe("budget and resume", () => {
  const path = join(folder, "ledger");
  it("charges a ledger for the whole training before it begins; seeded noise is refused", async () => {
    const budget = { epsilon: 8, delta: 1e-4, adjacency: "add-or-remove", dataset: "diracs" } as const;
    const ledger = openLedgerFile(path, budget);
    await expect(train(linearTiny(4), diracs(60, 4), openPlan, {}, quiet(), { ledger })).rejects.toMatchObject({
      code: "USAGE",
      message: expect.stringMatching(/seeded noise.*without a seed/),
    });
    expect(ledger.entries).toHaveLength(0);
    await train(linearTiny(4), diracs(60, 4), plan, {}, quiet(), { ledger });
    expect(ledger.entries).toMatchObject([{ committed: true }]);
    expect(parseEvent(ledger.entries[0]!.event)).toEqual(wholeEvent(plan));
    await expect(
      (async () => {
        for (let i = 0; i < 9; i++) await train(linearTiny(4), diracs(60, 4), plan, {}, quiet(), { ledger });
      })(),
    ).rejects.toMatchObject({ code: "BUDGET_SPENT" });
    ledger.close();
  });
  it("goes on after a stop with fresh noise; after a crash, steps that may have run count as spent", async () => {
    const long = calibratePlan({ ...spec, steps: 40 });
    const store = checkpointFolder(join(folder, "resume"));
    const stop = new AbortController();
    const step = (done: number) => void (done === 10 && stop.abort());
    const run = (more: object, context = quiet()) =>
      train(linearTiny(4), diracs(60, 4), long, plain, context, { checkpoint: { store, everySteps: 8 }, ...more });
    const error = await run({ step }, quiet({ signal: stop.signal })).catch((e: unknown) => e);
    expect(isCancelled(error)).toBe(true);
    // A crash in step 21: no checkpoint after it.
    const crash = (done: number) => {
      if (done === 21) throw new Error("power cut");
    };
    await expect(run({ step: crash })).rejects.toThrow("power cut");
    const left: number[] = [];
    const result = await run({ step: (done: number) => void left.push(done) });
    expect(result.event).toMatchObject({ events: [{ count: 40 }] });
    expect(result.updates).toBeLessThan(40);
    expect(left[0]).toBeGreaterThan(22);
    expect(left).toHaveLength(40 - left[0]! + 1);
    expect(result.updates).toBeGreaterThanOrEqual(40 - 8);
    // Another plan, data or option does not go on from there.
    await expect(
      train(linearTiny(4), diracs(60, 4, 2), long, plain, quiet(), { checkpoint: { store } }),
    ).rejects.toThrow(/another training: data/);
  });
});
