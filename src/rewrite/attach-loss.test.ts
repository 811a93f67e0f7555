import { describe, expect, it } from "vitest";
import { runGraph } from "../../test/support/run-graph.ts";
import { GraphBuilder } from "../ir/index.ts";
import { seeded } from "../random/index.ts";
import { float32, tensor } from "../tensor/index.ts";
import { attachLoss } from "./attach-loss.ts";
import type { LossKind } from "./attach-loss.ts";

/** The definitions of the papers, written without any trick, in float64. */
function naive(kind: LossKind, z: readonly number[], y: number, t: number | null): number {
  const sorted = z.toSorted((a, b) => b - a);
  const bestOther = (c: number): number => Math.max(...z.filter((_, i) => i !== c));
  const logP = (c: number): number => z[c]! - Math.log(z.reduce((s, v) => s + Math.exp(v), 0));
  if (kind === "cross-entropy") return t === null ? -logP(y) : logP(t);
  if (kind === "margin") return t === null ? bestOther(y) - z[y]! : z[t]! - bestOther(t);
  return t === null
    ? -(z[y]! - bestOther(y)) / (sorted[0]! - sorted[2]!)
    : -(z[y]! - z[t]!) / (sorted[0]! - (sorted[2]! + sorted[3]!) / 2);
}

function withLoss(kind: LossKind, classes: number, targeted: boolean) {
  const b = new GraphBuilder();
  const z = b.input("z", "float32", ["n", classes]);
  return attachLoss(b.build(), { scores: z, classes, kind, targeted });
}

async function run(kind: LossKind, rows: readonly (readonly number[])[], y: number[], t: number[] | null) {
  const { graph, names } = withLoss(kind, rows[0]!.length, t !== null);
  const n = rows.length;
  const feeds: Parameters<typeof runGraph>[1] = { z: float32([n, rows[0]!.length], rows.flat()) };
  if (names.labels !== null) feeds[names.labels] = tensor("int32", [n], Int32Array.from(y));
  if (names.targets !== null) feeds[names.targets] = tensor("int32", [n], Int32Array.from(t!));
  const out = await runGraph(graph, feeds);
  return { loss: out[names.loss]!, total: out[names.total]!, scores: out[names.scores]! };
}

describe("attachLoss", () => {
  const combinations: [LossKind, boolean, number][] = [
    ["cross-entropy", false, 2],
    ["cross-entropy", false, 7],
    ["cross-entropy", true, 7],
    ["margin", false, 2],
    ["margin", false, 7],
    ["margin", true, 7],
    ["dlr", false, 3],
    ["dlr", false, 7],
    ["dlr", true, 4],
    ["dlr", true, 7],
  ];
  it.each(combinations)("%s, targeted %s, %d classes: as its definition says", async (kind, targeted, classes) => {
    const rng = seeded(5).child(kind).child(classes);
    const rows = Array.from({ length: 40 }, () => Array.from({ length: classes }, () => Math.fround(3 * rng.normal())));
    const y = rows.map(() => rng.int(classes));
    const t = targeted ? y.map((v) => (v + 1 + rng.int(classes - 1)) % classes) : null;
    const { loss, total, scores } = await run(kind, rows, y, t);
    expect(loss.dims).toEqual([40]);
    expect(scores).toEqual({ dims: [40, classes], data: rows.flat() });
    expect(total.dims).toEqual([]);
    expect(total.data[0]).toBeCloseTo(
      loss.data.reduce((a, v) => a + v, 0),
      2,
    );
    for (const [i, row] of rows.entries()) {
      const want = naive(kind, row, y[i]!, t === null ? null : t[i]!);
      expect(Math.abs(loss.data[i]! - want)).toBeLessThan(1e-5 * Math.max(1, Math.abs(want)));
    }
  });

  it("stays finite for scores as large as float32 models give", async () => {
    const rows = [
      [1e4, -1e4, 0],
      [-1e4, 1e4, 0],
      [3e37, -3e37, 0],
      [0, 0, 0],
    ];
    for (const kind of ["cross-entropy", "margin", "dlr"] as const) {
      const { loss } = await run(kind, rows, [0, 0, 0, 0], null);
      expect(loss.data.every(Number.isFinite)).toBe(true);
    }
    const { loss } = await run("cross-entropy", rows, [0, 0, 0, 0], null);
    expect(loss.data[0]).toBe(0);
    expect(loss.data[1]).toBe(2e4);
    expect(loss.data[3]).toBeCloseTo(Math.log(3), 6);
  });

  it("refuses DLR where it has too few classes", () => {
    expect(() => withLoss("dlr", 2, false)).toThrow(/at least 3 classes/);
    expect(() => withLoss("dlr", 3, true)).toThrow(/at least 4 classes/);
    expect(() => withLoss("margin", 1, false)).toThrow(/at least 2 classes/);
  });
});
