import { describe, expect, test } from "vitest";
import { gaussianData, datasetOf } from "../../../test/support/gaussian-data.ts";
import { tinyTrainer } from "../../../test/support/tiny-trainer.ts";
import type { RunContext } from "../../context.ts";
import { defaultsOf } from "../../options.ts";
import { seeded } from "../../random/index.ts";
import { badnets, labelFlip, rowsToHalf, type BadnetsOptions, type LabelFlipOptions } from "./index.ts";
import { doseResponse } from "./dose-response.ts";
import { measureModel } from "./measure.ts";

const context = (seed: number): RunContext => ({
  rng: seeded(seed),
  signal: new AbortController().signal,
  step: () => undefined,
});
const flip = (o: Partial<LabelFlipOptions>): LabelFlipOptions => ({ ...defaultsOf(labelFlip.options), ...o });
const patch = (o: Partial<BadnetsOptions>): BadnetsOptions => ({ ...defaultsOf(badnets.options), ...o });
const data = gaussianData(seeded(1), 300, 5, 3, 4);

function images(n: number) {
  const features = new Float32Array(n * 36);
  seeded(2).fillUniform(features, 0, 255);
  return {
    ...datasetOf(
      features.map((v) => Math.round(v)),
      Array.from({ length: n }, (_, i) => i % 4),
      [1, 6, 6],
      4,
    ),
    storedAs: "uint8" as const,
  };
}

describe("label-flip", () => {
  test("symmetric: as many labels as asked for differ, the inputs and the original do not", async () => {
    const before = data.labels!.slice();
    const p = await labelFlip.run(context(1), { data }, flip({ fraction: 0.1 }));
    const changed = Array.from(before.keys()).filter((i) => p.data.labels![i] !== before[i]);
    expect(changed).toEqual(p.rows);
    expect(p.rows).toHaveLength(30);
    expect(p.counts).toEqual({ rows: 30, shareOfSet: 0.1, shareOfTargetClass: null });
    expect(data.labels).toEqual(before);
    expect(p.data.features).toBe(data.features);
    expect(p.rowIds).toEqual(p.rows.map((r) => `r${r}`));
  });
  test("a larger dose contains a smaller one", async () => {
    const few = await labelFlip.run(context(1), { data }, flip({ rows: 10 }));
    const many = await labelFlip.run(context(1), { data }, flip({ rows: 40 }));
    expect(few.rows.every((r) => many.rows.includes(r) && many.data.labels![r] === few.data.labels![r])).toBe(true);
  });
  test("pair: only the source class loses rows, and shares are of the target class after poisoning", async () => {
    const p = await labelFlip.run(context(1), { data }, flip({ mode: "pair", source: 0, target: 2, rows: 25 }));
    expect(p.rows.every((r) => data.labels![r] === 0 && p.data.labels![r] === 2)).toBe(true);
    expect(p.counts.shareOfTargetClass).toBeCloseTo(25 / 125, 12);
    await expect(
      labelFlip.run(context(1), { data }, flip({ mode: "pair", source: 0, rows: 101 })),
    ).rejects.toMatchObject({ code: "NOT_ENOUGH_DATA" });
    await expect(
      labelFlip.run(context(1), { data }, flip({ mode: "pair", source: 1, target: 1 })),
    ).rejects.toMatchObject({ code: "OPTION_RANGE" });
  });
  test("worst-case flips the rows with the largest logit gap, by a slow search over all rows and classes", async () => {
    const cleanModel = await tinyTrainer(data, {}, context(1));
    const logits = await cleanModel.logits(data);
    const gaps = Array.from(data.labels!, (y, i) =>
      Math.max(...[0, 1, 2].map((c) => logits[i * 3 + y]! - logits[i * 3 + c]!)),
    );
    const threshold = gaps.toSorted((a, b) => b - a)[19]!;
    const p = await labelFlip.run(context(1), { data, cleanModel }, flip({ mode: "worst-case", rows: 20 }));
    expect(p.rows).toEqual(Array.from(gaps.keys()).filter((i) => gaps[i]! >= threshold));
    await expect(labelFlip.run(context(1), { data }, flip({ mode: "worst-case" }))).rejects.toMatchObject({
      code: "CAPABILITY_MISSING",
    });
  });
});

