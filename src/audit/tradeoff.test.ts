import { describe, expect, test } from "vitest";
import { runContext } from "../context.ts";
import type { Dataset } from "../data/index.ts";
import { renderTradeoff, tradeoffDetails, tradeoffHeadline } from "../report/index.ts";
import { float32 } from "../tensor/index.ts";
import { measureTradeoff, type TrainAt, type TradeoffSpec } from "./tradeoff.ts";

/** 90 rows of "common", 10 of "rare"; groups north and south. */
const made = (size: number): Dataset => ({
  name: "made",
  size,
  features: float32([size, 1], new Float32Array(size)),
  labels: Int32Array.from({ length: size }, (_, i) => Number(i % 10 === 0)),
  classNames: ["common", "rare"],
  rowIds: Array.from({ length: size }, (_, i) => `r${i}`),
  groups: { side: Array.from({ length: size }, (_, i) => (i % 4 === 0 ? "south" : "north")) },
  storedAs: "float32",
  schema: null,
  table: null,
});
const data = made(100);

/** Right everywhere without privacy; with it the rare class is lost, and every tenth row by seed. */
const trainAt: TrainAt = async (epsilon, seed) => ({
  epsilon: epsilon === null ? null : epsilon * 0.999,
  predicted: Array.from(data.labels!, (y, i) =>
    epsilon === null ? y : epsilon < 2 ? (i % 10 === 1 + (seed % 8) ? 1 : 0) : y === 1 && i % 20 === 0 ? 0 : y,
  ),
});
const spec: TradeoffSpec = {
  train: data,
  test: data,
  epsilons: [8, null, 1],
  seeds: [0, 1, 2],
  trainAt,
  facts: { arch: "mlp", delta: 1e-5, adjacency: "add-or-remove", noise: "system" },
};

test("accuracy of all, of classes and groups, and the cost that the mean hides", async () => {
  const t = await measureTradeoff(spec, runContext());
  expect(t.points.map((p) => p.target)).toEqual([1, 8, null]);
  expect(t.points[0]).toMatchObject({ epsilon: 0.999, all: { name: "all" } });
  expect(t.points[0]!.all.accuracy.value).toBeCloseTo(0.8, 12);
  const [common, rare] = t.points[0]!.classes;
  expect(rare).toMatchObject({ name: "rare", trainRows: 10, testRows: 10, accuracy: { value: 0 }, cost: { value: 1 } });
  expect(common!.cost!.value).toBeCloseTo(1 / 9, 12);
  expect(t.points[1]!.classes[1]!.accuracy.value).toBe(0.5);
  expect(t.points[2]!.all).toMatchObject({ accuracy: { value: 1 }, cost: null });
  expect(t.points[0]!.groups[0]!.parts.map((p) => [p.name, p.trainRows])).toEqual([
    ["north", 75],
    ["south", 25],
  ]);
  expect(JSON.parse(JSON.stringify(t))).toEqual(t);
});

test("error bars are over seeds, and of the test rows where there is one seed", async () => {
  const wobbly: TrainAt = async (epsilon, seed) => ({
    epsilon,
    predicted: Array.from(data.labels!, (y, i) => (i < 10 * (seed + 1) ? 1 - y : y)), // accuracies 0.9, 0.8, 0.7
  });
  const three = await measureTradeoff({ ...spec, epsilons: [1], trainAt: wobbly }, runContext());
  const { accuracy, cost } = three.points[0]!.all;
  expect(accuracy.value).toBeCloseTo(0.8, 12);
  expect(accuracy.high - accuracy.value).toBeCloseTo(Math.min(0.2, (4.30265 * 0.1) / Math.sqrt(3)), 4);
  expect(cost).toBeNull();
  // Seeds that agree by chance do not hide how few rows there are.
  const agree = await measureTradeoff(spec, runContext());
  const rare = agree.points[0]!.classes[1]!;
  expect(rare.accuracy).toMatchObject({ value: 0, low: 0 });
  expect(rare.accuracy.high).toBeGreaterThan(0.25); // ten rows, none right: Wilson's upper end is 0.28
  expect(rare.cost!.low).toBeLessThan(0.75);
  const one = await measureTradeoff({ ...spec, seeds: [0], trainAt: wobbly }, runContext());
  expect(one.points[0]!.all.accuracy).toMatchObject({ value: 0.9, level: 0.95 });
  expect(one.points[0]!.all.accuracy.low).toBeGreaterThan(0.8);
  expect(one.caveats.join(" ")).toMatch(/one seed/);
});

test("the page and the sentence name the tail", async () => {
  const t = await measureTradeoff(spec, runContext());
  expect(tradeoffHeadline(t)).toMatch(
    /^At epsilon 0\.999 accuracy is 80\.?0? %, 20\.0 points less.*Class rare \(10 training rows\) loses 100\.0 points, common \(90\) loses 11\.1 points\./,
  );
  const [all, classes, sides] = tradeoffDetails(t);
  expect([all!.heading, classes!.heading, sides!.heading]).toEqual(["All rows", "By class", "By side"]);
  const table = classes!.details[1]!;
  expect(table.type === "table" && table.rows[0]).toMatchObject({ part: "rare", rows: 10, cost: { value: 1 } });
  const page = renderTradeoff({ ...t, data: `<img src=x onerror="1">` }, "0.0.0");
  expect(page).toContain("<svg");
  expect(page).toContain("By side");
  expect(page).not.toContain("<img src=x");
});

describe("refusals", () => {
  test.each([
    [{ epsilons: [] }, /epsilons above 0/],
    [{ epsilons: [0] }, /epsilons above 0/],
    [{ seeds: [1, 1] }, /different seeds/],
    [{ test: { ...data, labels: null } }, /has no labels/],
  ])("%#", async (more, message) => {
    await expect(measureTradeoff({ ...spec, ...more }, runContext())).rejects.toThrow(message);
  });
});
