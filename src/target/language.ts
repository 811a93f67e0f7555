import { encodeText, readVocabulary, type Vocabulary } from "../data/text/index.ts";
import type { Engine, Session } from "../engine/engine.ts";
import { excerpt, MarauderError } from "../errors.ts";
import type { Dim, Model } from "../ir/index.ts";
import { logSumExp } from "../stats/index.ts";
import { tensor } from "../tensor/index.ts";
import { requiredInputs } from "./choose-io.ts";
import type { Meter } from "./target.ts";

/** What a language model says of one sequence. */
export interface Continuation {
  /** -log2 of the probability of each token from `from` on, given all before it: its cost in bits. */
  readonly bits: Float64Array;
  /** log2 of the probability of each token of the vocabulary after the sequence; empty where it was not asked for. */
  readonly next: Float64Array;
}

/**
 * A language model under test, read from left to right: it tells how likely each token is after those before it. The meter
 * counts a sequence as one query.
 */
export interface LanguageTarget {
  readonly id: string;
  readonly vocabulary: Vocabulary;
  /** Most tokens of a sequence; null where the model says nothing of it. */
  readonly context: number | null;
  readonly meter: Meter;
  /**
   * Asks for sequences of tokens, each of at least one, which has no cost of its own. `from`, the first token whose cost is
   * wanted, is at least 1. The answers do not depend on what else is asked, but for rounding. Throws DATA_INVALID for a
   * sequence that is empty, too long or holds a token that does not exist; ENGINE_FAILED.
   */
  ask(questions: readonly Question[]): Promise<Continuation[]>;
  close(): Promise<void>;
}

export interface Question {
  readonly tokens: Int32Array;
  readonly from: number;
  /** Whether the distribution after the last token is wanted. */
  readonly next: boolean;
}

/** What the model reads for a question: the last token only where what follows it is wanted. */
const fed = ({ tokens, next }: Question): Int32Array =>
  next ? tokens : tokens.subarray(0, Math.max(1, tokens.length - 1));

export interface LanguageTargetOptions {
  readonly engine: Engine;
  readonly id?: string;
  readonly threads?: number;
  /** Where the file does not say what its tokens are. */
  readonly vocabulary?: Vocabulary;
  /** Most sequences in one run. */
  readonly batch?: number;
}

/** Logits of one run: about 16 MB of them. */
const VALUES = 4 * 2 ** 20;

/**
 * Opens a language model: one input of whole numbers [N, T], the tokens, and an output of scores [N, T, V], where position t
 * scores the token after it. The vocabulary is the file's ("vocabulary" in its metadata), else the given one, else bytes
 * where V is 256. Throws MODEL_INPUT where the model is none of this kind, where the vocabulary does not fit, and where an
 * earlier position sees a later token (a model that fills gaps is no such language model).
 */
export async function openLanguageTarget(file: Model, options: LanguageTargetOptions): Promise<LanguageTarget> {
  const { input, dtype, output, rows, length, width } = faceOf(file);
  const threads = options.threads === undefined ? {} : { threads: options.threads };
  const session = await options.engine.load(file, threads);
  const meter = { queries: 0, gradients: 0 };
  try {
    const run = runner(session, { input, dtype, output, rows, length });
    const size = width ?? (await run([Int32Array.of(0)])).vocabulary;
    const vocabulary = chooseVocabulary(file, options.vocabulary, size);
    const declared = Number(file.metadata["context"]);
    const context = length ?? (Number.isInteger(declared) && declared > 0 ? declared : null);
    await checkCausal(run, size, context);
    const most = options.batch ?? 256;

    const ask = async (questions: readonly Question[]): Promise<Continuation[]> => {
      questions.forEach((q) => checkQuestion(q, size, context));
      meter.queries += questions.length;
      const answers: Continuation[] = [];
      // Sequences of like length run together: the shorter ones are filled up on the right, where nothing looks.
      const order = questions
        .map((_, i) => i)
        .toSorted((a, b) => fed(questions[a]!).length - fed(questions[b]!).length);
      for (let start = 0; start < order.length;) {
        const longest = fed(questions[order[Math.min(order.length, start + most) - 1]!]!).length;
        const n = Math.max(1, Math.min(most, rows ?? most, Math.floor(VALUES / (longest * size))));
        const group = order.slice(start, start + n);
        const { logits, steps } = await run(group.map((i) => fed(questions[i]!)));
        group.forEach((i, k) => {
          answers[i] = read(logits.subarray(k * steps * size, (k + 1) * steps * size), size, questions[i]!);
        });
        start += n;
      }
      return answers;
    };
    return Object.freeze({
      id: options.id ?? (file.graph.name || "model"),
      vocabulary,
      context,
      meter,
      ask,
      close: () => session.close(),
    });
  } catch (error) {
    await session.close();
    throw error;
  }
}

