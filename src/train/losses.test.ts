import { describe, expect, it } from "vitest";
import { modelOf, runGraph } from "../../test/support/run-graph.ts";
import { ortEngine } from "../engine/ort-node.ts";
import { grad } from "../grad/index.ts";
import { GraphBuilder } from "../ir/index.ts";
import { float32, int64, type Tensor } from "../tensor/index.ts";
import { losses } from "./losses.ts";
import type { LossId } from "./trainer.ts";

const lse = (z: number[]): number => Math.log(z.reduce((s, v) => s + Math.exp(v), 0));
const sum = (v: number[]): number => v.reduce((a, b) => a + b, 0);
const mean = (v: number[]): number => sum(v) / v.length;
const best = (t: number[]): number => t.indexOf(Math.max(...t));
const rival = (z: number[], t: number[]): number => Math.max(...z.filter((_, i) => i !== best(t)));

/** Each loss in plain numbers, from its definition. */
const definitions: Record<Exclude<LossId, "next-token">, (z: number[], t: number[]) => number> = {
  "cross-entropy": (z, t) => -sum(z.map((v, k) => t[k]! * (v - lse(z)))),
  kl: (z, t) => sum(t.map((p, k) => (p === 0 ? 0 : p * (Math.log(p) - (z[k]! - lse(z)))))),
  binary: (z, t) =>
    -sum(z.map((v, k) => t[k]! * Math.log(1 / (1 + Math.exp(-v))) + (1 - t[k]!) * Math.log(1 / (1 + Math.exp(v))))),
  mse: (z, t) => mean(z.map((v, k) => (v - t[k]!) ** 2)),
  huber: (z, t) => mean(z.map((v, k) => (Math.abs(v - t[k]!) <= 1 ? (v - t[k]!) ** 2 / 2 : Math.abs(v - t[k]!) - 0.5))),
  margin: (z, t) => Math.max(0, 1 + rival(z, t) - z[best(t)]!),
  dlr: (z, t) => {
    const sorted = z.toSorted((a, b) => b - a);
    return -(z[best(t)]! - rival(z, t)) / (sorted[0]! - sorted[2]!);
  },
};

const z = [
  [2, -1, 0.5, 3],
  [-0.3, 4, 1.2, 0.1],
  [0.2, 0.9, -2, 0.6],
];
const t = [
  [0.7, 0.1, 0.1, 0.1],
  [0, 1, 0, 0],
  [0, 0, 0.2, 0.8],
];

describe("losses against their definitions", () => {
  it.each(Object.keys(definitions) as (keyof typeof definitions)[])("%s, and its gradient", async (id) => {
    const b = new GraphBuilder();
    const logits = b.input("z", "float32", ["N", 4]);
    const targets = b.input("t", "float32", ["N", 4]);
    const rows = losses[id].emit(b, logits, targets);
    b.output(rows, "float32", ["N"], "rows");
    const feeds = { z: float32([3, 4], z.flat()), t: float32([3, 4], t.flat()) };
    const out = await runGraph(b.build(), feeds);
    expect(out["rows"]!.dims).toEqual([3]);
    out["rows"]!.data.forEach((v, i) => expect(v).toBeCloseTo(definitions[id](z[i]!, t[i]!), 5));

    const made = grad(modelOf(b.build()), { of: rows, wrt: ["z"] });
    const session = await ortEngine.load(made.model);
    const g = (await session.run(feeds))[made.gradients.get("z")!]!.data as Float32Array;
    await session.close();
    for (let i = 0; i < 12; i++) {
      const moved = (h: number): number => {
        const row = z[Math.floor(i / 4)]!.map((v, k) => (k === i % 4 ? v + h : v));
        return definitions[id](row, t[Math.floor(i / 4)]!);
      };
      expect(g[i]).toBeCloseTo((moved(1e-6) - moved(-1e-6)) / 2e-6, 4);
    }
  });

  it("stay finite for logits that are far apart", async () => {
    for (const id of Object.keys(definitions) as LossId[]) {
      const b = new GraphBuilder();
      const rows = losses[id].emit(b, b.input("z", "float32", ["N", 3]), b.input("t", "float32", ["N", 3]));
      b.output(rows, "float32", ["N"], "rows");
      const out = await runGraph(b.build(), { z: float32([1, 3], [-500, 500, 0]), t: float32([1, 3], [1, 0, 0]) });
      expect(Number.isFinite(out["rows"]!.data[0]), id).toBe(true);
    }
  });

  it("next-token is the mean over positions, and leaves out what is -1", async () => {
    const b = new GraphBuilder();
    const rows = losses["next-token"].emit(b, b.input("z", "float32", ["N", 2, 4]), b.input("t", "int64", ["N", 2]));
    b.output(rows, "float32", ["N"], "rows");
    const feeds: Record<string, Tensor> = {
      z: float32([3, 2, 4], [z[0]!, z[1]!, z[1]!, z[2]!, z[2]!, z[0]!].flat()),
      t: int64([3, 2], [3, 0, -1, 2, -1, -1]),
    };
    const nll = (row: number[], k: number): number => lse(row) - row[k]!;
    const out = (await runGraph(b.build(), feeds))["rows"]!.data;
    expect(out[0]).toBeCloseTo((nll(z[0]!, 3) + nll(z[1]!, 0)) / 2, 5);
    expect(out[1]).toBeCloseTo(nll(z[2]!, 2), 5);
    expect(out[2]).toBeCloseTo(0, 12);
  });
});
