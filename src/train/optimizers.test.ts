import { describe, expect, it } from "vitest";
import { ortEngine } from "../engine/ort-node.ts";
import { GraphBuilder, type Model } from "../ir/index.ts";
import { float32, type Tensor } from "../tensor/index.ts";
import { optimizers } from "./optimizers.ts";
import type { OptimizerId } from "./trainer.ts";

const start = [1, -2, 0.5];
const curvature = [1, 3, 0.2];
const options = { momentum: 0.9, weightDecay: 0.05 };

/** Minimizes sum of curvature p^2 / 2 with the emitted graph. */
async function descend(id: OptimizerId, rate: (t: number) => number, steps: number): Promise<number[]> {
  const optimizer = optimizers[id];
  const b = new GraphBuilder();
  const p = b.input("p", "float32", [3]);
  const states = Array.from({ length: optimizer.states }, (_, i) => b.input(`s${i}`, "float32", [3]));
  const rates = Array.from({ length: optimizer.rates }, (_, i) => b.input(`r${i}`, "float32", [1]));
  const updated = optimizer.emit(b, p, b.mul(p, b.constant(float32([3], curvature))), states, rates);
  const outputs = [updated.parameters, ...updated.states].map((name) => b.output(name, "float32", [3]));
  const model: Model = {
    irVersion: 8,
    opsets: { "": 18 },
    producer: "test",
    producerVersion: "",
    metadata: {},
    graph: b.build(),
  };
  const session = await ortEngine.load(model);
  let at: Tensor[] = [float32([3], start), ...states.map(() => float32([3]))];
  for (let t = 1; t <= steps; t++) {
    const feeds: Record<string, Tensor> = { p: at[0]! };
    states.forEach((name, i) => (feeds[name] = at[i + 1]!));
    optimizer.ratesAt(t, rate(t), options).forEach((r, i) => (feeds[rates[i]!] = float32([1], [r])));
    const out = await session.run(feeds);
    at = outputs.map((name) => out[name]!);
  }
  await session.close();
  return [...(at[0]!.data as Float32Array)];
}

const falling = (t: number): number => 0.1 / t;

describe("optimizers against plain float64 recursions", () => {
  it("sgd with momentum and weight decay", async () => {
    const p = [...start];
    const v = [0, 0, 0];
    for (let t = 1; t <= 20; t++) {
      for (let i = 0; i < 3; i++) {
        v[i] = 0.9 * v[i]! + (curvature[i]! * p[i]! + 0.05 * p[i]!);
        p[i]! -= falling(t) * v[i]!;
      }
    }
    const got = await descend("sgd", falling, 20);
    p.forEach((x, i) => expect(got[i]).toBeCloseTo(x, 5));
  });

  it("adam with bias correction and decoupled decay", async () => {
    const p = [...start];
    const m = [0, 0, 0];
    const v = [0, 0, 0];
    for (let t = 1; t <= 20; t++) {
      for (let i = 0; i < 3; i++) {
        const g = curvature[i]! * p[i]!;
        m[i] = 0.9 * m[i]! + 0.1 * g;
        v[i] = 0.999 * v[i]! + 0.001 * g * g;
        const first = m[i]! / (1 - 0.9 ** t);
        const second = v[i]! / (1 - 0.999 ** t);
        p[i] = p[i]! - falling(t) * 0.05 * p[i]! - (falling(t) * first) / (Math.sqrt(second) + 1e-8);
      }
    }
    const got = await descend("adam", falling, 20);
    p.forEach((x, i) => expect(got[i]).toBeCloseTo(x, 5));
  });
});
