import { describe, expect, test } from "vitest";
import { gaussianData } from "../../../test/support/gaussian-data.ts";
import { tinyTrainer } from "../../../test/support/tiny-trainer.ts";
import type { RunContext } from "../../context.ts";
import { makeTransactions, tableDataset, type Dataset } from "../../data/index.ts";
import { seeded } from "../../random/index.ts";
import { float32 } from "../../tensor/index.ts";
import type { TrainedModel } from "../../train/trainer.ts";
import { lookUntilNothing, type Looked } from "./look-until-nothing.ts";

const WIDTH = 6;
const context = (seed: number): RunContext => ({
  rng: seeded(seed),
  signal: new AbortController().signal,
  step: () => undefined,
});
const clean = gaussianData(seeded(1), 1500, WIDTH, 3, 7);
const reference = gaussianData(seeded(2), 900, WIDTH, 3, 7);

/** Two groups of 40 rows of class 1, each far out on an axis of its own. */
const ofOne = Array.from(clean.labels!.keys()).filter((i) => clean.labels![i] === 1);
const groups = [ofOne.slice(0, 40), ofOne.slice(40, 80)] as const;
const planted = shifted(clean, [
  { rows: groups[0], axis: 4, by: 14 },
  { rows: groups[1], axis: 5, by: 9 },
]);

function shifted(data: Dataset, moves: { rows: readonly number[]; axis: number; by: number }[]): Dataset {
  const features = data.features.data.slice();
  for (const { rows, axis, by } of moves) for (const row of rows) features[row * WIDTH + axis]! += by;
  return { ...data, features: float32([data.size, WIDTH], features) };
}

const look = (data: Dataset, looks: number): Promise<Looked> =>
  lookUntilNothing(data, { detector: "spectral-signatures", reference, model: null, looks, train: null }, context(3));
const left = ({ kept }: Looked, rows: readonly number[]): number =>
  rows.filter((row) => kept.rowIds.includes(planted.rowIds[row]!)).length;

describe("looking until nothing is found", () => {
  test("a second group in the same class shows once the first is gone", async () => {
    const once = await look(planted, 1);
    expect(once.looks).toHaveLength(1);
    expect(left(once, groups[0]) + left(once, groups[1])).toBeGreaterThanOrEqual(20);
    const all = await look(planted, 5);
    expect(left(all, groups[0]) + left(all, groups[1])).toBe(0);
    expect(all.looks.length).toBeGreaterThanOrEqual(3);
    expect(all.looks.at(-1)!.flagged).toEqual([]);
    // Rows are named as in the data as given, once each, and the looks account for every row.
    const gone = all.looks.flatMap((l) => l.flagged);
    expect(gone.map((f) => planted.rowIds[f.row])).toEqual(gone.map((f) => f.id));
    expect(new Set(gone.map((f) => f.row)).size).toBe(planted.size - all.kept.size);
    expect(all.looks.map((l) => l.rows)).toEqual(
      all.looks.map((_, i) => planted.size - all.looks.slice(0, i).reduce((sum, l) => sum + l.flagged.length, 0)),
    );
    // What it costs in clean rows: half a group for each find, by the detector's margin.
    expect(gone.length - 80).toBeLessThanOrEqual(50);
  });

  test("clean data are looked at once and kept whole", async () => {
    const found = await look(clean, 5);
    expect(found.looks).toEqual([{ rows: clean.size, flagged: [] }]);
    expect(found.kept).toBe(clean);
  });

  test("without a reference there is one look, whatever it finds", async () => {
    // Honest, but the rare class looks wrong to its neighbours.
    const table = makeTransactions(4000, seeded(4));
    const data = tableDataset(table, "transactions", { label: "fraud", id: "id" });
    const settings = { detector: "knn-label-agreement", reference: null, model: null, looks: 5, train: null };
    const found = await lookUntilNothing(data, settings, context(3));
    expect(found.looks).toHaveLength(1);
    expect(found.looks[0]!.flagged.length).toBeGreaterThan(10);
  });

  test("the model that looks again was trained on the rest, and comes back for the caller to close", async () => {
    const trainedOn: number[] = [];
    let open = 0;
    const train = async (rows: Dataset): Promise<TrainedModel> => {
      trainedOn.push(rows.size);
      open++;
      const model = await tinyTrainer(rows, {}, context(4));
      return { ...model, close: async () => void (open--, await model.close()) };
    };
    const model = await train(planted);
    const settings = { detector: "spectral-signatures", reference, model, looks: 3, train };
    const found = await lookUntilNothing(planted, settings, context(3));
    expect(trainedOn).toEqual(found.looks.map((l) => l.rows));
    expect(found.model === null ? 1 : 2).toBe(open);
    await found.model?.close();
    await model.close();
    expect(open).toBe(0);
  });
});
