import { afterAll, describe, expect, it } from "vitest";
import { runContext } from "../../context.ts";
import { ortEngine } from "../../engine/ort-node.ts";
import { MarauderError } from "../../errors.ts";
import { decodeModel, encodeModel } from "../../ir/index.ts";
import { seeded } from "../../random/index.ts";
import { tensor } from "../../tensor/index.ts";
import { decodeCheckpoint, type CheckpointStore } from "../checkpoints/checkpoint.ts";
import { buildLanguageModel, type LanguageArch } from "./architectures.ts";
import { heldOutLoss } from "./held-out-loss.ts";
import { logSoftmaxAt, openLanguageModel, type LanguageModel } from "./language-model.ts";
import type { LanguageOptions } from "./language-options.ts";
import { makeLanguageTrainer } from "./language-trainer.ts";
import { records, windows } from "./sequences.ts";
import { tokensOf } from "./token-batches.ts";
import { byteVocabulary, characterVocabulary, decodeTokens, encodeText, vocabularyOf } from "../../data/text/index.ts";

const train = makeLanguageTrainer(ortEngine, { threads: 1 });
afterAll(() => train.close());
const archs: LanguageArch[] = ["char-lstm", "gpt"];
const vocabulary = characterVocabulary("abcd");
/** Every second character is free, the one after it tells: a -> b, c -> d. */
const text = (size: number, seed: number): string => {
  const rng = seeded(seed);
  return Array.from({ length: size / 2 }, () => (rng.int(2) === 0 ? "ab" : "cd")).join("");
};
const small: Partial<LanguageOptions> = { width: 16, layers: 2, heads: 2, embedding: 8, batch: 8 };
const spec = { vocabulary, context: 6, width: 8, layers: 2, heads: 2, embedding: 5, tied: false, rng: seeded(3) };
const tokens = [[0, 1, 2, 3, 2, 3], [3], [1, 1, 0]];

