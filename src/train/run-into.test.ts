import { describe, expect, it } from "vitest";
import { plainSgd } from "../../test/support/plain-sgd.ts";
import { modelOf } from "../../test/support/run-graph.ts";
import { characterVocabulary } from "../data/text/index.ts";
import type { Engine } from "../engine/engine.ts";
import { ortEngine } from "../engine/ort-node.ts";
import { GraphBuilder, int } from "../ir/index.ts";
import { seeded } from "../random/index.ts";
import { float32, int64, sizeOf, type Tensor } from "../tensor/index.ts";
import { buildArchitecture, type Trainable } from "./architectures.ts";
import { openClipped } from "./clipping/clipped.ts";
import { buildLanguageModel } from "./language-model/index.ts";
import { updateRule } from "./optimizers.ts";
import { pack } from "./parameters.ts";
import { frozenOf, openPrograms, type Programs, type TrainingState } from "./programs.ts";
import { placesBy, runInto } from "./run-into.ts";
import type { LossId } from "./trainer.ts";

/** Shapes of the places for outputs of a graph over inputs of these sizes. */
function shapes(
  inputs: Record<string, (number | string | null)[]>,
  make: (b: GraphBuilder) => Record<string, string>,
  feeds: Record<string, number[]>,
): Record<string, readonly number[]> {
  const b = new GraphBuilder();
  for (const [name, dims] of Object.entries(inputs)) b.input(name, "float32", dims);
  const made = make(b);
  for (const [name, value] of Object.entries(made)) b.output(value, null, null, name);
  const places = placesBy(
    modelOf(b.build()),
    Object.keys(made),
  )(Object.fromEntries(Object.entries(feeds).map(([name, dims]) => [name, float32(dims)])));
  for (const { dtype, dims, data } of Object.values(places))
    expect([dtype, data.length]).toEqual(["float32", sizeOf(dims)]);
  return Object.fromEntries(Object.entries(places).map(([name, { dims }]) => [name, dims]));
}

describe("places for outputs", () => {
  const wide = (b: GraphBuilder): string => b.matmul("a", b.constant(float32([3, 2], [1, 2, 3, 4, 5, 6])));

  it.each<[string, ...Parameters<typeof shapes>, Record<string, number[]>]>([
    [
      "by the names of sizes",
      { a: ["N", 3], b: ["M", "N"] },
      (b) => ({ wide: wide(b), turned: b.transpose("b", [1, 0]), sum: b.reduceSum("a", [0, 1], false) }),
      { a: [5, 3], b: [4, 5] },
      { wide: [5, 2], turned: [5, 4], sum: [] },
    ],
    ["by sizes without a name", { a: [null, 3] }, (b) => ({ wide: wide(b) }), { a: [5, 3] }, { wide: [5, 2] }],
    [
      "by sizes without a name, each its own",
      { a: [null, 3], b: [null, null] },
      (b) => ({ wide: wide(b), turned: b.transpose("b", [1, 0]) }),
      { a: [0, 3], b: [4, 5] },
      { wide: [0, 2], turned: [5, 4] },
    ],
    [
      "not by a name that has two sizes",
      { a: ["N", 3], b: ["N", "M"] },
      (b) => ({ wide: wide(b), minus: b.neg("b"), column: b.reduceSum("b", [0], false) }),
      { a: [5, 3], b: [4, 7] },
      { column: [7] },
    ],
    [
      "not by a name that has two sizes, one of them twice",
      { a: ["N", 3], b: ["N", "N"] },
      (b) => ({ wide: wide(b) }),
      { a: [5, 3], b: [4, 5] },
      {},
    ],
    [
      "not where the shape is open, or of an input that is not fed",
      { a: ["N", 3], b: ["M", 1], c: ["N", 2] },
      (b) => ({
        some: b.op("Compress", ["a", b.op("Greater", [b.reduceSum("a", [1], false), b.scalar(0)])], { axis: int(0) }),
        any: b.op("Reshape", ["a", b.op("Cast", ["b"], { to: int(7) })]),
        minus: b.neg("b"),
        plus: b.op("Abs", ["a"]),
      }),
      { a: [5, 3] },
      { plus: [5, 3] },
    ],
    [
      "not for other types",
      { a: ["N", 3] },
      (b) => ({ whole: b.op("Cast", ["a"], { to: int(7) }), minus: b.neg("a") }),
      { a: [5, 3] },
      { minus: [5, 3] },
    ],
  ])("%s", (_, inputs, make, feeds, expected) => {
    expect(shapes(inputs, make, feeds)).toEqual(expected);
  });

  it("are fresh, of the outputs asked for alone, and hold what a run gives", async () => {
    const b = new GraphBuilder();
    b.input("a", "float32", ["N", 3]);
    b.output(wide(b), "float32", null, "wide");
    b.output(b.neg("a"), "float32", null, "minus");
    const model = modelOf(b.build());
    const places = placesBy(model, ["wide"]);
    const feeds = { a: float32([1, 3], [1, 10, 100]) };
    const [one, other] = [places(feeds), places(feeds)];
    expect(Object.keys(one)).toEqual(["wide"]);
    expect(one["wide"]!.data).not.toBe(other["wide"]!.data);
    const session = await ortEngine.load(model, { threads: 1 });
    const out = await runInto(session, feeds, one);
    expect([[...one["wide"]!.data], [...(out["minus"]!.data as Float32Array)]]).toEqual([
      [531, 642],
      [-1, -10, -100],
    ]);
    await session.close();
  });
});

