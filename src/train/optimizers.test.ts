import { describe, expect, it } from "vitest";
import { ortEngine } from "../engine/ort-node.ts";
import { GraphBuilder } from "../ir/index.ts";
import { modelOf } from "../../test/support/run-graph.ts";
import { float32, type Tensor } from "../tensor/index.ts";
import { updateRule, type UpdateOptions } from "./optimizers.ts";

const start = [1, -2, 0.5];
const curvature = [1, 3, 0.2];
const base: UpdateOptions = {
  optimizer: "sgd",
  momentum: 0.9,
  nesterov: false,
  weightDecay: 0.05,
  decay: null,
  decayed: "all",
  clipNorm: null,
  ema: 0,
};
const falling = (t: number): number => 0.1 / t;
const STEPS = 20;

/** Minimizes sum of curvature p^2 / 2 with the emitted graph. */
async function descend(options: UpdateOptions): Promise<number[]> {
  const rule = updateRule(options);
  const b = new GraphBuilder();
  // Two entries of a weight, and a bias.
  const shapes = [[1, 2], [1]];
  const rates = Array.from({ length: rule.rates }, (_, i) => b.input(`r${i}`, "float32", []));
  const tensors = shapes.map((dims, k) => {
    const parameter = b.input(`p${k}`, "float32", dims);
    const states = Array.from({ length: rule.states }, (_, i) => b.input(`s${i}.${k}`, "float32", dims));
    const part = k === 0 ? curvature.slice(0, 2) : curvature.slice(2);
    const gradient = b.mul(parameter, b.constant(float32(dims, part)));
    return { parameter, gradient, states, rank: dims.length };
  });
  const updated = rule.emit(b, tensors, rates);
  const outputs = Array.from({ length: rule.states + 1 }, (_, i) =>
    updated.map((u, k) => b.output([u.parameters, ...u.states][i]!, "float32", shapes[k]!)),
  );
  const session = await ortEngine.load(modelOf(b.build()));
  const first = Float32Array.from(start);
  let at = [first, ...rule.start(first)];
  for (let t = 1; t <= STEPS; t++) {
    const feeds: Record<string, Tensor> = {};
    tensors.forEach(({ parameter, states }, k) => {
      [parameter, ...states].forEach(
        (name, i) => (feeds[name] = float32(shapes[k]!, k === 0 ? at[i]!.slice(0, 2) : at[i]!.slice(2))),
      );
    });
    rule.ratesAt(t, falling(t)).forEach((r, i) => (feeds[rates[i]!] = float32([], [r])));
    const out = await session.run(feeds);
    at = outputs.map((names) => Float32Array.from(names.flatMap((name) => [...(out[name]!.data as Float32Array)])));
  }
  await session.close();
  return [...rule.result(at[0]!, at.slice(1))];
}

/** The same in plain float64 recursions, written from the papers. */
function twin(o: UpdateOptions): number[] {
  let p = [...start];
  let m = [0, 0, 0];
  let v = [0, 0, 0];
  let mean = [...start];
  const decoupled = (o.decay ?? (o.optimizer === "sgd" ? "l2" : "decoupled")) === "decoupled";
  for (let t = 1; t <= STEPS; t++) {
    const rate = falling(t);
    let g = p.map((x, i) => curvature[i]! * x);
    const norm = Math.hypot(...g);
    if (o.clipNorm !== null && norm > o.clipNorm) g = g.map((x) => (x * o.clipNorm!) / norm);
    const decay = p.map((x, i) => (o.decayed === "weights" && i === 2 ? 0 : o.weightDecay * x));
    if (!decoupled) g = g.map((x, i) => x + decay[i]!);
    let move: number[];
    if (o.optimizer === "sgd") {
      m = m.map((x, i) => o.momentum * x + g[i]!);
      move = o.nesterov ? g.map((x, i) => x + o.momentum * m[i]!) : m;
    } else {
      m = m.map((x, i) => 0.9 * x + 0.1 * g[i]!);
      v = v.map((x, i) => 0.999 * x + 0.001 * g[i]! ** 2);
      move = m.map((x, i) => x / (1 - 0.9 ** t) / (Math.sqrt(v[i]! / (1 - 0.999 ** t)) + 1e-8));
    }
    p = p.map((x, i) => x - rate * move[i]! - (decoupled ? rate * decay[i]! : 0));
    const forget = Math.min(o.ema, (1 + t) / (10 + t));
    mean = mean.map((x, i) => forget * x + (1 - forget) * p[i]!);
  }
  return o.ema > 0 ? mean : p;
}

describe("updates against plain float64 recursions", () => {
  it.each<Partial<UpdateOptions>>([
    {},
    { nesterov: true },
    { weightDecay: 0 },
    { decay: "decoupled" },
    { decayed: "weights" },
    { clipNorm: 0.5 },
    { ema: 0.9 },
    { optimizer: "adam" },
    { optimizer: "adam", decay: "l2" },
    { optimizer: "adam", decayed: "weights", clipNorm: 1, ema: 0.99 },
    { nesterov: true, decay: "decoupled", decayed: "weights", clipNorm: 1, ema: 0.5 },
  ])("%j", async (more) => {
    const options = { ...base, ...more };
    const got = await descend(options);
    twin(options).forEach((x, i) => expect(got[i]).toBeCloseTo(x, 5));
    // Every option above changes the result, so that a rule that ignored it would fail.
    const plain = twin(base);
    if (Object.keys(more).length > 0) {
      expect(Math.max(...twin(options).map((x, i) => Math.abs(x - plain[i]!)))).toBeGreaterThan(1e-4);
    }
  });

  it("options that change no node share a compiled graph", () => {
    expect(updateRule({ ...base, momentum: 0.1, weightDecay: 0.2 }).key).toBe(updateRule(base).key);
    expect(updateRule({ ...base, clipNorm: 1 }).key).not.toBe(updateRule(base).key);
  });
});
