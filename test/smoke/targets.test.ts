import { describe, expect, it } from "vitest";
import { ortEngine } from "../../src/engine/index.ts";
import { openOnnxTarget } from "../../src/target/index.ts";
import type { LossSpec, OnnxTarget, OnnxTargetOptions } from "../../src/target/index.ts";
import { seeded } from "../../src/random/index.ts";
import { float32 } from "../../src/tensor/index.ts";
import { sharedData } from "../support/shared-data.ts";
import { cifarTest, iris, mnistTest, thirdParty } from "../support/third-party.ts";
import type { Examples } from "../support/third-party.ts";

interface Case {
  readonly path: string;
  readonly data: (n: number) => Examples | Promise<Examples>;
  readonly n: number;
  /** Published or independently measured share of right answers. */
  readonly accuracy: number;
  readonly options?: Omit<Partial<OnnxTargetOptions>, "engine">;
  /** Part of the message where the model has no gradient. */
  readonly noGradient?: RegExp;
}

const bytes = { bounds: { low: 0, high: 255 } };
const scaled = (n: number): Examples => {
  const data = mnistTest(n);
  return { ...data, values: data.values.map((v) => Math.round(v * 255)) };
};
const transposed = (n: number): Examples => {
  const data = mnistTest(n);
  const values = data.values.map((_, at) => {
    const i = Math.floor(at / 784);
    const p = at % 784;
    return data.values[i * 784 + (p % 28) * 28 + Math.floor(p / 28)]!;
  });
  return { ...data, values };
};
const burn = { mean: [0.1307], sd: [0.3081] };
const resnet = { mean: [0.4914, 0.4822, 0.4465], sd: [0.2471, 0.2435, 0.2616] };
const oval = { mean: [0.485, 0.456, 0.406], sd: [0.225] };
const resnets = "vnncomp/vnncomp2021-cifar10_resnet.tar.gz!cifar10_resnet/onnx";
const fc = "vnncomp/vnncomp2022-mnist_fc.tar.gz!mnist_fc/onnx/mnist-net_256x";
const ovals = "vnncomp/vnncomp2022-oval21.tar.gz!oval21/onnx/cifar";
const cora = "vnncomp/vnncomp2024-cora-mnist.tar.gz!cora/onnx/mnist";

const cases: Case[] = [
  ...["7", "8", "opt", "winml"].map((v) => ({
    path: `models/mnist/cntk-mnist-${v}.onnx`,
    data: scaled,
    n: 2000,
    accuracy: 0.984,
    options: bytes,
  })),
  { path: "models/mnist/burn-mnist-bn.onnx", data: mnistTest, n: 2000, accuracy: 0.988, options: burn },
  { path: "models/mnist/tribuo-cnn-mnist.onnx", data: mnistTest, n: 2000, accuracy: 0.985 },
  {
    path: "models/tabular/winml-iris-mlp.onnx",
    data: iris,
    n: 150,
    accuracy: 0.98,
    options: { bounds: { low: 0, high: 8 } },
  },
  // Measured here; nobody else states them.
  ...(
    [
      ["sklearn_randomforest", 0.9867],
      ["ankane-randomforest", 0.9667],
    ] as const
  ).map(([name, accuracy]) => ({
    path: `models/tabular/${name}.onnx`,
    data: iris,
    n: 150,
    accuracy,
    options: { bounds: { low: 0, high: 8 } },
    noGradient: /TreeEnsembleClassifier/,
  })),
  {
    path: "models/cifar10/winml-ImageClassifier.onnx",
    data: cifarTest,
    n: 1000,
    accuracy: 0.655,
    options: { mean: [0.5], sd: [0.5] },
  },
  { path: `${resnets}/resnet_2b.onnx`, data: cifarTest, n: 1000, accuracy: 0.703, options: resnet },
  { path: `${resnets}/resnet_4b.onnx`, data: cifarTest, n: 1000, accuracy: 0.771, options: resnet },
  { path: `${fc}2.onnx.gz`, data: mnistTest, n: 10_000, accuracy: 0.9808 },
  { path: `${fc}4.onnx.gz`, data: mnistTest, n: 10_000, accuracy: 0.9764 },
  { path: `${fc}6.onnx.gz`, data: mnistTest, n: 10_000, accuracy: 0.9689 },
  { path: `${ovals}_base_kw.onnx.gz`, data: cifarTest, n: 1000, accuracy: 0.611, options: oval },
  { path: `${ovals}_deep_kw.onnx.gz`, data: cifarTest, n: 1000, accuracy: 0.565, options: oval },
  { path: `${ovals}_wide_kw.onnx.gz`, data: cifarTest, n: 1000, accuracy: 0.636, options: oval },
  {
    path: "vnncomp/vnncomp2021-eran.tar.gz!eran/nets/mnist_relu_9_200.onnx",
    data: mnistTest,
    n: 2000,
    accuracy: 0.937,
  },
  {
    path: "vnncomp/vnncomp2021-eran.tar.gz!eran/nets/ffnnSIGMOID__Point_6x200.onnx",
    data: mnistTest,
    n: 2000,
    accuracy: 0.97,
  },
  {
    path: "vnncomp/vnncomp2021-verivital.tar.gz!verivital/Convnet_avgpool.onnx",
    data: mnistTest,
    n: 1000,
    accuracy: 0.974,
  },
  {
    path: "vnncomp/vnncomp2021-verivital.tar.gz!verivital/Convnet_maxpool.onnx",
    data: mnistTest,
    n: 1000,
    accuracy: 0.976,
  },
  { path: `${cora}-point.onnx.gz`, data: transposed, n: 2000, accuracy: 0.975 },
  { path: `${cora}-trades.onnx.gz`, data: transposed, n: 2000, accuracy: 0.984 },
  { path: `${cora}-set.onnx.gz`, data: transposed, n: 2000, accuracy: 0.966 },
];

