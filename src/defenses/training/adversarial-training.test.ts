import { describe, expect, it } from "vitest";
import type { RunContext } from "../../context.ts";
import type { Dataset } from "../../data/dataset.ts";
import { defaultsOf } from "../../options.ts";
import { seeded } from "../../random/index.ts";
import { float32, type Tensor } from "../../tensor/index.ts";
import type { TrainedModel, Trainer } from "../../train/trainer.ts";
import { adversarialTraining, type AdversarialTrainingOptions } from "./adversarial-training.ts";

const context: RunContext = { rng: seeded(5), signal: new AbortController().signal, step: () => {} };
const width = 3;
const rows = 8;
const values = Float32Array.from({ length: rows * width }, (_, i) => (i % 11) / 10);
const data: Dataset = {
  name: "made",
  size: rows,
  features: float32([rows, width], values),
  labels: new Int32Array(rows),
  classNames: ["a", "b"],
  rowIds: Array.from({ length: rows }, (_, i) => `r${i}`),
  groups: {},
  storedAs: "float32",
  schema: null,
  table: null,
};
/** A loss that is linear in the inputs: its worst input in the budget is known exactly. */
const slope = [1, -2, 0];

async function attacked(given: Partial<AdversarialTrainingOptions>, step = 50): Promise<Tensor<"float32">> {
  let out: Tensor<"float32"> | null = null;
  const trainer: Trainer = async (d, _options, _context, hooks) => {
    const batch = {
      features: d.features,
      targets: float32([rows, 2]),
      rows: Uint32Array.from({ length: rows }, (_, i) => i),
      epoch: 0,
      step,
      steps: 100,
    };
    const gradient = async (x: Tensor<"float32">): Promise<Float32Array> => x.data.map((_, i) => slope[i % width]!);
    out = await hooks!.batch!(batch, gradient);
    return {} as TrainedModel;
  };
  const options = { ...defaultsOf(adversarialTraining.options), eps: 0.25, ...given };
  await adversarialTraining.apply(context, { data, trainer, train: {}, bounds: { low: 0, high: 1 } }, options);
  return out!;
}

const worst = (eps: number): number[] =>
  [...values].map((v, i) => Math.min(1, Math.max(0, v + eps * Math.sign(slope[i % width]!))));

describe("adversarial-training", () => {
  it("reaches the worst input of a linear loss, inside budget and bounds", async () => {
    const found = (await attacked({ randomStart: false })).data;
    worst(0.25).forEach((v, i) => expect(found[i]).toBeCloseTo(v, 6));
  });

  it("starts at random within the budget, the same for the same generator", async () => {
    const a = (await attacked({ relStep: 1e-6 })).data;
    expect([...(await attacked({ relStep: 1e-6 })).data]).toEqual([...a]);
    const moves = [...a].map((v, i) => v - values[i]!);
    expect(Math.max(...moves.map(Math.abs))).toBeLessThanOrEqual(0.25 + 1e-6);
    expect(moves.filter((m) => Math.abs(m) > 0.02).length).toBeGreaterThan(rows);
    expect(Math.min(...a)).toBeGreaterThanOrEqual(0);
    expect([...(await attacked({ relStep: 1e-6 }, 51)).data]).not.toEqual([...a]);
  });

  it("grows the budget while it warms up", async () => {
    const found = (await attacked({ randomStart: false, warmUp: 0.5, relStep: 1 }, 24)).data;
    worst((0.25 * 25) / 51).forEach((v, i) => expect(found[i]).toBeCloseTo(v, 6));
  });

  it("keeps the asked share of rows clean", async () => {
    const found = (await attacked({ mix: 0.5 })).data;
    const clean = data.rowIds.filter((_, r) =>
      values.subarray(r * width, (r + 1) * width).every((v, j) => v === found[r * width + j]),
    );
    expect(clean).toHaveLength(rows / 2);
  });

  it("refuses data outside the bounds, naming the row", async () => {
    const subject = { data, trainer: (async () => ({})) as never, train: {}, bounds: { low: 0, high: 0.5 } };
    const act = adversarialTraining.apply(context, subject, defaultsOf(adversarialTraining.options));
    await expect(act).rejects.toMatchObject({ code: "DATA_INVALID", details: { row: "r2" } });
    const bounds = { low: 1, high: 1 };
    const empty = adversarialTraining.apply(context, { ...subject, bounds }, defaultsOf(adversarialTraining.options));
    await expect(empty).rejects.toMatchObject({ code: "OPTION_RANGE" });
  });
});
