import { describe, expect, it } from "vitest";
import { learningRateAt } from "./optimizers.ts";
import { resolveTrainOptions } from "./train-options.ts";

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
    [{ arch: "resnet" as never }, "UNKNOWN_ID", /logistic, mlp, cnn/],
    [{ epochs: 0 }, "OPTION_RANGE", /epochs must be a whole number from 1/],
    [{ batch: 2.5 }, "OPTION_RANGE", /batch/],
    [{ batch: 0 }, "OPTION_RANGE", /batch/],
    [{ learningRate: NaN }, "OPTION_RANGE", /learningRate/],
    [{ optimizer: "lion" as never }, "OPTION_RANGE", /one of sgd, adam/],
    [{ hidden: [0] }, "OPTION_RANGE", /hidden/],
    [{ arch: "logistic" as const, hidden: [3] }, "OPTION_RANGE", /no hidden layer/],
    [{ channels: [4] }, "OPTION_RANGE", /channels must be two/],
    [{ rowWeights: new Float32Array(3) }, "OPTION_RANGE", /10 finite weights/],
    [{ rowWeights: new Float32Array(10).fill(-1) }, "OPTION_RANGE", /at least 0/],
    [{ momentun: 1 } as never, "OPTION_UNKNOWN", /no option "momentun"/],
  ])("refuses %j", (given, code, message) => {
    const act = (): unknown => resolveTrainOptions(given, 10, [4]);
    expect(act).toThrow(message);
    expect(act).toThrow(expect.objectContaining({ code }));
  });
});

describe("learningRateAt", () => {
  it("rises over a tenth of the steps to the peak, then falls like a cosine", () => {
    const rates = Array.from({ length: 100 }, (_, t) => learningRateAt("cosine", 2, t, 100));
    expect(rates[0]).toBeCloseTo(2 / 11, 12);
    expect(rates[10]).toBe(2);
    expect(Math.max(...rates)).toBe(2);
    expect(rates[55]).toBeCloseTo(1, 12);
    expect(rates[99]).toBeGreaterThan(0);
    expect(rates[99]).toBeLessThan(0.001);
    expect(learningRateAt("cosine", 2, 0, 1)).toBe(2);
    expect(learningRateAt("constant", 2, 99, 100)).toBe(2);
  });
});
