import { characterVocabulary, vocabularyText, type Vocabulary } from "../../src/data/text/index.ts";
import { GraphBuilder, int, type Model } from "../../src/ir/index.ts";
import { seeded } from "../../src/random/index.ts";
import { float32, int64 } from "../../src/tensor/index.ts";
import { modelOf } from "./run-graph.ts";

/** A language model that looks at two tokens, as an ONNX file, and the same in a few lines of JavaScript: an exact oracle. */
export interface Trigram {
  readonly model: Model;
  readonly vocabulary: Vocabulary;
  /** Bits of a text after `before`, from the table itself. */
  bits(text: string, before: string): number;
}

export interface TrigramSettings {
  readonly characters?: string;
  readonly seed?: number;
  /** How far logits spread; 0 is a model that knows nothing. */
  readonly spread?: number;
  /** Texts that it has learned by heart, each with what its characters gain in logits. */
  readonly learned?: readonly { readonly text: string; readonly gain: number }[];
  readonly metadata?: Readonly<Record<string, string>>;
}

/** Position t answers from tokens t - 1 and t; before the first one stands token 0. */
export function trigramModel(settings: TrigramSettings = {}): Trigram {
  const { characters = "\n -.0123456789abcdefghijklmnopqrstuvwxyz", seed = 1, spread = 1, learned = [] } = settings;
  const vocabulary = characterVocabulary(characters);
  const v = vocabulary.size;
  const table = new Float32Array(v ** 3);
  if (spread > 0) seeded(seed).child("trigram").fillNormal(table, 0, spread);
  const token = new Map(vocabulary.symbols.map((c, i) => [c, i]));
  const tokens = (text: string): number[] => Array.from(text, (c) => token.get(c)!);
  for (const { text, gain } of learned) {
    const own = [0, ...tokens(`\n${text}`)];
    for (let t = 2; t < own.length; t++) table[(own[t - 2]! * v + own[t - 1]!) * v + own[t]!]! += gain;
  }
  const b = new GraphBuilder();
  const x = b.input("tokens", "int64", ["N", "T"]);
  // One column of zeros in front, the last token cut off: the token before.
  const padded = b.op("Pad", [x, b.indices([0, 1, 0, -1]), b.constant(int64([], [0]))]);
  const place = b.add(b.mul(padded, b.constant(int64([], [v]))), x);
  const logits = b.op("Gather", [b.constant(float32([v * v, v], table), "table"), place], { axis: int(0) });
  b.output(logits, "float32", ["N", "T", v], "logits");
  const model = { ...modelOf({ ...b.build(), name: "trigram" }), metadata: { vocabulary: vocabularyText(vocabulary) } };
  const bits = (text: string, before: string): number => {
    const all = tokens(before + text);
    let sum = 0;
    for (let t = Math.max(1, before.length); t < all.length; t++) {
      const from = ((t > 1 ? all[t - 2]! : 0) * v + all[t - 1]!) * v;
      const row = table.subarray(from, from + v);
      sum += Math.log2(row.reduce((s, z) => s + Math.exp(z), 0)) - row[all[t]!]! / Math.LN2;
    }
    return sum;
  };
  return { model: { ...model, metadata: { ...model.metadata, ...settings.metadata } }, vocabulary, bits };
}
