import { describe, expect, it } from "vitest";
import { plainSgd } from "../../test/support/plain-sgd.ts";
import { modelOf } from "../../test/support/run-graph.ts";
import { characterVocabulary } from "../data/text/index.ts";
import type { Engine, Run } from "../engine/engine.ts";
import { ortEngine } from "../engine/ort-node.ts";
import { GraphBuilder, int } from "../ir/index.ts";
import { seeded } from "../random/index.ts";
import { float32, int64, sizeOf, type Tensor } from "../tensor/index.ts";
import { buildArchitecture, type Trainable } from "./architectures.ts";
import { openClipped } from "./clipping/clipped.ts";
import { buildLanguageModel } from "./language-model/index.ts";
import { updateRule, type UpdateOptions } from "./optimizers.ts";
import { layoutOf, pack } from "./parameters.ts";
import { cutOf, inLanes, partsOf } from "./parts.ts";
import { frozenOf, openPrograms, type Programs, type TrainingState } from "./programs.ts";
import type { LossId } from "./trainer.ts";

/** An engine with so many lanes, which do their runs in any order but the given one; `asked` counts the runs of each call. */
function lanedEngine(lanes: number, asked: number[] = []): Engine {
  return {
    id: "laned",
    async load(model, options) {
      const session = await ortEngine.load(model, { threads: 1 });
      if (options?.lanes !== true) return session;
      const runAll = async (runs: readonly Run[]) => {
        asked.push(runs.length);
        const answers = await session.runAll(runs.toReversed().map(({ feeds, fetches }) => ({ feeds, fetches })));
        return answers.toReversed();
      };
      return { ...session, lanes, runAll };
    },
  };
}

const always: typeof cutOf = (...given) => (cutOf(...given) === null ? null : { least: 1, most: Infinity });
const rng = seeded(3);
const images = (arch: "mlp" | "cnn" | "resnet", shape: number[]): Trainable =>
  buildArchitecture(arch, {
    inputShape: shape,
    classes: 3,
    rng,
    normalization: { mean: float32([1], [0.25]), scale: float32([1], [2]) },
    hidden: arch === "resnet" ? [] : [6],
    channels: [4, 8],
    blocks: 1,
  });
const vocabulary = characterVocabulary([..."abcdefg"]);
const text = (arch: "char-lstm" | "gpt"): Trainable =>
  buildLanguageModel(arch, { vocabulary, context: 5, width: 8, layers: 2, heads: 2, embedding: 4, tied: false, rng });
const models: Record<string, { trainable: Trainable; shape: number[]; loss: LossId }> = {
  mlp: { trainable: images("mlp", [4]), shape: [4], loss: "cross-entropy" },
  cnn: { trainable: images("cnn", [1, 8, 8]), shape: [1, 8, 8], loss: "cross-entropy" },
  resnet: { trainable: images("resnet", [2, 8, 8]), shape: [2, 8, 8], loss: "cross-entropy" },
  "char-lstm": { trainable: text("char-lstm"), shape: [5], loss: "next-token" },
  gpt: { trainable: text("gpt"), shape: [5], loss: "next-token" },
};

function batchOf(
  n: number,
  shape: number[],
  loss: LossId,
): { features: Tensor; targets: Tensor; weights: Float32Array } {
  const own = seeded(n).child("batch");
  const weights = Float32Array.from({ length: n }, (_, i) => (1 + (i % 3)) / n);
  if (loss === "next-token") {
    const tokens = () => Array.from({ length: n * sizeOf(shape) }, () => own.int(7));
    return { features: int64([n, ...shape], tokens()), targets: int64([n, ...shape], tokens()), weights };
  }
  const x = new Float32Array(n * sizeOf(shape));
  own.fillUniform(x, 0, 1);
  const t = Array.from({ length: 3 * n }, (_, i) => (i % 3 === Math.floor(i / 3) % 3 ? 0.8 : 0.1));
  return { features: float32([n, ...shape], x), targets: float32([n, 3], t), weights };
}