interface Face {
  readonly input: string;
  readonly dtype: "int64" | "int32";
  readonly output: string;
  /** Fixed sizes of the axes N, T and V; null where the model takes any. */
  readonly rows: number | null;
  readonly length: number | null;
  readonly width: number | null;
}

function faceOf({ graph }: Model): Face {
  const inputs = requiredInputs(graph);
  const shown = (list: readonly { name: string; dtype: string | null; dims: readonly Dim[] | null }[]): string =>
    list
      .map((v) => `${excerpt(v.name, 60)} ${v.dtype ?? "?"}[${v.dims?.map((d) => d ?? "?").join(", ") ?? "?"}]`)
      .join(", ");
  const refuse = (what: string): never => {
    throw new MarauderError(
      "MODEL_INPUT",
      `the model is no language model: ${what}; expected one input of tokens, int64 [N, T], and scores of the next token, ` +
        "float32 [N, T, V]; export it so, without a cache",
    );
  };
  const [tokens, ...others] = inputs;
  if (tokens === undefined || others.length > 0) return refuse(`it has the inputs ${shown(inputs) || "none"}`);
  if ((tokens.dtype !== "int64" && tokens.dtype !== "int32") || (tokens.dims !== null && tokens.dims.length !== 2)) {
    return refuse(`its input is ${shown([tokens])}`);
  }
  const scores = graph.outputs.filter((o) => o.dtype === "float32" && (o.dims === null || o.dims.length === 3));
  const named = scores.length > 1 ? scores.filter((o) => /logits|scores/i.test(o.name)) : scores;
  if (named.length !== 1) return refuse(`its outputs are ${shown(graph.outputs)}`);
  const fixed = (d: Dim | undefined): number | null => (typeof d === "number" && d > 0 ? d : null);
  return {
    input: tokens.name,
    dtype: tokens.dtype,
    output: named[0]!.name,
    rows: fixed(tokens.dims?.[0]),
    length: fixed(tokens.dims?.[1]),
    width: fixed(named[0]!.dims?.[2]),
  };
}

type Run = (sequences: readonly Int32Array[]) => Promise<{ logits: Float32Array; steps: number; vocabulary: number }>;

/** Runs sequences side by side, filled up on the right with token 0, and with empty rows where the model's N is fixed. */
function runner(session: Session, { input, dtype, output, rows, length }: Omit<Face, "width">): Run {
  return async (sequences) => {
    const steps = length ?? Math.max(...sequences.map((s) => s.length));
    const n = rows ?? sequences.length;
    const ids = dtype === "int64" ? new BigInt64Array(n * steps) : new Int32Array(n * steps);
    sequences.forEach((s, row) =>
      s.forEach((token, t) => (ids[row * steps + t] = dtype === "int64" ? BigInt(token) : token)),
    );
    const given = ids instanceof Int32Array ? tensor("int32", [n, steps], ids) : tensor("int64", [n, steps], ids);
    const out = (await session.run({ [input]: given }, [output]))[output]!;
    const size = out.dims[2] ?? 0;
    if (out.dtype !== "float32" || out.dims.length !== 3 || out.dims[0] !== n || out.dims[1] !== steps || size < 2) {
      throw new MarauderError(
        "MODEL_INPUT",
        `the model is no language model: for tokens [${n}, ${steps}] it answers ${out.dtype} [${out.dims.join(", ")}]; ` +
          `expected float32 [${n}, ${steps}, V]`,
      );
    }
    return { logits: out.data as Float32Array, steps, vocabulary: size };
  };
}

