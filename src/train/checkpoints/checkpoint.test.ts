import { spawn } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RunContext } from "../../context.ts";
import type { Dataset } from "../../data/dataset.ts";
import { ortEngine } from "../../engine/ort-node.ts";
import { MarauderError } from "../../errors.ts";
import { seeded } from "../../random/index.ts";
import { float32 } from "../../tensor/index.ts";
import { checkpointFolder } from "./checkpoint-folder.ts";
import { decodeCheckpoint, encodeCheckpoint, type CheckpointStore } from "./checkpoint.ts";
import { makeTrainer } from "../loop.ts";
import type { TrainedModel, TrainOptions } from "../trainer.ts";

let root = "";
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "marauder-checkpoint-"));
});
afterAll(() => rm(root, { recursive: true, force: true }));
const folders = { count: 0 };
const fresh = (): string => join(root, `run-${++folders.count}`);

/** A store in memory that can be told to fail. */
function memory(): CheckpointStore & { content: Uint8Array | null; writes: number; failAt: number } {
  const store = {
    content: null as Uint8Array | null,
    writes: 0,
    failAt: Infinity,
    open: async () => ({
      read: async () => store.content,
      write: async (content: Uint8Array) => {
        if (++store.writes >= store.failAt) throw new MarauderError("FILE_WRITE", "cannot write: the disk is full");
        store.content = content;
      },
      close: async () => {},
    }),
  };
  return store;
}

const size = 90;
const x = new Float32Array(size * 3);
seeded(1).fillNormal(x);
const data: Dataset = {
  name: "points",
  size,
  features: float32([size, 3], x),
  classNames: ["a", "b"],
  groups: {},
  labels: Int32Array.from({ length: size }, (_, i) => (x[3 * i]! > x[3 * i + 1]! ? 1 : 0)),
  rowIds: Array.from({ length: size }, (_, i) => String(i)),
  storedAs: "float32",
  schema: null,
  table: null,
};
const options: Partial<TrainOptions> = { arch: "mlp", hidden: [8], epochs: 6, batch: 20, ema: 0.9 };
const context = (more: Partial<RunContext> = {}): RunContext => ({
  rng: seeded(2),
  signal: new AbortController().signal,
  step: () => {},
  ...more,
});
const train = makeTrainer(ortEngine, { threads: 1 });
afterAll(() => train.close());
const weights = ({ model }: TrainedModel): number[] =>
  [...model.graph.constants].flatMap(([name, v]) => (/weight|bias/.test(name) ? [...(v.data as Float32Array)] : []));

describe("checkpoints", () => {
  it("a training cancelled at any step goes on to the same weights, to the bit", async () => {
    const whole = weights(await train(data, options, context()));
    for (const stopAfter of [1, 4, 5, 13, 29, 30]) {
      const store = memory();
      const stop = new AbortController();
      let steps = 0;
      const batch = async (b: { features: Dataset["features"] }): Promise<Dataset["features"]> => {
        if (++steps === stopAfter) stop.abort();
        return b.features;
      };
      const act = train(data, options, context({ signal: stop.signal }), { batch, checkpoint: { store } });
      if (stopAfter < 30) await expect(act).rejects.toMatchObject({ code: "CANCELLED" });
      else await act;
      expect(decodeCheckpoint(store.content!).step).toBe(stopAfter);
      const again = await train(data, options, context(), { checkpoint: { store } });
      expect(weights(again)).toEqual(whole);
    }
  });

  it("a finished training is not trained again", async () => {
    const store = memory();
    const first = weights(await train(data, options, context(), { checkpoint: { store } }));
    let steps = 0;
    const again = await train(data, options, context({ step: () => steps++ }), { checkpoint: { store } });
    expect(weights(again)).toEqual(first);
    expect(steps).toBe(0);
  });

  it.each<[string, Dataset, Partial<TrainOptions>, number, RegExp]>([
    ["options", data, { ...options, learningRate: 0.5 }, 2, /learningRate was 0.01, is 0.5/],
    ["data", { ...data, labels: data.labels!.map((l, i) => (i === 3 ? 1 - l : l)) }, options, 2, /data was/],
    ["seed", data, options, 3, /seed was "2", is "3"/],
  ])("refuses a checkpoint of other %s", async (_what, other, given, seed, message) => {
    const store = memory();
    await train(data, options, context(), { checkpoint: { store } });
    const act = train(other, given, context({ rng: seeded(seed) }), { checkpoint: { store } });
    await expect(act).rejects.toThrow(message);
    await expect(act).rejects.toMatchObject({ code: "OPTION_RANGE" });
  });

  it("refuses damaged files wherever they are damaged", async () => {
    const identity = { a: 1, b: "two" };
    const good = {
      identity,
      step: 7,
      epoch: { correct: 1, loss: 0.1, rows: 3 },
      vectors: [Float32Array.of(1, -0, NaN)],
    };
    const bytes = encodeCheckpoint(good);
    expect(decodeCheckpoint(bytes)).toEqual(good);
    for (let i = 0; i < bytes.length; i++) {
      const bad = bytes.slice();
      bad[i]! ^= 1;
      expect(() => decodeCheckpoint(bad)).toThrow(expect.objectContaining({ code: "DATA_CORRUPT" }));
      expect(() => decodeCheckpoint(bytes.subarray(0, i))).toThrow(expect.objectContaining({ code: "DATA_CORRUPT" }));
    }
  });

  it("a full disk stops the training and leaves the last good checkpoint", async () => {
    const store = memory();
    store.failAt = 3;
    const hooks = { checkpoint: { store, everySteps: 5 } };
    await expect(train(data, options, context(), hooks)).rejects.toThrow(/disk is full/);
    expect(decodeCheckpoint(store.content!).step).toBe(10);
    store.failAt = Infinity;
    expect(weights(await train(data, options, context(), hooks))).toEqual(
      weights(await train(data, options, context())),
    );
  });

  it("a training that diverges leaves the checkpoint before it", async () => {
    const store = memory();
    const wild: Partial<TrainOptions> = {
      ...options,
      hidden: [64, 64],
      optimizer: "sgd",
      learningRate: 100,
      epochs: 50,
    };
    const act = train(data, wild, context(), { checkpoint: { store, everySteps: 1 } });
    await expect(act).rejects.toMatchObject({ code: "TRAIN_DIVERGED" });
    expect(decodeCheckpoint(store.content!).vectors.every((v) => v.every(Number.isFinite))).toBe(true);
  });
});

