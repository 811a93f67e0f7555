import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { trigramModel } from "../../test/support/trigram-model.ts";
import { modelOf } from "../../test/support/run-graph.ts";
import { encodeText } from "../data/text/index.ts";
import { ortEngine } from "../engine/index.ts";
import { GraphBuilder, int, type Model } from "../ir/index.ts";
import { float32 } from "../tensor/index.ts";
import { openLanguageTarget, textBits, type LanguageTarget } from "./language.ts";

const options = { engine: ortEngine, threads: 1 } as const;
const trigram = trigramModel({ seed: 4, spread: 2 });

describe("a language model", () => {
  let lm: LanguageTarget;
  beforeAll(async () => {
    lm = await openLanguageTarget(trigram.model, options);
  });
  afterAll(() => lm.close());
  const texts = ["hello", "a", "the pin is 1234", "xyz 99.", "0"];

  it("gives the cost of texts as the table has it, one by one and together", async () => {
    const together = await textBits(lm, texts, "\n");
    for (const [i, text] of texts.entries()) {
      expect(together[i]).toBeCloseTo(trigram.bits(text, "\n"), 4);
      expect((await textBits(lm, [text], "\n"))[0]).toBeCloseTo(together[i]!, 5);
    }
  });
  it("leaves out the cost of what is context", async () => {
    const [whole, part] = [await textBits(lm, ["pin 77"], "\n"), await textBits(lm, ["pin 77"], "\n", 4)];
    expect(whole[0]! - part[0]!).toBeCloseTo(trigram.bits("pin ", "\n"), 4);
  });
  it("tells the next token in bits that sum to one, each as dear as the text that it makes", async () => {
    const tokens = encodeText(lm.vocabulary, "\nab");
    const [answer] = await lm.ask([{ tokens, from: 1, next: true }]);
    expect(answer!.next.reduce((s, b) => s + 2 ** b, 0)).toBeCloseTo(1, 9);
    const paid = answer!.bits.reduce((a, b) => a + b, 0);
    const c = encodeText(lm.vocabulary, "c")[0]!;
    expect(paid - answer!.next[c]!).toBeCloseTo(trigram.bits("abc", "\n"), 4);
  });
  it("counts sequences, whatever the batch", async () => {
    const small = await openLanguageTarget(trigram.model, { ...options, batch: 2 });
    const cost = await textBits(small, texts, "\n");
    expect(small.meter.queries).toBe(texts.length);
    const all = await textBits(lm, texts, "\n");
    cost.forEach((bits, i) => expect(bits).toBeCloseTo(all[i]!, 5));
    await small.close();
  });
  it("refuses a token that does not exist", async () => {
    await expect(lm.ask([{ tokens: Int32Array.of(0, 999), from: 1, next: false }])).rejects.toThrow(/token 999/);
  });
  it("names a character that it does not know", async () => {
    await expect(textBits(lm, ["Ä"], "\n")).rejects.toThrow(/"Ä" .*not in the vocabulary/);
  });
});

describe("models of fixed sizes", () => {
  const fixed = (n: number | "N", t: number | "T"): Model => {
    const graph = trigram.model.graph;
    return {
      ...trigram.model,
      graph: {
        ...graph,
        inputs: graph.inputs.map((i) => ({ ...i, dims: [n, t] })),
        outputs: graph.outputs.map((o) => ({ ...o, dims: [n, t, 40] })),
      },
    };
  };
  it.each([
    [1, "T"],
    ["N", 12],
    [3, 12],
  ] as const)("[%s, %s] give the same costs", async (n, t) => {
    const lm = await openLanguageTarget(fixed(n, t), options);
    const texts = ["hello", "a b", "12345", "hello 1234"];
    const bits = await textBits(lm, texts, "\n");
    texts.forEach((text, i) => expect(bits[i]).toBeCloseTo(trigram.bits(text, "\n"), 4));
    await lm.close();
  });
  it("say how much they read", async () => {
    const lm = await openLanguageTarget(fixed("N", 5), options);
    expect(lm.context).toBe(5);
    expect((await textBits(lm, ["abcde"], "\n"))[0]).toBeCloseTo(trigram.bits("abcde", "\n"), 4);
    await expect(textBits(lm, ["abcdef"], "\n")).rejects.toThrow(/does not fit the model, which reads 5/);
    await lm.close();
  });
});

describe("what is no language model is refused", () => {
  const build = (make: (b: GraphBuilder) => void): Model => {
    const b = new GraphBuilder();
    make(b);
    return modelOf({ ...b.build(), name: "no" });
  };
  const table = (b: GraphBuilder, v: number): string => b.constant(float32([v, v], new Float32Array(v * v)), "table");
  it.each<[string, Model, RegExp]>([
    [
      "an image classifier",
      build((b) => b.output(b.op("Relu", [b.input("x", "float32", ["N", 3, 8, 8])]), "float32", ["N", 3, 8, 8])),
      /no language model: its input is x float32\[N, 3, 8, 8\]/,
    ],
    [
      "a text classifier",
      build((b) => {
        const x = b.op("Gather", [table(b, 300), b.input("ids", "int64", ["N", "T"])]);
        b.output(b.op("ReduceMean", [x, b.indices([1])], { keepdims: int(0) }), "float32", ["N", 300]);
      }),
      /its outputs are .*\[N, 300\]/,
    ],
    [
      "one with a cache among its inputs",
      build((b) => {
        const x = b.op("Gather", [table(b, 256), b.input("ids", "int64", ["N", "T"])]);
        b.output(b.add(x, b.input("past", "float32", [1])), "float32", ["N", "T", 256]);
      }),
      /inputs ids .*, past .*without a cache/,
    ],
    [
      "one with unknown tokens",
      build((b) =>
        b.output(b.op("Gather", [table(b, 300), b.input("ids", "int64", ["N", "T"])]), "float32", ["N", "T", 300]),
      ),
      /scores 300 tokens and does not say what they are/,
    ],
    [
      "one whose vocabulary is damaged",
      { ...trigram.model, metadata: { vocabulary: "[1" } },
      /"vocabulary" is damaged/,
    ],
    [
      "one whose vocabulary is another one's",
      { ...trigram.model, metadata: { vocabulary: '["a","b"]' } },
      /vocabulary has 2 tokens, the model scores 40/,
    ],
    [
      "one that sees what comes later",
      build((b) => {
        const x = b.op("Gather", [
          b.constant(
            float32(
              [256, 256],
              Float32Array.from({ length: 65536 }, (_, i) => i % 251),
            ),
            "t",
          ),
          b.input("ids", "int64", ["N", "T"]),
        ]);
        b.output(b.add(x, b.op("ReduceMean", [x, b.indices([1])], { keepdims: int(1) })), "float32", ["N", "T", 256]);
      }),
      /no language model that reads from left to right/,
    ],
  ])("%s", async (_, model, words) => {
    await expect(openLanguageTarget(model, options)).rejects.toThrow(words);
  });
  it("takes 256 tokens for bytes", async () => {
    const bytes = build((b) =>
      b.output(b.op("Gather", [table(b, 256), b.input("ids", "int64", ["N", "T"])]), "float32", ["N", "T", 256]),
    );
    const lm = await openLanguageTarget(bytes, options);
    expect(lm.vocabulary.kind).toBe("bytes");
    // Five bytes of 8 bits each: the model knows nothing.
    expect((await textBits(lm, ["café"], "\n"))[0]).toBeCloseTo(40, 5);
    await lm.close();
  });
});
