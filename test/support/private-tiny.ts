import { runContext, type RunContext } from "../../src/context.ts";
import { GraphBuilder, type Model } from "../../src/ir/index.ts";
import { float32, tensor, type Tensor } from "../../src/tensor/index.ts";
import type { Trainable } from "../../src/train/architectures.ts";
import type { PrivateExamples } from "../../src/train/private/index.ts";

/** The smallest model with per-example gradients that can be told by hand: logits = x W, W [width, 2], loss cross-entropy. */
export function linearTiny(width: number): Trainable {
  const b = new GraphBuilder();
  const x = b.input("x", "float32", ["N", width]);
  const w = b.constant(float32([width, 2], new Float32Array(2 * width)), "w");
  const logits = b.output(b.matmul(x, w), "float32", ["N", 2], "logits");
  return { model: modelOf(b), parameters: [w], frozen: [], features: logits };
}

export const modelOf = (b: GraphBuilder): Model => ({
  irVersion: 8,
  opsets: { "": 18 },
  producer: "test",
  producerVersion: "",
  metadata: {},
  graph: { ...b.build(), name: "tiny" },
});

/** Record i has `value` at input i mod width, and class 0: its gradient is in row i alone, of norm value / sqrt(2) at W = 0. */
export function diracs(records: number, width: number, value = 100): PrivateExamples {
  const features = tensor("float32", [records, width], new Float32Array(records * width));
  const targets = float32([records, 2]);
  for (let i = 0; i < records; i++) {
    features.data[i * width + (i % width)] = value;
    targets.data[2 * i] = 1;
  }
  return { features, targets };
}

/** The same examples with one of them changed by hand. */
export function withRow(examples: PrivateExamples, row: number, values: ArrayLike<number>): PrivateExamples {
  const { features } = examples;
  const data = (features.data as Float32Array).slice();
  data.set(values, row * (data.length / features.dims[0]!));
  return { ...examples, features: tensor("float32", features.dims, data) as Tensor };
}

export const quiet = (more: Partial<RunContext> = {}): RunContext => ({ ...runContext({}), ...more });

export const normOf = (v: ArrayLike<number>): number => Math.sqrt(Array.from(v).reduce((s, x) => s + x * x, 0));