describe("a checkpoint folder", () => {
  it("serves one run at a time, and another one after it", async () => {
    const folder = fresh();
    const place = await checkpointFolder(folder).open();
    expect(await place.read()).toBeNull();
    await place.write(Uint8Array.of(1, 2));
    const second = checkpointFolder(folder).open();
    await expect(second).rejects.toMatchObject({ code: "FILE_WRITE" });
    await expect(second).rejects.toThrow(new RegExp(`another run writes .* \\(process ${process.pid} on `));
    await place.close();
    const later = await checkpointFolder(folder).open();
    expect([...(await later.read())!]).toEqual([1, 2]);
    await later.close();
    expect(await readdir(folder)).toEqual(["training.checkpoint"]);
  });

  it("clears the lock of a dead process, and respects that of another computer", async () => {
    const folder = fresh();
    await (await checkpointFolder(folder).open()).close();
    const host = hostname().replaceAll(/[^\w.]/g, "_");
    // The own process, but another start time: a process of an earlier boot or an earlier holder of the number.
    await writeFile(join(folder, `running-${host}-${process.pid}-1-000000000000.lock`), "");
    await writeFile(join(folder, ".training.checkpoint.0123456789ab.tmp"), "half");
    await writeFile(join(folder, `running-${host}-${2 ** 22 + 1}-5-000000000000.lock`), "");
    const place = await checkpointFolder(folder).open();
    expect((await readdir(folder)).length).toBe(1);
    await place.close();
    await writeFile(join(folder, "running-elsewhere-1-1-000000000000.lock"), "");
    await expect(checkpointFolder(folder).open()).rejects.toThrow(/on elsewhere.*delete/);
  });

  it("says why a folder cannot be used", async () => {
    await writeFile(join(root, "file"), "");
    const act = checkpointFolder(join(root, "file")).open();
    await expect(act).rejects.toThrow(/cannot use the checkpoint folder/);
  });
});

/** Runs the training of test/support on its own; kills it `after` ms after its first sign of life. */
function life(args: string[], after = Infinity, shell?: string): Promise<{ out: string; killed: boolean }> {
  const script = fileURLToPath(new URL("../../../test/support/resumable-training.mjs", import.meta.url));
  const child =
    shell === undefined
      ? spawn(process.execPath, [script, ...args])
      : spawn("sh", ["-c", `${shell} exec "$@"`, "sh", process.execPath, script, ...args]);
  let out = "";
  let timer: NodeJS.Timeout | undefined;
  child.stdout.on("data", (text: Buffer) => {
    out += text;
    if (after < Infinity) timer ??= setTimeout(() => child.kill("SIGKILL"), after);
  });
  return new Promise((resolve) => {
    child.on("close", (_code, signal) => {
      clearTimeout(timer);
      resolve({ out, killed: signal === "SIGKILL" });
    });
  });
}

const digest = (out: string): string | undefined => /weights ([0-9a-f]{64})/.exec(out)?.[1];

describe("a training in a process of its own", () => {
  it.each([[[]], [["20", "char-lstm"]], [["20", "gpt"]]])(
    "killed at random moments, ends with the weights of one that was left in peace %j",
    async (more) => {
      const peace = digest((await life(["-", ...more])).out);
      expect(peace).toBeDefined();
      const folder = fresh();
      const rng = seeded(Date.now());
      let kills = 0;
      let done: string | undefined;
      for (let tries = 0; tries < 20 && done === undefined; tries++) {
        const { out, killed } = await life([folder, ...more], kills < 6 ? 20 + rng.int(150) : Infinity);
        if (killed) kills++;
        done = digest(out);
      }
      expect(done).toBe(peace);
      expect(kills).toBeGreaterThan(2);
    },
  );

  it("on a disk with too little space leaves the checkpoint as it was, and nothing beside it", async () => {
    const folder = fresh();
    await life([folder], 1);
    const before = await readFile(join(folder, "training.checkpoint")).catch(() => null);
    // A limit on the size of files stands in for a full disk: the write fails in the middle.
    const { out } = await life([folder], Infinity, "ulimit -f 8;");
    expect(out).toMatch(/failed FILE_WRITE: cannot write .*training.checkpoint/);
    const left = (await readdir(folder)).filter((name) => !name.endsWith(".lock"));
    expect(left).toEqual(before === null ? [] : ["training.checkpoint"]);
    if (before !== null) expect(await readFile(join(folder, "training.checkpoint"))).toEqual(before);
  });
});
