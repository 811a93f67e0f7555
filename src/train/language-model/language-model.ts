import type { Engine } from "../../engine/engine.ts";
import { MarauderError } from "../../errors.ts";
import type { Model } from "../../ir/index.ts";
import { tensor } from "../../tensor/index.ts";
import { readVocabulary, type Vocabulary } from "../../data/text/index.ts";
import { tokensAndLogits } from "./tokens-and-logits.ts";

/** A language model that answers. Sequences are tokens; each must have 1 to `longest` of them. Closed by its owner. */
export interface LanguageModel {
  /** An ordinary ONNX model: input int64 [N, T], output float32 logits [N, T, V]; the vocabulary is in its metadata. */
  readonly model: Model;
  readonly vocabulary: Vocabulary;
  /** Number of predictions of the examples that it was trained on. */
  readonly context: number;
  /** Most tokens of one sequence. */
  readonly longest: number;
  /** For each sequence of length T_i the logits [T_i, V]: row t tells token t + 1 from tokens 0 .. t. */
  logits(sequences: readonly ArrayLike<number>[]): Promise<Float32Array[]>;
  /** Logits of the token that follows each sequence: [n, V]. */
  nextTokenLogits(sequences: readonly ArrayLike<number>[]): Promise<Float32Array>;
  /**
   * For each sequence log P(token t | tokens 0 .. t - 1) in nats, t = 1 .. T_i - 1: T_i - 1 numbers. Here a sequence may have
   * `longest` + 1 tokens.
   */
  logProbabilities(sequences: readonly ArrayLike<number>[]): Promise<Float64Array[]>;
  close(): Promise<void>;
}

/** Most logits of one run: enough to fill the cores, little enough for the cache's neighbourhood (16 MB). */
const MOST_LOGITS = 1 << 22;
const MOST_TOKENS = 4096;

/**
 * Opens a language model that Marauder made, from its ONNX model alone. Throws MODEL_INPUT where it has not one input of
 * tokens and one output of logits, or no vocabulary in its metadata and none is given.
 */
export async function openLanguageModel(
  engine: Engine,
  model: Model,
  options: { readonly threads?: number; readonly vocabulary?: Vocabulary } = {},
): Promise<LanguageModel> {
  const { metadata } = model;
  const { input, output } = tokensAndLogits(model);
  const vocabulary = options.vocabulary ?? readVocabulary(metadata["vocabulary"]);
  const size = output.dims![2];
  if (vocabulary === null || (typeof size === "number" && size !== vocabulary.size)) {
    throw new MarauderError(
      "MODEL_INPUT",
      vocabulary === null
        ? 'the model does not say what its tokens are (metadata "vocabulary"); give its vocabulary'
        : `the model has ${size} logits for each token, the vocabulary has ${vocabulary.size}; give the vocabulary that it was trained with`,
    );
  }
  const fixed = input.dims![1];
  const said = Number(metadata["context"]);
  const context = typeof fixed === "number" ? fixed : Number.isSafeInteger(said) && said > 0 ? said : MOST_TOKENS;
  const bounded = typeof fixed === "number" || metadata["architecture"] === "gpt";
  const longest = bounded ? context : MOST_TOKENS;
  const session = await engine.load(model, options.threads === undefined ? {} : { threads: options.threads });
  const v = vocabulary.size;

  /** Runs sequences in chunks; `take` gets each one's place in the answer. */
  async function run(
    sequences: readonly ArrayLike<number>[],
    take: (sequence: number, logits: Float32Array, at: number) => void,
  ): Promise<void> {
    sequences.forEach((tokens, i) => checkTokens(tokens, i, longest, v));
    // Behind a short sequence stands token 0: a model that looks only back does not see it. Like lengths run together.
    const order = sequences.map((_, i) => i).toSorted((i, j) => sequences[i]!.length - sequences[j]!.length || i - j);
    for (let from = 0; from < order.length;) {
      let to = from + 1;
      const width = (end: number): number => (typeof fixed === "number" ? fixed : sequences[order[end - 1]!]!.length);
      while (to < order.length && (to + 1 - from) * width(to + 1) * v <= MOST_LOGITS) to++;
      const rows = order.slice(from, to);
      const steps = width(to);
      const x = new BigInt64Array(rows.length * steps);
      rows.forEach((i, k) => {
        const tokens = sequences[i]!;
        for (let t = 0; t < tokens.length; t++) x[k * steps + t] = BigInt(tokens[t]!);
      });
      const out = await session.run({ [input.name]: tensor("int64", [rows.length, steps], x) }, [output!.name]);
      const logits = out[output!.name]!.data as Float32Array;
      rows.forEach((i, k) => take(i, logits, k * steps * v));
      from = to;
    }
  }
  return Object.freeze({
    model,
    vocabulary,
    context,
    longest,
    async logits(sequences) {
      const all: Float32Array[] = [];
      await run(sequences, (i, logits, at) => (all[i] = logits.slice(at, at + sequences[i]!.length * v)));
      return all;
    },
    async nextTokenLogits(sequences) {
      const all = new Float32Array(sequences.length * v);
      await run(sequences, (i, logits, at) => {
        const last = at + (sequences[i]!.length - 1) * v;
        all.set(logits.subarray(last, last + v), i * v);
      });
      return all;
    },
    async logProbabilities(sequences) {
      const all: Float64Array[] = [];
      // The last token is only predicted: a sequence may be one longer than what the model reads.
      const fed = sequences.map((tokens) => Int32Array.from(tokens).subarray(0, Math.max(1, tokens.length - 1)));
      sequences.forEach((tokens, i) => checkTokens(tokens, i, longest + 1, v));
      await run(fed, (i, logits, at) => {
        const tokens = sequences[i]!;
        all[i] = Float64Array.from({ length: tokens.length - 1 }, (_, t) =>
          logSoftmaxAt(logits, at + t * v, v, tokens[t + 1]!),
        );
      });
      return all;
    },
    close: () => session.close(),
  } satisfies LanguageModel);
}

/** log softmax(z)[k] for the `size` logits from `at` on. */
export function logSoftmaxAt(logits: Float32Array, at: number, size: number, k: number): number {
  let top = -Infinity;
  for (let j = 0; j < size; j++) top = Math.max(top, logits[at + j]!);
  let sum = 0;
  for (let j = 0; j < size; j++) sum += Math.exp(logits[at + j]! - top);
  return logits[at + k]! - top - Math.log(sum);
}

function checkTokens(tokens: ArrayLike<number>, i: number, longest: number, size: number): void {
  if (tokens.length < 1 || tokens.length > longest) {
    throw new MarauderError(
      "SHAPE_MISMATCH",
      `sequence ${i} has ${tokens.length} tokens; the model takes 1 to ${longest}`,
      { details: { sequence: i } },
    );
  }
  for (let t = 0; t < tokens.length; t++) {
    if (tokens[t]! >= 0 && tokens[t]! < size) continue;
    throw new MarauderError("DATA_INVALID", `token ${t} of sequence ${i} is ${tokens[t]}; expected 0 to ${size - 1}`, {
      details: { sequence: i },
    });
  }
}
