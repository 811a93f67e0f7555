import { describe, expect, it } from "vitest";
import { linearData, linearTarget } from "../../../test/support/linear-target.ts";
import type { Dataset } from "../../data/dataset.ts";
import { seeded } from "../../random/index.ts";
import type { Target } from "../../target/target.ts";
import { float32 } from "../../tensor/index.ts";
import { quartiles, runEvasion } from "./frame.ts";
import { type EvasionAttack, fgsm, pgd, randomNoise, square } from "./index.ts";

const context = { rng: seeded(1), signal: new AbortController().signal, step: () => {} };
const made = async (size = 10): Promise<{ target: ReturnType<typeof linearTarget>; data: Dataset }> => {
  const target = linearTarget(seeded(9), { shape: [1, 4, 4], classes: 3 });
  return { target, data: await linearData(target, seeded(9), size) };
};

describe("what the frame refuses, each in words", () => {
  const cases: [string, (d: Dataset, t: Target) => [Dataset, Target], string, RegExp][] = [
    [
      "bounds that are not known",
      (d, t) => [d, { ...t, bounds: { low: -Infinity, high: Infinity } }],
      "BOUNDS_MISSING",
      /--bounds/,
    ],
    [
      "bounds the wrong way round",
      (d, t) => [d, { ...t, bounds: { low: 1, high: 0 } }],
      "BOUNDS_MISSING",
      /low below high/,
    ],
    [
      "data outside the bounds",
      (d, t) => [d, { ...t, bounds: { low: 0, high: 0.5 } }],
      "DATA_INVALID",
      /within the bounds 0 to 0.5/,
    ],
    ["no labels", (d, t) => [{ ...d, labels: null }, t], "DATA_LABELS", /no labels/],
    ["labels out of range", (d, t) => [{ ...d, labels: d.labels!.map(() => 3) }, t], "DATA_LABELS", /expected 0 to 2/],
    ["negative labels", (d, t) => [{ ...d, labels: d.labels!.map(() => -1) }, t], "DATA_LABELS", /label -1/],
    [
      "NaN in the data",
      (d, t) => [
        {
          ...d,
          features: float32(
            d.features.dims,
            d.features.data.map(() => NaN),
          ),
        },
        t,
      ],
      "DATA_INVALID",
      /NaN/,
    ],
    ["another shape", (d, t) => [d, { ...t, inputShape: [1, 5, 5] }], "SHAPE_MISMATCH", /\[1, 5, 5\]/],
    [
      "no rows",
      (d, t) => [{ ...d, size: 0, features: float32([0, 1, 4, 4]), labels: new Int32Array(0), rowIds: [] }, t],
      "NOT_ENOUGH_DATA",
      /no rows/,
    ],
    [
      "a model that answers NaN",
      (d, t) => [d, { ...t, scores: async () => Float32Array.of(NaN, 1, 2) }],
      "ENGINE_FAILED",
      /not a number/,
    ],
  ];
  it.each(cases)("%s", async (_, change, code, words) => {
    const { target, data } = await made();
    const [d, t] = change(data, target);
    const run = runEvasion(pgd, t, d, {}, context);
    await expect(run).rejects.toMatchObject({ code });
    await expect(runEvasion(pgd, t, d, {}, context)).rejects.toThrow(words);
  });
  it("options that the attack does not have, a norm that it is not made for, a budget of nothing", async () => {
    const { target, data } = await made();
    await expect(runEvasion(pgd, target, data, { options: { step: 1 } }, context)).rejects.toMatchObject({
      code: "OPTION_UNKNOWN",
    });
    await expect(runEvasion(square, target, data, { norm: "l1" }, context)).rejects.toMatchObject({
      code: "OPTION_RANGE",
    });
    await expect(runEvasion(pgd, target, data, { eps: 0 }, context)).rejects.toMatchObject({ code: "OPTION_RANGE" });
    await expect(runEvasion(pgd, target, data, { samples: 0 }, context)).rejects.toMatchObject({
      code: "OPTION_RANGE",
    });
    await expect(runEvasion(pgd, target, data, { targetClass: 3 }, context)).rejects.toMatchObject({
      code: "OPTION_RANGE",
    });
  });
  it("the dlr loss for two classes", async () => {
    const target = linearTarget(seeded(2), { shape: [5], classes: 2 });
    const data = await linearData(target, seeded(2), 4);
    await expect(runEvasion(pgd, target, data, { options: { loss: "dlr" } }, context)).rejects.toThrow(
      /at least 3 classes/,
    );
  });
});