describe.each(archs)("%s", (arch) => {
  it("answers the same in the form for training and as a file, and does not look ahead", async () => {
    for (const tied of [false, true]) {
      const made = buildLanguageModel(arch, { ...spec, tied });
      const session = await ortEngine.load(made.model, { threads: 1 });
      const x = tensor("int64", [2, 6], BigInt64Array.from([0, 1, 2, 3, 2, 3, 1, 1, 0, 0, 0, 0].map(BigInt)));
      const whole = (await session.run({ tokens: x }))["logits"]!;
      await session.close();
      const model = await openLanguageModel(ortEngine, decodeModel(encodeModel(made.exported)), { threads: 1 });
      const [long, , short] = await model.logits(tokens);
      expect([long!.length, short!.length, whole.dims]).toEqual([24, 12, [2, 6, 4]]);
      long!.forEach((z, i) => expect(z).toBeCloseTo((whole.data as Float32Array)[i]!, 5));
      short!.forEach((z, i) => expect(z).toBeCloseTo((whole.data as Float32Array)[24 + i]!, 5));
      const next = await model.nextTokenLogits(tokens);
      expect([...next.subarray(8)]).toEqual([...short!.subarray(8)]);
      const [logs] = await model.logProbabilities(tokens);
      expect(logs).toHaveLength(5);
      expect(logs![4]).toBeCloseTo(logSoftmaxAt(long!, 16, 4, 3), 6);
      // As many predictions as the context has: the last token need not be read.
      const [most] = await model.logProbabilities([[0, 1, 2, 3, 2, 3, 1]]);
      expect(most![5]).toBeCloseTo(logSoftmaxAt(long!, 20, 4, 1), 5);
      await model.close();
    }
  });

  it("learns what can be learned, and no more", async () => {
    const data = windows(text(600, 1), vocabulary, { context: 12 });
    const model = await train(data, { ...small, arch, epochs: 12, learningRate: 0.02 }, runContext());
    const { nats } = await heldOutLoss(model, encodeText(vocabulary, text(400, 2)), { run: 12 });
    expect(nats).toBeGreaterThan(Math.LN2 / 2 - 0.02);
    expect(nats).toBeLessThan(Math.LN2 / 2 + 0.08);
    await model.close();
  });

  it("a file is trained further, one of Marauder and one that says nothing of itself", async () => {
    const first = windows(text(400, 1), vocabulary, { context: 12 });
    const begun = await train(first, { ...small, arch, epochs: 1, learningRate: 0.02 }, runContext());
    const held = encodeText(vocabulary, text(400, 2));
    const before = await heldOutLoss(begun, held, { run: 12 });
    const own = decodeModel(encodeModel(begun.model));
    for (const start of [own, { ...own, producer: "another", metadata: {} }]) {
      const further = makeLanguageTrainer(ortEngine, { threads: 1, start });
      const still = await further(first, { epochs: 1, learningRate: 0 }, runContext());
      expect([...still.model.graph.constants]).toEqual([...own.graph.constants]);
      const trained = await further(first, { epochs: 10, learningRate: 0.02 }, runContext());
      expect((await heldOutLoss(trained, held, { run: 12 })).nats).toBeLessThan(before.nats - 0.1);
      expect({ ...trained.model.graph, constants: null }).toEqual({ ...own.graph, constants: null });
      await expect(further(first, { width: 3 }, runContext())).rejects.toThrow(/width must be left out/);
      const other = windows("xyz".repeat(20), characterVocabulary("xyz"), { context: 12 });
      await expect(further(other, {}, runContext())).rejects.toThrow(/logits for 4 tokens, .* has 3/);
      await further.close();
    }
  });

  it("stopped anywhere goes on to the same weights, to the bit", async () => {
    const data = windows(text(200, 1), vocabulary, { context: 6 });
    const options: Partial<LanguageOptions> = { ...small, arch, epochs: 2 };
    const weights = ({ model }: LanguageModel): number[] =>
      [...model.graph.constants.values()].flatMap((c) => (c.dtype === "float32" ? [...(c.data as Float32Array)] : []));
    const whole = weights(await train(data, options, runContext({ seed: 5 })));
    for (const stopAt of [1, 4, 7]) {
      let content: Uint8Array | null = null;
      const store: CheckpointStore = {
        open: async () => ({
          read: async () => content,
          write: async (bytes) => void (content = bytes),
          close: async () => {},
        }),
      };
      const stop = new AbortController();
      const checkpoint = { store, everySteps: 1 };
      const failing = {
        open: async () => {
          const place = await store.open();
          return {
            ...place,
            write: async (bytes: Uint8Array) => {
              await place.write(bytes);
              if (decodeCheckpoint(bytes).step === stopAt) stop.abort();
            },
          };
        },
      };
      const act = train(data, options, runContext({ seed: 5, signal: stop.signal }), {
        checkpoint: { ...checkpoint, store: failing },
      });
      await expect(act).rejects.toMatchObject({ code: "CANCELLED" });
      expect(decodeCheckpoint(content!).step).toBe(stopAt);
      expect(weights(await train(data, options, runContext({ seed: 5 }), { checkpoint }))).toEqual(whole);
    }
  });
});

describe("examples", () => {
  it("windows follow one another, records stand between marks, and short ones are filled up", () => {
    const long = windows("abcdabcdab", vocabulary, { context: 4 });
    expect([...long.starts]).toEqual([0, 4]);
    expect([...tokensOf(long, [1]).targets.data]).toEqual([1n, 2n, 3n, 0n]);
    expect([...tokensOf(long, [1], 3).features.data]).toEqual([1n, 2n, 3n, 0n]);
    const lines = records(["ab", "d"], characterVocabulary("abcd\n"), { context: 4 });
    const { features, targets } = tokensOf(lines, [1, 0]);
    expect([...features.data]).toEqual([4n, 3n, 0n, 0n, 4n, 0n, 1n, 0n]);
    expect([...targets.data]).toEqual([3n, 4n, -1n, -1n, 0n, 1n, 4n, -1n]);
  });

  it("texts and tokens are the same thing", () => {
    const words = "grün 🦊\n";
    for (const v of [byteVocabulary, vocabularyOf(words)]) expect(decodeTokens(v, encodeText(v, words))).toBe(words);
    expect(vocabularyOf("cab").symbols).toEqual(["a", "b", "c"]);
  });
});