/** |a - b| / |b|. */
function apart(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [d, s] = [0, 0];
  for (let i = 0; i < b.length; i++) [d, s] = [d + (a[i]! - b[i]!) ** 2, s + b[i]! ** 2];
  return Math.sqrt(d / Math.max(s, 1e-30));
}

/** The state after steps on batches of these sizes, with the loss and the logits of each. */
async function train(
  programs: Programs,
  { trainable, shape, loss }: (typeof models)[string],
  sizes: readonly number[],
  options: UpdateOptions = plainSgd(0.9),
  from?: TrainingState,
) {
  const rule = updateRule(options);
  const first = pack(trainable.model, programs.layout);
  let state: TrainingState = from ?? { parameters: first, states: rule.start(first) };
  const seen: { loss: number; logits: Float32Array }[] = [];
  for (const [t, n] of sizes.entries()) {
    const made = await programs.step(
      { rule, loss },
      state,
      frozenOf(trainable),
      rule.ratesAt(t + 1, 0.01),
      batchOf(n, shape, loss),
    );
    state = made.state;
    seen.push({ loss: made.loss, logits: made.logits.slice() });
  }
  return { state, seen };
}

describe.each(Object.entries(models))("steps of %s in parts", (_, model) => {
  const { trainable, shape, loss } = model;

  it("have the gradient, the loss and the logits of the whole, for every size of batch", async () => {
    for (const lanes of [2, 3]) {
      const asked: number[] = [];
      const cut = openPrograms(lanedEngine(lanes, asked), trainable, 2, always);
      const whole = openPrograms(ortEngine, trainable, 1);
      for (const n of [7, 4, 1]) {
        // With momentum 0 the state is the gradient.
        const a = await train(cut, model, [n], plainSgd(0));
        const b = await train(whole, model, [n], plainSgd(0));
        expect(apart(a.state.states[0]!, b.state.states[0]!)).toBeLessThan(1e-5);
        expect(apart(a.state.parameters, b.state.parameters)).toBeLessThan(1e-6);
        expect(a.seen[0]!.loss).toBeCloseTo(b.seen[0]!.loss, 5);
        expect(a.seen[0]!.logits).toHaveLength(b.seen[0]!.logits.length);
        expect(apart(a.seen[0]!.logits, b.seen[0]!.logits)).toBeLessThan(1e-5);
      }
      expect(asked).toEqual([lanes, lanes]);
      await cut.close();
      await whole.close();
    }
  });

  it("are the same to the bit again, and from the middle on", async () => {
    const adam: UpdateOptions = {
      ...plainSgd(0),
      optimizer: "adam",
      weightDecay: 0.1,
      decayed: "weights",
      clipNorm: 1,
    };
    for (const options of [plainSgd(0.9), adam]) {
      const [one, two] = [0, 1].map(() => openPrograms(lanedEngine(2), trainable, 2, always)) as [Programs, Programs];
      const sizes = [5, 4, 1, 5];
      const a = await train(one, model, sizes, options);
      const again = await train(two, model, sizes, options);
      expect(again.state).toEqual(a.state);
      if (options === adam) continue; // its rates depend on the number of the step
      const half = await train(one, model, sizes.slice(0, 2), options);
      const rest = await train(two, model, sizes.slice(2), options, half.state);
      expect(rest.state).toEqual(a.state);
      await one.close();
      await two.close();
    }
  });

  it("clip every example as the whole does, copies together, without what is not finite", async () => {
    const layout = layoutOf(trainable.model, trainable.parameters);
    const parameters = pack(trainable.model, layout);
    const frozen = frozenOf(trainable);
    for (const copies of [1, 2]) {
      const asked: number[] = [];
      const options = { loss, copies };
      const cut = await openClipped(lanedEngine(2, asked), trainable, { ...options, threads: 2, cut: always });
      const whole = await openClipped(ortEngine, trainable, { ...options, threads: 1 });
      for (const n of [3, 1]) {
        const { features, targets } = batchOf(n * copies, shape, loss);
        if (loss !== "next-token" && n === 3) (features.data as Float32Array)[0] = NaN;
        const a = await cut.run(parameters, frozen, features, targets, 0.5);
        const b = await whole.run(parameters, frozen, features, targets, 0.5);
        expect(apart(a.sum, b.sum)).toBeLessThan(1e-5);
        expect(a.norms).toHaveLength(n);
        expect(a.losses).toHaveLength(n * copies);
        a.norms.forEach((norm, i) => {
          if (Number.isFinite(b.norms[i])) expect(norm / b.norms[i]!).toBeCloseTo(1, 5);
          expect(Number.isFinite(norm)).toBe(Number.isFinite(b.norms[i]));
        });
      }
      expect(asked.every((runs) => runs === 2)).toBe(true);
      expect(asked.length).toBeGreaterThan(0);
      await cut.close();
      await whole.close();
    }
  });
});

