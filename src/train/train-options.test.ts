import { describe, expect, it } from "vitest";
import { learningRateAt } from "./schedules.ts";
import { resolveTrainOptions } from "./train-options.ts";
import type { ScheduleId } from "./trainer.ts";

describe("resolveTrainOptions", () => {
  it("chooses by shape and size, and lets what is given win", () => {
    expect(resolveTrainOptions({}, 5000, [1, 28, 28]).arch).toBe("cnn");
    const table = resolveTrainOptions({ learningRate: 0.25, epochs: undefined as never }, 100, [4]);
    expect(table).toMatchObject({ arch: "mlp", learningRate: 0.25, hidden: [64, 64], batch: 100, epochs: 150 });
    expect(resolveTrainOptions({}, 10_000, [4])).toMatchObject({ batch: 128, epochs: 7 });
    expect(resolveTrainOptions({ batch: 500 }, 100, [4]).batch).toBe(100);
    expect(resolveTrainOptions({}, 1, [4]).batch).toBe(1);
  });

  it.each([
    [{ arch: "vgg" as never }, "UNKNOWN_ID", /logistic, mlp, cnn/],
    [{ epochs: 0 }, "OPTION_RANGE", /epochs must be a whole number from 1/],
    [{ batch: 2.5 }, "OPTION_RANGE", /batch/],
    [{ batch: 0 }, "OPTION_RANGE", /batch/],
    [{ learningRate: NaN }, "OPTION_RANGE", /learningRate/],
    [{ optimizer: "lion" as never }, "OPTION_RANGE", /one of sgd, adam/],
    [{ hidden: [0] }, "OPTION_RANGE", /hidden/],
    [{ arch: "logistic" as const, hidden: [3] }, "OPTION_RANGE", /no hidden layer/],
    [{ channels: [] }, "OPTION_RANGE", /channels must be one to six/],
    [{ blocks: 0 }, "OPTION_RANGE", /blocks must be a whole number from 1/],
    [{ rowWeights: new Float32Array(3) }, "OPTION_RANGE", /10 finite weights/],
    [{ rowWeights: new Float32Array(10).fill(-1) }, "OPTION_RANGE", /at least 0/],
    [{ loss: "next-token" as const }, "OPTION_RANGE", /loss must be one of cross-entropy/],
    [{ decay: "l1" as never }, "OPTION_RANGE", /decay must be one of l2, decoupled/],
    [{ clipNorm: -1 }, "OPTION_RANGE", /clipNorm must be a number/],
    [{ ema: 1 }, "OPTION_RANGE", /ema/],
    [{ nesterov: "yes" as never }, "OPTION_RANGE", /nesterov must be true or false/],
    [{ augment: { shift: 1, flip: true } }, "OPTION_RANGE", /no images/],
    [{ momentun: 1 } as never, "OPTION_UNKNOWN", /no option "momentun"/],
  ])("refuses %j", (given, code, message) => {
    const act = (): unknown => resolveTrainOptions(given, 10, [4]);
    expect(act).toThrow(message);
    expect(act).toThrow(expect.objectContaining({ code }));
  });
});

const schedule = (id: ScheduleId, warmUp: number | null = null) => ({
  schedule: id,
  learningRate: 2,
  warmUp,
  stepEvery: 0.25,
  stepFactor: 0.5,
});

describe("learningRateAt", () => {
  const rates = (id: ScheduleId, warmUp: number | null = null): number[] =>
    Array.from({ length: 100 }, (_, t) => learningRateAt(schedule(id, warmUp), t, 100));

  it("cosine rises over a tenth of the steps to the peak, then falls", () => {
    const got = rates("cosine");
    expect(got[0]).toBeCloseTo(2 / 11, 12);
    expect(got[10]).toBe(2);
    expect(Math.max(...got)).toBe(2);
    expect(got[55]).toBeCloseTo(1, 12);
    expect(got[99]).toBeGreaterThan(0);
    expect(got[99]).toBeLessThan(0.001);
    expect(learningRateAt(schedule("cosine"), 0, 1)).toBe(2);
  });

  it("constant stays, with a warm-up where it is asked for", () => {
    expect(new Set(rates("constant"))).toEqual(new Set([2]));
    expect(rates("constant", 0.2).slice(0, 21)).toEqual(
      Array.from({ length: 21 }, (_, t) => (t < 20 ? (2 * (t + 1)) / 21 : 2)),
    );
  });

  it("step falls by its factor after each share", () => {
    const got = rates("step");
    expect([0, 24, 25, 49, 50, 75, 99].map((t) => got[t])).toEqual([2, 2, 1, 1, 0.5, 0.25, 0.25]);
    // Shares that are no exact numbers fall at the step, not one later.
    const tenth = { ...schedule("step"), stepEvery: 0.1 };
    expect([29, 30, 69, 70].map((t) => learningRateAt(tenth, t, 100))).toEqual([0.5, 0.25, 2 / 64, 2 / 128]);
  });

  it("one-cycle begins at a 25th, peaks after 0.3 and ends at a 250 000th", () => {
    const got = rates("one-cycle");
    expect(got[0]).toBeCloseTo(0.08, 12);
    expect(got[15]).toBeCloseTo((2 + 0.08) / 2, 12);
    expect(got[30]).toBe(2);
    expect(got[99]).toBeCloseTo(8e-6, 12);
  });
});
