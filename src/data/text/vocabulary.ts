import { excerpt, MarauderError } from "../../errors.ts";

/**
 * What the tokens of a language model stand for: the 256 bytes of UTF-8, or characters (Unicode code points) in the order
 * of their tokens.
 */
export interface Vocabulary {
  readonly kind: "bytes" | "characters";
  /** Number of tokens, V. */
  readonly size: number;
  /** The characters; empty for bytes. */
  readonly symbols: readonly string[];
}

export const byteVocabulary: Vocabulary = Object.freeze({ kind: "bytes", size: 256, symbols: Object.freeze([]) });

/** A vocabulary of characters fixed in advance, token 0 first. Throws OPTION_RANGE for fewer than 2, or one twice. */
export function characterVocabulary(symbols: string | readonly string[]): Vocabulary {
  const list = [...symbols];
  const bad = list.find((symbol, i) => [...symbol].length !== 1 || list.indexOf(symbol) !== i);
  if (list.length < 2 || bad !== undefined) {
    throw new MarauderError(
      "OPTION_RANGE",
      `a vocabulary must hold at least 2 characters, each of them once; got ${list.length}` +
        (bad === undefined ? "" : `, among them ${JSON.stringify(excerpt(bad))} twice or not as one character`),
    );
  }
  return Object.freeze({ kind: "characters", size: list.length, symbols: Object.freeze(list) });
}

/** The characters of a text, sorted by code point. Throws NOT_ENOUGH_DATA where it has fewer than 2. */
export function vocabularyOf(text: string): Vocabulary {
  const found = [...new Set(text)].toSorted((a, b) => a.codePointAt(0)! - b.codePointAt(0)!);
  if (found.length < 2) {
    throw new MarauderError(
      "NOT_ENOUGH_DATA",
      `the text has ${found.length} different characters; a language model needs at least 2`,
    );
  }
  return characterVocabulary(found);
}

const tables = new WeakMap<Vocabulary, ReadonlyMap<string, number>>();

function tokensOf(vocabulary: Vocabulary): ReadonlyMap<string, number> {
  const known = tables.get(vocabulary) ?? new Map(vocabulary.symbols.map((symbol, i) => [symbol, i]));
  tables.set(vocabulary, known);
  return known;
}

/** A text as tokens. Throws DATA_INVALID with the place of a character that the vocabulary does not hold. */
export function encodeText(vocabulary: Vocabulary, text: string, name = "the text"): Int32Array {
  if (vocabulary.kind === "bytes") return Int32Array.from(new TextEncoder().encode(text));
  const tokens = tokensOf(vocabulary);
  const out: number[] = [];
  let line = 1;
  for (const symbol of text) {
    const token = tokens.get(symbol);
    if (token === undefined) {
      const code = symbol.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0");
      throw new MarauderError(
        "DATA_INVALID",
        `character ${symbol === " " ? '" "' : JSON.stringify(excerpt(symbol))} (U+${code}) at place ${out.length} (line ${line}) of ${name} is not in ` +
          `the vocabulary of ${vocabulary.size} characters; remove it, take the vocabulary from this text, or use bytes`,
        { details: { place: out.length, line, character: `U+${code}` } },
      );
    }
    if (symbol === "\n") line++;
    out.push(token);
  }
  return Int32Array.from(out);
}

/** Tokens as a text; bytes that are no UTF-8 become U+FFFD. */
export function decodeTokens(vocabulary: Vocabulary, tokens: ArrayLike<number>): string {
  const list = Array.from(tokens);
  if (vocabulary.kind === "bytes") return new TextDecoder().decode(Uint8Array.from(list));
  return list.map((token) => vocabulary.symbols[token] ?? "\ufffd").join("");
}

/** The value of the metadata key "vocabulary" of an exported model. */
export const vocabularyText = ({ kind, symbols }: Vocabulary): string =>
  kind === "bytes" ? "bytes" : JSON.stringify(symbols);

/** Reads what `vocabularyText` wrote; null for anything else. */
export function readVocabulary(text: string | undefined): Vocabulary | null {
  if (text === "bytes") return byteVocabulary;
  try {
    const list: unknown = JSON.parse(text ?? "");
    return Array.isArray(list) && list.every((s) => typeof s === "string") ? characterVocabulary(list) : null;
  } catch {
    return null;
  }
}
