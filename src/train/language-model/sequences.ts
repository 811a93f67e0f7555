import { MarauderError } from "../../errors.ts";
import { encodeText, type Vocabulary } from "../../data/text/index.ts";

/**
 * The examples that a language model learns from. Example i is a run of tokens; each of its tokens but the first is
 * predicted from those before it in the example.
 */
export interface Sequences {
  readonly name: string;
  readonly vocabulary: Vocabulary;
  /** The tokens of all examples; examples may overlap. */
  readonly tokens: Int32Array;
  /** Where example i begins in `tokens`, and its number of tokens. */
  readonly starts: Uint32Array;
  readonly lengths: Uint32Array;
  /** Number of predictions of the longest example: the T of the model. */
  readonly context: number;
  /** Examples are windows that may begin anywhere: training moves them by up to T tokens, other ones in each epoch. */
  readonly movable: boolean;
}

/**
 * A long text as windows of `context` predictions, one after the other (`stride` tokens apart; default `context`). Throws
 * NOT_ENOUGH_DATA where the text is shorter than one window, DATA_INVALID for characters outside the vocabulary.
 */
export function windows(
  text: string,
  vocabulary: Vocabulary,
  options: { readonly context: number; readonly stride?: number; readonly name?: string },
): Sequences {
  const { context, stride = context, name = "text" } = options;
  checkContext(context);
  if (!Number.isSafeInteger(stride) || stride < 1) {
    throw new MarauderError("OPTION_RANGE", `the stride must be a whole number above 0, got ${stride}`);
  }
  const tokens = encodeText(vocabulary, text, name);
  if (tokens.length < context + 1) {
    throw new MarauderError(
      "NOT_ENOUGH_DATA",
      `${name} has ${tokens.length} tokens; a context of ${context} needs at least ${context + 1}; ` +
        "give a longer text or a shorter context",
    );
  }
  const count = Math.floor((tokens.length - context - 1) / stride) + 1;
  return {
    name,
    vocabulary,
    tokens,
    starts: Uint32Array.from({ length: count }, (_, i) => i * stride),
    lengths: new Uint32Array(count).fill(context + 1),
    context,
    movable: stride === context && count > 1,
  };
}

/**
 * Each text as one example: what follows it, `end` (default a newline, where the vocabulary has one), is predicted too,
 * and the same symbol stands in front, so that the first character is predicted. Throws NOT_ENOUGH_DATA without texts,
 * DATA_INVALID for characters outside the vocabulary, and for a text longer than `context` (default: the longest).
 */
export function records(
  texts: readonly string[],
  vocabulary: Vocabulary,
  options: { readonly context?: number; readonly end?: string; readonly name?: string } = {},
): Sequences {
  const { end = "\n", name = "texts" } = options;
  const [mark] = encodeText(vocabulary, end, `the mark at the end of a record`);
  if (texts.length === 0 || mark === undefined) {
    throw new MarauderError(
      "NOT_ENOUGH_DATA",
      `${name} has no records; expected at least one, and a mark between them`,
    );
  }
  const parts = texts.map((text, i) => encodeText(vocabulary, text, `record ${i} of ${name}`));
  const lengths = Uint32Array.from(parts, (part) => part.length + 2);
  const longest = lengths.reduce((a, b) => Math.max(a, b)) - 1;
  const context = options.context ?? longest;
  checkContext(context);
  if (longest > context) {
    const row = lengths.findIndex((n) => n - 1 > context);
    throw new MarauderError(
      "DATA_INVALID",
      `record ${row} of ${name} has ${lengths[row]! - 2} tokens, which with its end do not fit a context of ${context}; ` +
        `use a context of ${longest}, or cut the record`,
      { details: { record: row } },
    );
  }
  const starts = new Uint32Array(parts.length);
  const tokens = new Int32Array(lengths.reduce((a, b) => a + b, 0));
  let at = 0;
  parts.forEach((part, i) => {
    starts[i] = at;
    tokens[at] = mark;
    tokens.set(part, at + 1);
    tokens[at + 1 + part.length] = mark;
    at += part.length + 2;
  });
  return { name, vocabulary, tokens, starts, lengths, context, movable: false };
}

export function checkContext(context: number): void {
  if (Number.isSafeInteger(context) && context >= 1 && context <= 4096) return;
  throw new MarauderError("OPTION_RANGE", `the context must be a whole number from 1 to 4096, got ${context}`);
}
