import { describe, expect, it } from "vitest";
import type { Run, Session } from "../engine/engine.ts";
import { float32 } from "../tensor/index.ts";
import type { Tensor } from "../tensor/index.ts";
import { runBatches, type BatchRunner } from "./batch-runner.ts";

/** A session of so many lanes that doubles x [n, 2] and adds the column; it notes how many rows it was fed each time. */
function doubling(lanes: number, fed: number[][]): Session {
  const one = ({ feeds, into = {} }: Run): Record<string, Tensor> => {
    const x = feeds["x"]!.data as Float32Array;
    const labels = feeds["labels"]?.data as Int32Array | undefined;
    const n = labels?.length ?? x.length / 2;
    const y = (into["y"]?.data as Float32Array | undefined) ?? new Float32Array(2 * n);
    for (let i = 0; i < y.length; i++) y[i] = 2 * x[i]! + (labels?.[i >> 1] ?? 0);
    return { y: into["y"] ?? float32([n, 2], y) };
  };
  return {
    inputs: ["x", "labels"],
    outputs: ["y"],
    lanes,
    run: async (feeds, fetches, into) => one({ feeds, fetches, into }),
    runAll: async (runs) => {
      fed.push(runs.map(({ feeds }) => feeds["x"]!.data.length / 2));
      return runs.map(one);
    },
    close: async () => {},
  };
}

async function run(n: number, runner: Partial<BatchRunner> & { lanes: number }): Promise<number[][]> {
  const fed: number[][] = [];
  const x = float32(
    [n, 2],
    Float32Array.from({ length: 2 * n }, (_, i) => i),
  );
  const labels = Int32Array.from({ length: n }, (_, i) => 1000 * i);
  const session = doubling(runner.lanes, fed);
  const given = { session, input: "x", inputShape: [2], batch: { form: "any" as const }, chunk: 4, ...runner };
  for (const shapes of [{}, { y: [2] }] as Record<string, number[]>[]) {
    const y = (await runBatches({ ...given, shapes }, x, ["y"], [["labels", labels]])).get("y")!;
    expect([...y]).toEqual(Array.from({ length: 2 * n }, (_, i) => 2 * i + 1000 * (i >> 1)));
  }
  expect(fed.slice(fed.length / 2)).toEqual(fed.slice(0, fed.length / 2));
  return fed.slice(0, fed.length / 2);
}

describe("runBatches", () => {
  it("fills chunks with one lane", async () => {
    expect(await run(0, { lanes: 1 })).toEqual([]);
    expect(await run(3, { lanes: 1 })).toEqual([[3]]);
    expect((await run(9, { lanes: 1 })).flat()).toEqual([3, 3, 3]);
  });

  it("shares out among lanes evenly, a few chunks of each at a time", async () => {
    expect(await run(1, { lanes: 2 })).toEqual([[1]]);
    expect(await run(3, { lanes: 2 })).toEqual([[2, 1]]);
    expect(await run(9, { lanes: 2 })).toEqual([[2, 3, 2, 2]]);
    expect((await run(100, { lanes: 3 })).map((group) => group.length)).toEqual([12, 12, 3]);
  });

  it("keeps together what is not worth another lane", async () => {
    expect(await run(3, { lanes: 2, least: 2 })).toEqual([[3]]);
    expect(await run(4, { lanes: 2, least: 2 })).toEqual([[2, 2]]);
    expect(await run(4, { lanes: 8, least: 2 })).toEqual([[2, 2]]);
  });

  it("runs whole chunks in their own session, as many for each lane", async () => {
    const wholes: number[][] = [];
    expect(await run(21, { lanes: 2, whole: doubling(2, wholes) })).toEqual([[3, 2]]);
    expect(wholes).toEqual([
      [4, 4, 4, 4],
      [4, 4, 4, 4],
    ]);
    wholes.length = 0;
    expect(await run(16, { lanes: 2, whole: doubling(2, wholes) })).toEqual([]);
    expect(wholes[0]).toEqual([4, 4, 4, 4]);
  });

  it("pads a fixed batch, and runs one by one without a batch axis", async () => {
    expect(await run(5, { lanes: 2, batch: { form: "fixed", size: 3 } })).toEqual([[3, 3]]);
    expect(await run(3, { lanes: 2, batch: { form: "fixed", size: 3 } })).toEqual([[3]]);
    expect(await run(5, { lanes: 2, batch: { form: "none" } })).toEqual([[1, 1, 1, 1, 1]]);
  });
});