describe("what the frame decides", () => {
  it("counts rows that were wrong before once, as errors and not as successes", async () => {
    const { target, data } = await made(10);
    const labels = data.labels!.map((label, k) => (k < 4 ? (label + 1) % 3 : label));
    const result = await runEvasion(pgd, target, { ...data, labels }, { eps: 0.4 }, context);
    expect(result.cleanAccuracy.value).toBeCloseTo(0.6);
    expect(result.successRate.value).toBe(1);
    expect(result.robustAccuracy.value).toBe(0);
    expect(result.examples.filter((e) => e.adversarial !== null)).toHaveLength(6);
    expect(result.examples.slice(0, 4).every((e) => e.distance === null && e.queries === 0)).toBe(true);
  });

  it("does not count a success that batches see and single inputs do not", async () => {
    const { target, data } = await made();
    const moody: Target = {
      ...target,
      // In company every changed input seems to be of another class; alone it is judged as it is.
      async scores(x) {
        const scores = await target.scores(x);
        return x.dims[0] === 1 ? scores : scores.map((_, k) => scores[k - (k % 3) + (((k % 3) + 1) % 3)]!);
      },
    };
    const settings = { eps: 1e-4, options: {}, batch: 8 };
    const result = await runEvasion(randomNoise, moody, data, settings, context);
    // All are closed after one query, since the crowd saw them fooled; none holds up alone.
    expect(result.examples.map((e) => e.queries)).toEqual(Array(10).fill(1));
    expect(result.successRate.value).toBe(0);
    for (const [k, e] of result.examples.entries()) {
      if (e.adversarial !== null) continue;
      expect([...result.inputs.data.subarray(16 * k, 16 * k + 16)]).toEqual([
        ...data.features.data.subarray(16 * k, 16 * k + 16),
      ]);
    }
  });

  it("takes an attack that leaves budget and bounds back into both, and believes only what fools from there", async () => {
    const { target, data } = await made(12);
    const cheat: EvasionAttack<object> = {
      ...fgsm,
      id: "cheat",
      options: {},
      async run(_, subject) {
        const rows = subject.open();
        for (const value of [9, -9])
          await subject.ask(
            rows,
            new Float32Array(rows.length * subject.d).map((_, k) => (k % 3 === 0 ? value : 1 - value)),
          );
      },
    };
    for (const eps of [0.3, 1e-5]) {
      const result = await runEvasion(cheat, target, data, { eps }, context);
      for (const v of result.inputs.data) expect(v >= 0 && v <= 1).toBe(true);
      for (const e of result.examples)
        if (e.distance !== null) expect(e.distance).toBeLessThanOrEqual(eps * (1 + 1e-6));
      if (eps === 0.3) expect(result.successRate.value).toBeGreaterThan(0);
      else expect(result.successRate.value).toBe(0);
    }
  });

  it("draws for each row by its id: equal rows get different noise, and a row gets the same in other company", async () => {
    const { target, data } = await made(2);
    const row = data.features.data.slice(0, 16);
    const twins = {
      ...data,
      features: float32([2, 1, 4, 4], Float32Array.of(...row, ...row)),
      labels: Int32Array.of(data.labels![0]!, data.labels![0]!),
    };
    const settings = { eps: 0.45, options: { draws: 50 } };
    const both = await runEvasion(randomNoise, target, twins, settings, context);
    expect(both.examples.every((e) => e.adversarial !== null)).toBe(true);
    const [first, second] = [both.inputs.data.slice(0, 16), both.inputs.data.slice(16)];
    expect([...first]).not.toEqual([...second]);
    const other = {
      ...twins,
      size: 1,
      features: float32([1, 1, 4, 4], row),
      labels: twins.labels.slice(1),
      rowIds: twins.rowIds.slice(1),
    };
    const alone = await runEvasion(randomNoise, target, other, settings, context);
    expect([...alone.inputs.data]).toEqual([...second]);
  });

  it("rounds to stored bytes, scores again, and keeps both numbers", async () => {
    const target = linearTarget(seeded(9), { shape: [1, 4, 4], classes: 3 });
    const near = await linearData(target, seeded(9), 40);
    const features = float32(
      near.features.dims,
      near.features.data.map((v) => Math.fround(Math.round(v * 255) / 255)),
    );
    const labels = await target.label(features);
    const data: Dataset = { ...near, features, labels, storedAs: "uint8" };
    const result = await runEvasion(pgd, target, data, { eps: 2.7 / 255 }, context);
    expect(result.beforeRounding).not.toBeNull();
    expect(result.beforeRounding!.successRate.value).toBeGreaterThanOrEqual(result.successRate.value);
    expect(result.successRate.value).toBeGreaterThan(0);
    for (const v of result.inputs.data) expect(Math.abs(v * 255 - Math.round(v * 255))).toBeLessThan(1e-4);
    for (const e of result.examples) if (e.distance !== null) expect(e.distance).toBeLessThanOrEqual(2 / 255 + 1e-6);
    const free = await runEvasion(pgd, target, data, { eps: 2.7 / 255, rounding: false }, context);
    expect(free.beforeRounding).toBeNull();
    expect(free.successRate.value).toBeGreaterThanOrEqual(result.successRate.value);
  });

  it("moves only numeric columns of a table, within their range, and whole numbers stay whole", async () => {
    const target = linearTarget(seeded(21), { shape: [4], classes: 2, bounds: { low: NaN, high: NaN } });
    const size = 60;
    const rng = seeded(22);
    const values = Float32Array.from({ length: size * 4 }, (_, k) =>
      k % 4 === 0
        ? rng.int(90) - 40
        : k % 4 === 1
          ? 100 * rng.float() - 50
          : k % 4 === 2
            ? k % 8 < 4
              ? 1
              : 0
            : k % 8 < 4
              ? 0
              : 1,
    );
    const features = float32([size, 4], values);
    const data: Dataset = {
      name: "table",
      size,
      features,
      labels: await target.label(features),
      classNames: ["no", "yes"],
      rowIds: Array.from(Array(size).keys(), String),
      groups: {},
      storedAs: "text",
      schema: {
        columns: [
          { name: "tenure", kind: "integer", role: "feature", min: -40, max: 49 },
          { name: "balance", kind: "number", role: "feature" },
          { name: "kind", kind: "category", role: "feature", categories: ["a", "b"] },
        ],
        inputs: [
          { column: "tenure" },
          { column: "balance" },
          { column: "kind", category: "a" },
          { column: "kind", category: "b" },
        ],
      },
      table: null,
    };
    for (const attack of [pgd, square, randomNoise]) {
      const result = await runEvasion<never>(attack as never, target, data, { eps: 0.3 }, context);
      expect(result.unit).toMatch(/column/);
      if (attack !== randomNoise) expect(result.successRate.value).toBeGreaterThan(0.1);
      for (let k = 0; k < size; k++) {
        const [a, b, c, d] = result.inputs.data.subarray(4 * k, 4 * k + 4);
        const [a0, b0, c0, d0] = values.subarray(4 * k, 4 * k + 4);
        expect([c, d]).toEqual([c0, d0]);
        expect(Number.isInteger(a)).toBe(true);
        expect(Math.abs(a! - a0!)).toBeLessThanOrEqual(0.3 * 89 + 1e-3);
        expect(Math.abs(b! - b0!)).toBeLessThanOrEqual(0.3 * 100 + 1e-3);
        expect(a! >= -40 && a! <= 49).toBe(true);
      }
    }
  });

  it("answers by label alone where the target gives no scores", async () => {
    const target = linearTarget(seeded(9), { shape: [8], classes: 3, can: ["label"] });
    const data = await linearData(target, seeded(9), 10);
    const result = await runEvasion(
      randomNoise,
      target,
      data,
      { eps: 0.45, options: { draws: 200, shape: "corners" } },
      context,
    );
    expect(result.successRate.value).toBeGreaterThan(0);
    await expect(runEvasion(square, target, data, {}, context)).rejects.toMatchObject({ code: "CAPABILITY_MISSING" });
  });

  it("chooses the same rows for the same seed, ascending, and all when there are few", async () => {
    const { target, data } = await made(30);
    const a = await runEvasion(fgsm, target, data, { samples: 7, eps: 0.01 }, context);
    const b = await runEvasion(fgsm, target, data, { samples: 7, eps: 0.01 }, context);
    expect(a.examples.map((e) => e.id)).toEqual(b.examples.map((e) => e.id));
    expect(a.samples).toBe(7);
    expect((await runEvasion(fgsm, target, data, { samples: 99, eps: 0.01 }, context)).samples).toBe(30);
  });
});

it("quartiles are those of type 7", () => {
  expect(quartiles(Float64Array.of(4, NaN, 1, 3, 2))).toEqual({ median: 2.5, q25: 1.75, q75: 3.25 });
  expect(quartiles(Float64Array.of(NaN))).toBeNull();
});