function chooseVocabulary(file: Model, given: Vocabulary | undefined, size: number): Vocabulary {
  const text = file.metadata["vocabulary"];
  const own = text === undefined ? null : readVocabulary(text);
  if (text !== undefined && own === null) {
    throw new MarauderError(
      "MODEL_CORRUPT",
      'the model\'s metadata entry "vocabulary" is damaged; train or export it again',
    );
  }
  const vocabulary = own ?? given ?? (size === 256 ? readVocabulary("bytes") : null);
  if (vocabulary === null) {
    throw new MarauderError(
      "MODEL_INPUT",
      `the model scores ${size} tokens and does not say what they are; expected the metadata entry "vocabulary" ` +
        '("bytes", or a JSON list of single characters), or 256 tokens, which are bytes',
    );
  }
  if (vocabulary.size === size) return vocabulary;
  throw new MarauderError(
    "MODEL_INPUT",
    `the vocabulary has ${vocabulary.size} tokens, the model scores ${size}; expected as many; give the vocabulary that the model was trained with`,
  );
}

/** A later token must not change what an earlier position says, else "the next token" is no question to the model. */
async function checkCausal(run: Run, size: number, context: number | null): Promise<void> {
  const steps = Math.min(6, context ?? 6);
  if (steps < 2) return;
  const first = Int32Array.from({ length: steps }, (_, t) => (t * 7 + 1) % size);
  const other = first.with(steps - 1, (first[steps - 1]! + 1) % size);
  const a = await run([first]);
  const b = await run([other]);
  const seen = (steps - 1) * size;
  const far = a.logits.subarray(0, seen).some((v, i) => !(Math.abs(v - b.logits[i]!) <= 1e-3 * (1 + Math.abs(v))));
  if (!far) return;
  throw new MarauderError(
    "MODEL_INPUT",
    "the model is no language model that reads from left to right: its answer at one position changes with a later token; " +
      "expected a model that predicts the next token (a masked one, as BERT, cannot be asked for the cost of a text)",
  );
}

function checkQuestion(question: Question, size: number, context: number | null): void {
  const { tokens, from } = question;
  const n = tokens.length;
  if (n < 1 || from < 1 || from > n) {
    throw new MarauderError("INTERNAL", `internal: a language model was asked for tokens from ${from} of ${n}`);
  }
  if (context !== null && fed(question).length > context) {
    throw new MarauderError(
      "DATA_INVALID",
      `a text of ${n} tokens does not fit the model, which reads ${context} at a time; use a shorter format`,
    );
  }
  const bad = tokens.find((t) => t < 0 || t >= size);
  if (bad !== undefined) {
    throw new MarauderError("DATA_INVALID", `token ${bad} does not exist; the model has ${size}`);
  }
}

/** Costs and next distribution from the logits of one sequence, in float64. */
function read(logits: Float32Array, size: number, { tokens, from, next }: Question): Continuation {
  const bits = new Float64Array(tokens.length - from);
  for (let t = from; t < tokens.length; t++) {
    const z = logits.subarray((t - 1) * size, t * size);
    bits[t - from] = (finiteLogSum(z) - z[tokens[t]!]!) / Math.LN2;
  }
  if (!next) return { bits, next: new Float64Array(0) };
  const last = logits.subarray((tokens.length - 1) * size, tokens.length * size);
  const all = finiteLogSum(last);
  return { bits, next: Float64Array.from(last, (v) => (v - all) / Math.LN2) };
}

function finiteLogSum(z: Float32Array): number {
  const all = logSumExp(z);
  if (Number.isFinite(all)) return all;
  throw new MarauderError(
    "ENGINE_FAILED",
    "the language model answers NaN or infinity; expected finite scores; train it again",
  );
}

/**
 * Cost in bits of each text after `before`, but for its first `skip` characters, which are context: the log-perplexity of
 * Carlini et al. 2019, definition 1, where `skip` is 0.
 */
export async function textBits(
  model: LanguageTarget,
  texts: readonly string[],
  before: string,
  skip = 0,
): Promise<Float64Array> {
  const lead = encodeText(model.vocabulary, before, "the text before the secret");
  const questions = texts.map((text) => {
    const context = encodeText(model.vocabulary, text.slice(0, skip), "the text");
    const rest = encodeText(model.vocabulary, text.slice(skip), "the text");
    const from = Math.max(1, lead.length + context.length);
    return { tokens: Int32Array.from([...lead, ...context, ...rest]), from, next: false };
  });
  const answers = await model.ask(questions);
  return Float64Array.from(answers, ({ bits }) => bits.reduce((a, b) => a + b, 0));
}
