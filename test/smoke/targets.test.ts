import { describe, expect, it } from "vitest";
import { ortEngine } from "../../src/engine/index.ts";
import { openOnnxTarget } from "../../src/target/index.ts";
import type { OnnxTargetOptions } from "../../src/target/index.ts";
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
      if (noGradient) expect(target.noGradientReason).toMatch(noGradient);
      else expect(target.noGradientReason).toBeNull();
    } finally {
      await target.close();
    }
  });
});
