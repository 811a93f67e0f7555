import { afterAll, describe, expect, it } from "vitest";
import {
  evasionAttacks,
  type EvasionResult,
  runEvasion,
  type EvasionSettings,
} from "../../src/attacks/evasion/index.ts";
import type { Dataset } from "../../src/data/dataset.ts";
import { ortEngine, referenceEngine } from "../../src/engine/index.ts";
import { float as floatAttribute, GraphBuilder, type Model } from "../../src/ir/index.ts";
import { seeded } from "../../src/random/index.ts";
import { openOnnxTarget, type OnnxTarget, type Target, withBudget } from "../../src/target/index.ts";
import { float32, sizeOf, type Tensor } from "../../src/tensor/index.ts";
import { modelOf } from "../support/run-graph.ts";
import { sharedData } from "../support/shared-data.ts";
import { cifarTest, mnistTest, thirdParty, type Examples } from "../support/third-party.ts";

const opened: OnnxTarget[] = [];
afterAll(async () => {
  for (const target of opened) await target.close();
});
const context = { rng: seeded(1), signal: new AbortController().signal, step: () => {} };
const attackOf = (id: string): (typeof evasionAttacks)[number] => evasionAttacks.find((attack) => attack.id === id)!;

function dataset(features: Tensor<"float32">, labels: Int32Array, storedAs: Dataset["storedAs"]): Dataset {
  const size = labels.length;
  const rowIds = Array.from(Array(size).keys(), String);
  return {
    name: "test",
    size,
    features,
    labels,
    classNames: [],
    rowIds,
    groups: {},
    storedAs,
    schema: null,
    table: null,
  };
}

/** A small network with a convolution: 1 x 6 x 6 to 3 classes. */
function convNet(): Model {
  const rng = seeded(5);
  const normal = (name: string, dims: readonly number[], sd: number): Tensor<"float32"> => {
    const data = new Float32Array(sizeOf(dims));
    rng.child(name).fillNormal(data, 0, sd);
    return float32(dims, data);
  };
  const b = new GraphBuilder();
  const x = b.input("x", "float32", ["n", 1, 6, 6]);
  const hidden = b.op("LeakyRelu", [b.op("Conv", [x, b.constant(normal("w", [4, 1, 3, 3], 0.6))])], {
    alpha: floatAttribute(0.1),
  });
  const z = b.op("Gemm", [
    b.op("Flatten", [hidden]),
    b.constant(normal("v", [64, 3], 0.5)),
    b.constant(normal("c", [3], 0.1)),
  ]);
  b.output(z, "float32", ["n", 3]);
  return modelOf(b.build());
}

describe("an ONNX network on the reference engine", () => {
  const cases = evasionAttacks.flatMap((attack) =>
    attack.norms.map((norm) => ({ attack, norm, id: `${attack.id} ${norm}` })),
  );
  const options: Record<string, EvasionSettings["options"]> = {
    "random-noise": { draws: 4 },
    fgsm: {},
    pgd: { steps: 6 },
    "apgd-ce": { steps: 8 },
    square: { queries: 12 },
  };

  it.each(cases)("$id gives the same bits for batches of 1, 3 and 64", async ({ attack, norm }) => {
    const target = await openOnnxTarget(convNet(), { engine: referenceEngine(), bounds: { low: 0, high: 1 } });
    opened.push(target);
    const values = new Float32Array(7 * 36);
    seeded(6).fillUniform(values, 0.2, 0.8);
    const features = float32([7, 1, 6, 6], values);
    const data = dataset(features, await target.label(features), "float32");
    const eps = { linf: 0.03, l2: 0.12, l1: 0.4 }[norm];
    const run = async (batch: number): Promise<unknown> => {
      const result: EvasionResult = await runEvasion(
        attack,
        target,
        data,
        { norm, eps, batch, options: options[attack.id]! },
        context,
      );
      return { ...result, seconds: 0, inputs: [...result.inputs.data] };
    };
    const first = await run(1);
    expect(await run(3)).toEqual(first);
    expect(await run(64)).toEqual(first);
  });

  it("stops at a query budget, in words", async () => {
    const target = await openOnnxTarget(convNet(), { engine: referenceEngine(), bounds: { low: 0, high: 1 } });
    opened.push(target);
    const features = float32([3, 1, 6, 6], new Float32Array(108).fill(0.5));
    const data = dataset(features, await target.label(features), "float32");
    const limited = withBudget(target, 20);
    const before = target.meter.queries;
    await expect(runEvasion(attackOf("square"), limited, data, { eps: 0.001 }, context)).rejects.toMatchObject({
      code: "BUDGET_SPENT",
    });
    expect(target.meter.queries - before).toBeLessThanOrEqual(20);
  });
});

describe.skipIf(!sharedData)("third-party networks on ONNX Runtime", () => {
  const open = async (path: string, high: number, more: object = {}): Promise<Target> => {
    const target = await openOnnxTarget(thirdParty(path), { engine: ortEngine, bounds: { low: 0, high }, ...more });
    opened.push(target);
    return target;
  };
  const bytes = ({ values, labels }: Examples, shape: readonly number[], factor: number): Dataset =>
    dataset(
      float32(
        [labels.length, ...shape],
        values.map((v) => Math.fround(factor === 255 ? Math.round(v * 255) : v)),
      ),
      labels,
      "uint8",
    );

  it("takes the MNIST network of the model zoo to 0 % at linf 0.3 of the range, though its softmax is saturated", async () => {
    const target = await open("models/mnist/cntk-mnist-8.onnx", 255);
    const data = bytes(mnistTest(200), [1, 28, 28], 255);
    const result = await runEvasion(attackOf("pgd"), target, data, { eps: 0.3 * 255 }, context);
    expect(result.cleanAccuracy.value).toBe(0.995);
    expect(result.robustAccuracy.value).toBe(0);
    expect(result.beforeRounding!.robustAccuracy.value).toBe(0);
    expect(result.notes.join(" ")).toMatch(/saturated/);
    for (const e of result.examples) if (e.distance !== null) expect(e.distance).toBeLessThanOrEqual(76);
  });

  it("finds on an adversarially trained CIFAR-10 network what its authors found, and no more than is proved", async () => {
    // VNN-COMP 2021: 69.25 % clean, 54.82 % under PGD and 26.88 % proved at 2/255, all on 10,000 test images.
    const target = await open("vnncomp/vnncomp2021-cifar10_resnet.tar.gz!cifar10_resnet/onnx/resnet_2b.onnx", 1, {
      mean: [0.4914, 0.4822, 0.4465],
      sd: [0.2471, 0.2435, 0.2616],
    });
    const data = bytes(await cifarTest(200), [3, 32, 32], 1);
    const robust = async (id: string): Promise<number> =>
      (await runEvasion(attackOf(id), target, data, { eps: 2 / 255 }, context)).robustAccuracy.value;
    const pgd = await robust("pgd");
    const apgd = await robust("apgd-ce");
    expect(apgd).toBeLessThanOrEqual(pgd);
    expect(apgd).toBeGreaterThan(0.269);
    // Four standard errors of 200 images about the published number.
    expect(Math.abs(pgd - 0.5482)).toBeLessThan(4 * Math.sqrt((0.5482 * 0.4518) / 200));
  });
});
