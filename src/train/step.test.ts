import { describe, expect, it } from "vitest";
import { plainSgd } from "../../test/support/plain-sgd.ts";
import { ortEngine } from "../engine/ort-node.ts";
import { seeded } from "../random/index.ts";
import { float32 } from "../tensor/index.ts";
import { buildArchitecture, type Trainable } from "./architectures.ts";
import { updateRule } from "./optimizers.ts";
import { pack } from "./parameters.ts";
import { frozenOf, openPrograms } from "./programs.ts";
import type { Arch } from "./trainer.ts";

/** A slow float64 twin: the loss of a model, written from its definition and not from its graph. */
function lossOf(arch: Arch, t: Trainable, p: Float64Array, x: number[][], targets: number[][]): number {
  const at: Record<string, number> = {};
  let offset = 0;
  for (const name of t.parameters) {
    at[name] = offset;
    offset += t.model.graph.constants.get(name)!.data.length;
  }
  const dense = (v: number[], name: string, to: number): number[] =>
    Array.from({ length: to }, (_, o) =>
      v.reduce((s, value, i) => s + value * p[at[`${name}.weight`]! + i * to + o]!, p[at[`${name}.bias`]! + o]!),
    );
  const relu = (v: number[]): number[] => v.map((z) => Math.max(0, z));
  const conv = (v: number[], name: string, from: number, to: number, size: number): number[] => {
    const out = Array.from({ length: to * size * size }, () => 0);
    for (let o = 0; o < to; o++)
      for (let r = 0; r < size; r++)
        for (let c = 0; c < size; c++) {
          let s = p[at[`${name}.bias`]! + o]!;
          for (let i = 0; i < from; i++)
            for (let a = -1; a <= 1; a++)
              for (let b = -1; b <= 1; b++) {
                if (r + a < 0 || r + a >= size || c + b < 0 || c + b >= size) continue;
                const w = p[at[`${name}.weight`]! + ((o * from + i) * 3 + a + 1) * 3 + b + 1]!;
                s += w * v[(i * size + r + a) * size + c + b]!;
              }
          out[(o * size + r) * size + c] = s;
        }
    return out;
  };
  const pool = (v: number[], channels: number, size: number): number[] => {
    const half = Math.floor(size / 2);
    return Array.from({ length: channels * half * half }, (_, k) => {
      const c = k % half;
      const r = Math.floor(k / half) % half;
      const base = Math.floor(k / half / half) * size * size;
      return Math.max(...[0, 1, size, size + 1].map((d) => v[base + 2 * r * size + 2 * c + d]!));
    });
  };
  let loss = 0;
  x.forEach((row, n) => {
    let v = row.map((z) => (z - 0.25) * 2);
    if (arch === "mlp") v = relu(dense(relu(dense(v, "hidden1", 5)), "hidden2", 4));
    if (arch === "cnn") {
      v = pool(relu(conv(v, "conv1", 1, 2, 7)), 2, 7);
      v = pool(relu(conv(v, "conv2", 2, 3, 3)), 3, 3);
      v = relu(dense(v, "hidden1", 4));
    }
    const z = dense(v, "output", 3);
    const log = Math.log(z.reduce((s, a) => s + Math.exp(a), 0));
    z.forEach((a, k) => (loss -= targets[n]![k]! * (a - log)));
  });
  return loss;
}

describe.each<[Arch, number[]]>([
  ["logistic", [4]],
  ["mlp", [4]],
  ["cnn", [1, 7, 7]],
])("the step graph of %s", (arch, inputShape) => {
  const rng = seeded(7);
  const width = inputShape.reduce((a, b) => a * b, 1);
  const normalization = { mean: float32([1], [0.25]), scale: float32([1], [2]) };
  const hidden = arch === "mlp" ? [5, 4] : arch === "cnn" ? [4] : [];
  const trainable = buildArchitecture(arch, { inputShape, classes: 3, rng, normalization, hidden, channels: [2, 3] });
  const x = Array.from({ length: 5 }, () => Array.from({ length: width }, () => Math.fround(rng.normal())));
  // Weighted, smoothed targets: rows do not sum to one.
  const targets = x.map((_, i) => [0, 1, 2].map((k) => Math.fround((i % 3 === k ? 0.8 : 0.1) * (0.1 + i))));
  const features = float32([5, ...inputShape], x.flat());
  const target = float32([5, 3], targets.flat());
  const frozen = frozenOf(trainable);

  it("has the loss and the gradient of the definition, by central differences in float64", async () => {
    const programs = openPrograms(ortEngine, trainable, 1);
    const rule = updateRule(plainSgd(0.9));
    const parameters = pack(trainable.model, programs.layout).map((v) => v + 0.05 * rng.normal());
    const states = [new Float32Array(parameters.length)];
    const weights = new Float32Array(5).fill(1);
    const batch = { features, targets: target, weights };
    const done = await programs.step({ rule, loss: "cross-entropy" }, { parameters, states }, frozen, [1, 0], batch);
    const exact = Float64Array.from(parameters);
    expect(done.loss).toBeCloseTo(lossOf(arch, trainable, exact, x, targets), 4);
    for (let i = 0; i < exact.length; i++) {
      const moved = (h: number): number =>
        lossOf(
          arch,
          trainable,
          exact.map((v, j) => (j === i ? v + h : v)),
          x,
          targets,
        );
      const slope = (moved(1e-6) - moved(-1e-6)) / 2e-6;
      expect(Math.abs(done.state.states[0]![i]! - slope)).toBeLessThan(2e-5 * (1 + Math.abs(slope)));
      expect(done.state.parameters[i]).toBeCloseTo(parameters[i]! - slope, 4);
    }
    await programs.close();
  });

  it("has the gradient of the raw inputs", async () => {
    const programs = openPrograms(ortEngine, trainable, 1);
    const parameters = pack(trainable.model, programs.layout);
    const gradient = await programs.inputGradient("cross-entropy", parameters, frozen, features, target);
    const exact = Float64Array.from(parameters);
    for (let k = 0; k < 5 * width; k++) {
      const moved = (h: number): number => {
        const other = x.map((row, n) => row.map((v, j) => (n * width + j === k ? v + h : v)));
        return lossOf(arch, trainable, exact, other, targets);
      };
      const slope = (moved(1e-6) - moved(-1e-6)) / 2e-6;
      expect(Math.abs(gradient[k]! - slope)).toBeLessThan(2e-5 * (1 + Math.abs(slope)));
    }
    await programs.close();
  });
});
