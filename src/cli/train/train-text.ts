import { byteVocabulary, readVocabulary, vocabularyOf, type Vocabulary } from "../../data/index.ts";
import { ortEngine } from "../../engine/ort-node.ts";
import { MarauderError } from "../../errors.ts";
import { readBytes } from "../../files.ts";
import { saveModel, type Model } from "../../ir/index.ts";
import { statementText, type PrivacyStatement } from "../../privacy/index.ts";
import { seeded } from "../../random/index.ts";
import { checkpointFolder, heldOutLoss, makeLanguageTrainer, records, windows } from "../../train/index.ts";
import type { LanguageModel, LanguageOptions, PrivatePlan, Sequences } from "../../train/index.ts";
import { trainTextPrivately } from "../privacy/train-text-private.ts";
import { startProgress } from "../progress.ts";
import { stepOptions, type TrainFlags } from "./train-flags.ts";

const CONTEXT = 64;

export interface TextResult {
  readonly model: string;
  /** The architecture, or the file that was trained further. */
  readonly arch?: string;
  readonly from?: string;
  readonly seed: number;
  readonly vocabulary: number;
  readonly context: number;
  readonly examples: number;
  /** Held-out tokens that were predicted, and the mean of -log P in nats with its standard error. */
  readonly testTokens: number;
  readonly nats: { readonly value: number; readonly standardError: number };
  readonly perplexity: number;
  /** Of a private training. */
  readonly plan?: PrivatePlan;
  readonly noiseMultiplier?: number;
  readonly updates?: number;
  readonly statement?: PrivacyStatement;
}

/** Trains a language model on a text and measures it on a text that it has not seen. */
export async function trainText(flags: TrainFlags, start: Model | null, signal: AbortSignal): Promise<TextResult> {
  const arch = start === null ? flags.arch : undefined;
  const whole = await read(flags.data);
  const [text, test] = flags.test === undefined ? cutEnd(whole, flags) : [whole, await read(flags.test)];
  const vocabulary = await vocabularyFor(flags, start, whole);
  const context = flags.contextLength ?? contextOf(start) ?? (flags.lines === true ? longest([text, test]) : CONTEXT);
  const data = examples(text, vocabulary, flags, flags.data, context);
  const held = examples(test, vocabulary, flags, flags.test ?? `the held-out end of ${flags.data}`, context);
  const progress = startProgress(process.stderr, flags.quiet);
  progress.task(`training ${arch ?? flags.model} on ${data.starts.length} examples of ${data.context} tokens`);
  const run = { rng: seeded(flags.seed).child("train"), signal, step: progress.step };
  const { width, layers, heads, embedding, tied } = flags;
  const shape = { arch, width, layers, heads, embedding, tied };
  const trainer = makeLanguageTrainer(ortEngine, {
    ...(flags.threads !== undefined && { threads: flags.threads }),
    ...(start !== null && { start }),
  });
  try {
    const kept = flags.checkpoint === undefined ? {} : { checkpoint: { store: checkpointFolder(flags.checkpoint) } };
    const options = { ...stepOptions(flags), ...shape } as Partial<LanguageOptions>;
    const hidden =
      flags.dp === true ? await trainTextPrivately(flags, data, start, shape as Partial<LanguageOptions>, run) : null;
    const model = hidden === null ? await trainer(data, options, run, kept) : hidden.model;
    progress.end();
    await saveModel(model.model, flags.out);
    const loss = await measure(model, held, flags);
    await model.close();
    return {
      model: flags.out,
      ...hidden?.facts,
      ...(arch !== undefined && { arch }),
      ...(flags.model !== undefined && { from: flags.model }),
      seed: flags.seed,
      vocabulary: vocabulary.size,
      context: data.context,
      examples: data.starts.length,
      testTokens: loss.tokens,
      nats: { value: loss.nats, standardError: loss.standardError },
      perplexity: Math.exp(loss.nats),
    };
  } finally {
    await trainer.close();
  }
}

export const textText = (r: TextResult): string =>
  (r.statement === undefined ? "" : `${statementText(r.statement)}\n\n`) +
  `wrote ${r.model}: ${r.nats.value.toFixed(3)} ± ${(1.96 * r.nats.standardError).toFixed(3)} nats per token on ` +
  `${r.testTokens} held-out tokens (perplexity ${r.perplexity.toFixed(2)}, ${r.vocabulary} different tokens)\n`;

const read = async (path: string): Promise<string> => {
  const bytes = await readBytes(path, "text");
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new MarauderError("DATA_CORRUPT", `${path} is no UTF-8 text; convert it to UTF-8`, { cause });
  }
};

/** The text without its end, and its end. */
function cutEnd(text: string, { holdOut, lines }: TrainFlags): [string, string] {
  const at = Math.floor((1 - holdOut) * text.length);
  // Between two lines where lines are examples, and never within a character of two units.
  const line = lines === true ? text.indexOf("\n", at) + 1 : 0;
  const unit = text.charCodeAt(at) >= 0xdc00 && text.charCodeAt(at) <= 0xdfff ? at + 1 : at;
  const cut = line > 0 ? line : unit;
  return [text.slice(0, cut), text.slice(cut)];
}

/** Where the model was trained with a fixed number of predictions, that number. */
function contextOf(start: Model | null): number | undefined {
  const said = Number(start?.metadata["context"]);
  return Number.isSafeInteger(said) && said > 0 ? said : undefined;
}

async function vocabularyFor(flags: TrainFlags, start: Model | null, text: string): Promise<Vocabulary> {
  const own = start === null ? null : readVocabulary(start.metadata["vocabulary"]);
  const { vocabulary = own ?? "text" } = flags;
  if (typeof vocabulary !== "string") return vocabulary;
  if (vocabulary === "bytes") return byteVocabulary;
  return vocabularyOf(vocabulary === "text" ? text : await read(vocabulary));
}

const linesOf = (text: string): string[] => text.split("\n").filter((line) => line !== "");

/** A context that every line fits, whatever a token is: its bytes and its end. */
const longest = (texts: readonly string[]): number =>
  texts.flatMap(linesOf).reduce((most, line) => Math.max(most, Buffer.byteLength(line)), 0) + 1;

function examples(text: string, vocabulary: Vocabulary, flags: TrainFlags, name: string, context: number): Sequences {
  if (flags.lines !== true) return windows(text, vocabulary, { context, name });
  return records(linesOf(text), vocabulary, { name, context });
}

/** Loss on windows of a text, or on records from their beginning. */
async function measure(model: LanguageModel, held: Sequences, { lines }: TrainFlags) {
  if (lines !== true) {
    const { tokens } = held;
    const run = Math.min(model.longest, 512, tokens.length);
    return await heldOutLoss(model, tokens, { run });
  }
  const sequences = Array.from(held.starts, (start, i) => held.tokens.subarray(start, start + held.lengths[i]!));
  const sums = (await model.logProbabilities(sequences)).map((logs) => [-logs.reduce((a, b) => a + b, 0), logs.length]);
  const tokens = sums.reduce((n, [, length]) => n + length!, 0);
  const nats = sums.reduce((n, [sum]) => n + sum!, 0) / tokens;
  // A ratio of sums over records: its spread by the deviation of each record from it.
  const spread = sums.reduce((n, [sum, length]) => n + (sum! - nats * length!) ** 2, 0);
  return { nats, standardError: Math.sqrt(spread) / tokens, tokens };
}