describe("bad input", () => {
  const good = windows(text(40, 1), vocabulary, { context: 6 });
  it.each<[string, () => unknown, string, RegExp]>([
    [
      "a character outside the vocabulary",
      () => windows("ab\nabxab", characterVocabulary("ab\n"), { context: 2, name: "poem.txt" }),
      "DATA_INVALID",
      /character "x" \(U\+0078\) at place 5 \(line 2\) of poem.txt is not in the vocabulary of 3/,
    ],
    [
      "a text shorter than the context",
      () => windows("abc", vocabulary, { context: 3 }),
      "NOT_ENOUGH_DATA",
      /3 tokens/,
    ],
    [
      "a long record",
      () => records(["a", "aaaa"], vocabulary, { end: "b", context: 4 }),
      "DATA_INVALID",
      /record 1 .* 4 tokens/,
    ],
    ["no record", () => records([], vocabulary, { end: "b" }), "NOT_ENOUGH_DATA", /no records/],
    ["one character", () => vocabularyOf("aaa"), "NOT_ENOUGH_DATA", /1 different/],
    ["a character twice", () => characterVocabulary("aba"), "OPTION_RANGE", /"a" twice/],
    [
      "a token outside",
      () => train({ ...good, tokens: good.tokens.map((t) => t + 1) }, {}, runContext()),
      "DATA_LABELS",
      /token 4 .* expected 0 to 3/,
    ],
    [
      "a window outside",
      () => train({ ...good, starts: good.starts.map((s) => s + 9) }, {}, runContext()),
      "SHAPE_MISMATCH",
      /sequence/,
    ],
    [
      "heads",
      () => train(good, { arch: "gpt", width: 10, heads: 4 }, runContext()),
      "OPTION_RANGE",
      /divisor of the width 10/,
    ],
    ["an unknown option", () => train(good, { hidden: [3] } as never, runContext()), "OPTION_UNKNOWN", /"hidden"/],
    [
      "an unknown architecture",
      () => train(good, { arch: "bert" as never }, runContext()),
      "UNKNOWN_ID",
      /char-lstm, gpt/,
    ],
    [
      "a loss that runs away",
      () => train(good, { ...small, optimizer: "sgd", learningRate: 100, weightDecay: 100, epochs: 30 }, runContext()),
      "TRAIN_DIVERGED",
      /lower learningRate/,
    ],
  ])("%s", async (_name, act, code, message) => {
    const error = await (async () => act())().catch((e: unknown) => e);
    expect(error).toBeInstanceOf(MarauderError);
    expect(error).toMatchObject({ code });
    expect((error as Error).message).toMatch(message);
  });

  it("a model refuses tokens that it does not know, and too many", async () => {
    const model = await openLanguageModel(ortEngine, buildLanguageModel("gpt", spec).exported, { threads: 1 });
    await expect(model.logits([[0, 4]])).rejects.toThrow(/token 1 of sequence 0 is 4; expected 0 to 3/);
    await expect(model.logits([[0], []])).rejects.toThrow(/sequence 1 has 0 tokens; the model takes 1 to 6/);
    await expect(model.nextTokenLogits([new Int32Array(7)])).rejects.toMatchObject({ code: "SHAPE_MISMATCH" });
    await model.close();
    const { exported } = buildLanguageModel("gpt", spec);
    await expect(openLanguageModel(ortEngine, { ...exported, metadata: {} })).rejects.toThrow(
      /does not say what its tokens/,
    );
    const other = { ...exported, metadata: { vocabulary: "bytes" } };
    await expect(openLanguageModel(ortEngine, other)).rejects.toThrow(/4 logits .* has 256/);
  });
});