describe("what is not cut", () => {
  const made = (dims: (number | string)[], make: (b: GraphBuilder, x: string) => string): Trainable => {
    const b = new GraphBuilder();
    const x = b.input("x", "float32", [dims[0]!, 4]);
    const w = b.constant(
      float32(
        [4, 3],
        Float32Array.from({ length: 12 }, (_, i) => Math.sin(i)),
      ),
      "w",
    );
    const logits = b.output(b.matmul(make(b, x), w), "float32", [dims[0]!, 3]);
    return { model: modelOf(b.build(), 18), parameters: ["w"], frozen: [], features: logits };
  };
  const cut = (trainable: Trainable) =>
    cutOf(trainable, layoutOf(trainable.model, trainable.parameters), "cross-entropy");

  it("is a model that mixes examples, and one with a fixed batch", () => {
    expect(cut(made(["N"], (b, x) => b.op("Relu", [x])))).not.toBeNull();
    expect(cut(made(["N"], (b, x) => b.sub(x, b.op("ReduceMean", [x, b.indices([0])]))))).toBeNull();
    const statistics = (b: GraphBuilder, x: string): string => {
      const four = [1, 2, 3, 4].map((v) => b.constant(float32([4], [v, v, v, v])));
      return b.opN("BatchNormalization", [x, ...four], 3, { training_mode: int(1) })[0]!;
    };
    expect(cut(made(["N"], statistics))).toBeNull();
    expect(cut(made([6], (b, x) => b.op("Relu", [x])))).toBeNull();
  });

  it("is trained as before", async () => {
    const mixing = made(["N"], (b, x) => b.sub(x, b.op("ReduceMean", [x, b.indices([0])])));
    const asked: number[] = [];
    const model = { trainable: mixing, shape: [4], loss: "cross-entropy" as const };
    const a = await train(openPrograms(lanedEngine(2, asked), mixing, 2, always), model, [6, 6]);
    const b = await train(openPrograms(ortEngine, mixing, 1), model, [6, 6]);
    expect(a).toEqual(b);
    expect(asked).toEqual([]);
  });

  it("is a batch with one thread, or too small, or with operators large enough to share", async () => {
    const { mlp } = models;
    const asked: number[] = [];
    await train(openPrograms(lanedEngine(2, asked), mlp!.trainable, 1, always), mlp!, [6]);
    await train(openPrograms(lanedEngine(2, asked), mlp!.trainable, 2), mlp!, [6]);
    expect(asked).toEqual([]);
    const session = await lanedEngine(3).load(images("mlp", [4]).model, { lanes: true });
    const open = async () => await Promise.resolve({ session });
    expect(await inLanes({ least: 4, most: 20 }, 7, open)).toBeNull();
    expect(await inLanes({ least: 4, most: 20 }, 21, open)).toBeNull();
    expect(await inLanes({ least: 4, most: 20 }, 11, open)).toBeNull();
    expect((await inLanes({ least: 4, most: 20 }, 12, open))!.parts).toEqual(partsOf(12, 3));
    await session.close();
  });
});

it("cuts into parts of nearly equal size that lie one after the other", () => {
  expect(partsOf(7, 3)).toEqual([
    { from: 0, to: 2 },
    { from: 2, to: 4 },
    { from: 4, to: 7 },
  ]);
  expect(partsOf(12, 2, 4)).toEqual([
    { from: 0, to: 4 },
    { from: 4, to: 12 },
  ]);
});