/** An engine that does not care for places; `missing` hears of outputs that a run of a session with `places` has none for. */
const careless = (missing: string[]): Engine => ({
  id: "careless",
  async load(model, { threads, places } = {}) {
    const session = await ortEngine.load(model, { threads: threads ?? 1 });
    return {
      ...session,
      async run(feeds, fetches, into = {}) {
        if (places === true) missing.push(...session.outputs.filter((name) => into[name] === undefined));
        return await session.run(feeds, fetches);
      },
      runAll: async (runs) => {
        if (places === true) missing.push(...session.outputs.filter((name) => runs[0]!.into?.[name] === undefined));
        return await session.runAll(runs.map(({ feeds, fetches }) => ({ feeds, fetches })));
      },
    };
  },
});

const rng = seeded(2);
const normalization = { mean: float32([1], [0.25]), scale: float32([1], [2]) };
const image = (arch: "mlp" | "cnn" | "resnet", inputShape: number[]): Trainable =>
  buildArchitecture(arch, { inputShape, classes: 3, rng, normalization, hidden: [6], channels: [4, 8], blocks: 1 });
const vocabulary = characterVocabulary([..."abcdefg"]);
const text = (arch: "char-lstm" | "gpt"): Trainable =>
  buildLanguageModel(arch, { vocabulary, context: 5, width: 8, layers: 1, heads: 2, embedding: 4, tied: false, rng });

describe.each<[string, Trainable, number[], LossId]>([
  ["mlp", image("mlp", [4]), [4], "cross-entropy"],
  ["cnn", image("cnn", [1, 8, 8]), [1, 8, 8], "cross-entropy"],
  ["resnet", image("resnet", [2, 8, 8]), [2, 8, 8], "cross-entropy"],
  ["char-lstm", text("char-lstm"), [5], "next-token"],
  ["gpt", text("gpt"), [5], "next-token"],
])("%s", (_, trainable, shape, loss) => {
  const batch = (n: number): { features: Tensor; targets: Tensor; weights: Float32Array } => {
    const own = seeded(n).child("batch");
    const tokens = (): Tensor =>
      int64(
        [n, 5],
        Array.from({ length: 5 * n }, () => own.int(7)),
      );
    const weights = new Float32Array(n).fill(1 / n);
    if (loss === "next-token") return { features: tokens(), targets: tokens(), weights };
    const features = float32([n, ...shape]);
    own.fillNormal(features.data, 0, 1);
    return {
      features,
      targets: float32(
        [n, 3],
        Array.from({ length: 3 * n }, (__, i) => (i % 4 === 0 ? 1 : 0)),
      ),
      weights,
    };
  };

  it("has places for all outputs of its steps, which are the same to the bit without", async () => {
    const missing: string[] = [];
    const steps = async (programs: Programs): Promise<unknown[]> => {
      const rule = updateRule({ ...plainSgd(0.9), optimizer: "adam" });
      const parameters = pack(trainable.model, programs.layout);
      let state: TrainingState = { parameters, states: rule.start(parameters) };
      const seen: unknown[] = [];
      for (const [t, n] of [3, 3, 2].entries()) {
        const made = await programs.step(
          { rule, loss },
          state,
          frozenOf(trainable),
          rule.ratesAt(t + 1, 0.01),
          batch(n),
        );
        ({ state } = made);
        seen.push(made.loss, made.logits.slice());
      }
      await programs.close();
      return [...seen, state];
    };
    const want = await steps(openPrograms(careless(missing), trainable, 1));
    expect(await steps(openPrograms(ortEngine, trainable, 1))).toEqual(want);
    expect(want.slice(0, -1).flat().length).toBe(6);

    const { features, targets } = batch(3);
    const clip = async (engine: Engine) => {
      const clipped = await openClipped(engine, trainable, { loss, threads: 1 });
      const made = await clipped.run(
        pack(trainable.model, clipped.layout),
        frozenOf(trainable),
        features,
        targets,
        0.5,
      );
      await clipped.close();
      return made;
    };
    expect(await clip(ortEngine)).toEqual(await clip(careless(missing)));
    expect(missing).toEqual([]);
  });
});