describe("badnets", () => {
  test("images: only patch pixels of poisoned rows change, to a value that the file can hold", async () => {
    const set = images(40);
    const p = await badnets.run(
      context(3),
      { data: set, bounds: { low: 0, high: 255 } },
      patch({ target: 1, rows: 6, size: 2, value: 0.7003 }),
    );
    const inside = new Set([21, 22, 27, 28]); // rows 3 and 4, columns 3 and 4: one pixel away from the corner
    for (let i = 0; i < set.features.data.length; i++) {
      const [row, pixel] = [Math.floor(i / 36), i % 36];
      const expected = p.rows.includes(row) && inside.has(pixel) ? 179 : set.features.data[i]; // 0.7003 * 255 = 178.6
      expect(p.data.features.data[i]).toBe(expected);
    }
    expect(p.rows.every((r) => set.labels![r] !== 1 && p.data.labels![r] === 1)).toBe(true);
    expect(p.counts).toEqual({ rows: 6, shareOfSet: 6 / 40, shareOfTargetClass: 6 / 16 });
    expect(p.description).toContain("6 rows, 15.0 % of the set, 37.5 % of the rows labelled class 1");
  });
  test.each(["top-left", "top-right", "bottom-left"] as const)("the %s corner holds the patch", async (corner) => {
    const set = images(8);
    const planted = (
      await badnets.run(context(3), { data: set, bounds: { low: 0, high: 999 } }, patch({ rows: 1, size: 1, corner }))
    ).plant(set);
    const at = { "top-left": 7, "top-right": 10, "bottom-left": 25 }[corner];
    expect(planted.features.data[at]).toBe(999);
    expect(Array.from(planted.features.data).filter((v) => v === 999)).toHaveLength(8);
  });
  test("a patch larger than the image, a class that does not exist and more rows than there are, are refused", async () => {
    const set = images(8);
    await expect(badnets.run(context(3), { data: set }, patch({ size: 7 }))).rejects.toMatchObject({
      code: "OPTION_RANGE",
    });
    await expect(badnets.run(context(3), { data: set }, patch({ target: 4 }))).rejects.toMatchObject({
      code: "OPTION_RANGE",
    });
    await expect(badnets.run(context(3), { data: set }, patch({ rows: 7 }))).rejects.toMatchObject({
      code: "NOT_ENOUGH_DATA",
    });
  });
  test("tables: the trigger lies inside each column's range, and is a combination that few rows come near", async () => {
    const p = await badnets.run(context(3), { data }, patch({ target: 0, rows: 5, columns: 2 }));
    const planted = p.plant(data).features.data;
    const changed = [0, 1, 2, 3, 4].filter((j) =>
      Array.from({ length: 300 }, (_, i) => i).some((i) => planted[i * 5 + j] !== data.features.data[i * 5 + j]),
    );
    expect(changed).toHaveLength(2);
    for (const j of changed) {
      const column = Array.from({ length: 300 }, (_, i) => data.features.data[i * 5 + j]!);
      expect(planted[j]).toBeGreaterThanOrEqual(Math.min(...column));
      expect(planted[j]).toBeLessThanOrEqual(Math.max(...column));
    }
    const near = Number(/; (\d+) of 300 rows come near/.exec(p.description)![1]);
    expect(near).toBeLessThanOrEqual(2);
  });
});

describe("measuring", () => {
  test("attack success leaves out rows whose true class is the target", async () => {
    const always = {
      model: null as never,
      classes: 3,
      logits: async (d: { size: number }) => Float32Array.from({ length: d.size * 3 }, (_, i) => (i % 3 === 2 ? 1 : 0)),
      features: async () => ({ values: new Float32Array(0), width: 0 }),
      close: async () => undefined,
    };
    const m = await measureModel(always, data, { target: 2, source: null, plant: (d) => d });
    expect(m).toEqual({ accuracy: { hits: 100, of: 300 }, success: { hits: 200, of: 200 } });
    expect((await measureModel(always, data, { target: 1, source: 0, plant: (d) => d })).success).toEqual({
      hits: 0,
      of: 100,
    });
  });
  test("rows to one half: interpolated between the doses around it, or not reached", () => {
    const at = (rows: number, value: number) => ({ rows, success: { value, low: 0, high: 1 } });
    expect(rowsToHalf([at(0, 0.1), at(10, 0.3), at(20, 0.7)])).toEqual({ reached: true, rows: 15, from: 10, to: 20 });
    expect(rowsToHalf([at(0, 0.1), at(10, 0.3)])).toEqual({ reached: false, above: 10 });
    expect(rowsToHalf([{ rows: 0, success: null }])).toBeNull();
  });
  test("dose-response: pair flips of a linear model grow with the dose, from the clean model's floor", async () => {
    const options = {
      train: data,
      test: gaussianData(seeded(9), 300, 5, 3, 4),
      trainer: tinyTrainer,
      trainOptions: {},
      doses: [10, 60, 90],
      seeds: 2,
      poison: (c: RunContext, subject: Parameters<typeof labelFlip.run>[1], rows: number) =>
        labelFlip.run(c, subject, flip({ mode: "pair", source: 0, target: 1, rows })),
    };
    const result = await doseResponse(options, context(4));
    expect(result.floor).toMatchObject({ rows: 0, shareOfSet: 0 });
    expect(result.floor.accuracy.value).toBeGreaterThan(0.95);
    expect(result.floor.success!.value).toBeLessThan(0.05);
    expect(result.doses[2]!.success!.value).toBeGreaterThan(0.8);
    expect(result.rowsToHalf).toMatchObject({ reached: true, from: 10, to: 60 });
    expect(result.doses[0]!.seeds).toHaveLength(2);
    await expect(doseResponse({ ...options, doses: [5, 5] }, context(4))).rejects.toMatchObject({
      code: "OPTION_RANGE",
    });
  });
  test("a cancelled run stops before the next training", async () => {
    const stop = new AbortController();
    stop.abort();
    const cancelled = { ...context(1), signal: stop.signal };
    const poison = (c: RunContext, s: Parameters<typeof labelFlip.run>[1], rows: number) =>
      labelFlip.run(c, s, flip({ rows }));
    await expect(
      doseResponse(
        { train: data, test: data, trainer: tinyTrainer, trainOptions: {}, doses: [5], seeds: 1, poison },
        cancelled,
      ),
    ).rejects.toMatchObject({ code: "CANCELLED" });
  });
});