/**
 * Compares the gradient with a central difference along itself. A kink within the step spoils single examples, so the
 * middle one of the relative errors is what counts.
 */
async function gradientError(
  target: OnnxTarget,
  x: Float32Array,
  labels: Int32Array,
  kind: LossSpec["kind"],
): Promise<number> {
  const n = labels.length;
  const each = x.length / n;
  const at = (values: Float32Array) => target.gradient(float32([n, ...target.inputShape], values), labels, { kind });
  const { gradient } = await at(x);
  const up = x.slice();
  const down = x.slice();
  const norms = Array.from({ length: n }, (_, i) => Math.hypot(...gradient.subarray(i * each, (i + 1) * each)));
  const step = 2e-3 * (target.bounds.high - target.bounds.low);
  for (let j = 0; j < x.length; j++) {
    const norm = norms[Math.floor(j / each)]!;
    const move = norm === 0 ? 0 : (step * gradient[j]!) / norm;
    up[j]! += move;
    down[j]! -= move;
  }
  const [high, low] = [(await at(up)).loss, (await at(down)).loss];
  // An example at which every unit is dead has no gradient.
  const errors = norms.flatMap((norm, i) =>
    norm === 0 ? [] : [Math.abs((high[i]! - low[i]!) / (2 * step) - norm) / norm],
  );
  expect(errors.length).toBeGreaterThan(n / 2);
  return errors.toSorted((a, b) => a - b)[Math.floor(errors.length / 2)]!;
}

describe.skipIf(!sharedData)("third-party models as targets", () => {
  it.each(cases)("$path: $accuracy", async ({ path, data, n, accuracy, options, noGradient }) => {
    const examples = await data(n);
    const target = await openOnnxTarget(thirdParty(path), {
      engine: ortEngine,
      bounds: { low: 0, high: 1 },
      ...options,
    });
    try {
      const x = float32([n, ...target.inputShape], examples.values);
      const labels = await target.label(x);
      const right = labels.reduce((sum, label, i) => sum + (label === examples.labels[i] ? 1 : 0), 0) / n;
      if (process.env["SHOW"]) console.log(`${path} | ${right} | ${target.noGradientReason ?? "gradient"}`);
      expect(Math.abs(right - accuracy)).toBeLessThanOrEqual(0.0015);
      expect(target.meter.queries).toBe(n);
      if (noGradient) {
        expect(target.noGradientReason).toMatch(noGradient);
        return;
      }
      expect(target.noGradientReason).toBeNull();
      // Noise, because a blank background ties whole windows of a max-pooling, where no derivative exists.
      const { low, high } = target.bounds;
      const noise = new Float32Array(16 * examples.each);
      seeded(1).fillUniform(noise, low, high);
      const few = noise.map((v, j) => 0.95 * examples.values[j]! + 0.05 * v);
      const own = await target.label(float32([16, ...target.inputShape], few));
      for (const kind of ["cross-entropy", "margin", "dlr"] as const) {
        // Of a class that is third, DLR is constant; elsewhere a wrong label makes the loss steep and far from rounding.
        const error = await gradientError(
          target,
          few,
          kind === "dlr" ? own : own.map((y) => (y + 1) % target.classes),
          kind,
        );
        if (process.env["SHOW"]) console.log(`  ${kind}: ${error}`);
        expect(error).toBeLessThan(0.02);
      }
      expect(target.nonFiniteGradients()).toBe(0);
    } finally {
      await target.close();
    }
  });
});
