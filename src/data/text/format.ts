import { MarauderError } from "../../errors.ts";
import type { Rng } from "../../random/rng.ts";
import { holeOf, type Rule } from "./holes.ts";

/** One way to go on at a position of a format: the character, and what the rule of its hole remembers after it. */
export interface Choice {
  readonly char: string;
  readonly state: number;
}

/**
 * The randomness space R of a canary's format: every text that fits it, as a tree of characters whose dead ends are cut
 * off (a card number whose check digit cannot come right any more), with exact counts.
 */
export interface CandidateSpace {
  readonly format: string;
  /** Number of characters of every text of the space. */
  readonly length: number;
  /** Number of characters before the first hole: the same in every text. */
  readonly fixed: number;
  /** Every character that occurs in a text of the space, once. */
  readonly alphabet: readonly string[];
  /** |R|: how many texts fit. */
  readonly size: bigint;
  /** log2 |R|, in bits: the exposure of a secret that the model ranks first. */
  readonly bits: number;
  /** State before the first character. */
  readonly start: number;
  /** The ways to go on at position `at`; never empty below `length`. */
  choices(at: number, state: number): readonly Choice[];
  /** The text at a place of the space, 0 to size - 1, in alphabetical order of the holes. */
  text(place: bigint): string;
  /** One text, all equally likely. */
  draw(rng: Rng): string;
  contains(text: string): boolean;
  /** The text with what stands in its holes hidden. Letters of the format stay. */
  mask(text: string): string;
}

interface Slot {
  /** Characters that may stand here, in order; one for the fixed text. */
  readonly chars: string;
  readonly rule: Rule | null;
  /** Place among the digits of its hole; -1 outside and for what separates them. */
  readonly at: number;
  readonly last: boolean;
}

/** The longest format, in characters; every candidate is scored at that length. */
const LONGEST = 400;

/**
 * Parses a format: fixed text with holes in braces, `{digits:6}`, `{card}` (16 digits from 4, Luhn), `{ssn}` (a social
 * security number that the rules of the agency allow). Throws OPTION_RANGE for an unknown hole, a format without one, one
 * that is too long, and for a space of a single text, which holds no secret.
 */
export function candidateSpace(format: string): CandidateSpace {
  const slots = slotsOf(format);
  const counts = slots.map(() => new Map<number, bigint>());
  const choicesAt = slots.map(() => new Map<number, readonly Choice[]>());

  const completions = (at: number, state: number): bigint => {
    if (at === slots.length) return 1n;
    const known = counts[at]!.get(state);
    if (known !== undefined) return known;
    let sum = 0n;
    for (const { state: next } of waysAt(at, state)) sum += completions(at + 1, next);
    counts[at]!.set(state, sum);
    return sum;
  };
  const waysAt = (at: number, state: number): Choice[] => {
    const { chars, rule, at: place, last } = slots[at]!;
    // Fixed text, also that inside a hole (the dashes of a number), leaves the state alone.
    if (rule === null || place < 0) return [{ char: chars, state }];
    const out: Choice[] = [];
    for (const char of chars) {
      const next = rule.step(place === 0 ? rule.start : state, char, place);
      if (next < 0 || (last && !rule.accepts(next))) continue;
      out.push({ char, state: last ? 0 : next });
    }
    return out;
  };
  const choices = (at: number, state: number): readonly Choice[] => {
    const known = choicesAt[at]!.get(state);
    if (known !== undefined) return known;
    const alive = waysAt(at, state).filter(({ state: next }) => completions(at + 1, next) > 0n);
    choicesAt[at]!.set(state, alive);
    return alive;
  };

  const size = completions(0, 0);
  if (size < 2n) {
    throw new MarauderError(
      "OPTION_RANGE",
      `the format ${JSON.stringify(format)} has ${size} possible texts; expected at least 2, else there is no secret to hide; ` +
        "add a hole such as {digits:6}, {card} or {ssn}",
    );
  }
  const text = (place: bigint): string => {
    let rest = place;
    let state = 0;
    let out = "";
    for (let at = 0; at < slots.length; at++) {
      for (const choice of choices(at, state)) {
        const below = completions(at + 1, choice.state);
        if (rest < below) {
          out += choice.char;
          state = choice.state;
          break;
        }
        rest -= below;
      }
    }
    return out;
  };
  return Object.freeze({
    format,
    length: slots.length,
    fixed: slots.findIndex(({ chars }) => chars.length > 1),
    alphabet: Object.freeze([...new Set(slots.flatMap(({ chars }) => [...chars]))]),
    size,
    bits: log2(size),
    start: 0,
    choices,
    text,
    draw: (rng: Rng) => text(below(rng, size)),
    contains(given: string) {
      if (given.length !== slots.length) return false;
      let state = 0;
      for (let at = 0; at < slots.length; at++) {
        const found = choices(at, state).find(({ char }) => char === given[at]);
        if (found === undefined) return false;
        state = found.state;
      }
      return true;
    },
    mask: (given: string) => Array.from(given, (c, at) => ((slots[at]?.chars.length ?? 2) > 1 ? "•" : c)).join(""),
  });
}

/** log2 of a whole number of any size, to the last bit or so. */
export function log2(n: bigint): number {
  const digits = n.toString(2).length;
  const shift = Math.max(0, digits - 53);
  return Math.log2(Number(n >> BigInt(shift))) + shift;
}

/** Uniform on 0 .. n - 1, by rejection of too large numbers of as many bits. */
function below(rng: Rng, n: bigint): bigint {
  const bits = (n - 1n).toString(2).length;
  const words = Math.ceil(bits / 32);
  for (;;) {
    let value = 0n;
    for (let i = 0; i < words; i++) value = (value << 32n) | BigInt(rng.uint32());
    value &= (1n << BigInt(bits)) - 1n;
    if (value < n) return value;
  }
}

function slotsOf(format: string): Slot[] {
  const slots: Slot[] = [];
  const parts = format.split(/(\{[^{}]*\})/);
  for (const part of parts) {
    if (part.startsWith("{")) slots.push(...holeSlots(part.slice(1, -1), format));
    else if (/[{}]/.test(part)) {
      throw new MarauderError(
        "OPTION_RANGE",
        `the format ${JSON.stringify(format)} has a brace without its partner; expected holes such as {digits:6}, {card} or {ssn}`,
      );
    } else for (const char of part) slots.push({ chars: char, rule: null, at: -1, last: false });
  }
  const wide = slots.find(({ chars }) => /[\ud800-\udfff]/.test(chars));
  if (wide !== undefined) {
    throw new MarauderError(
      "OPTION_RANGE",
      `the format ${JSON.stringify(format)} has the character ${wide.chars}, which is beyond U+FFFF; expected plain letters, digits and signs`,
    );
  }
  if (slots.length > LONGEST) {
    throw new MarauderError(
      "OPTION_RANGE",
      `a format of ${slots.length} characters is too long; expected at most ${LONGEST}; shorten the text around the hole`,
    );
  }
  return slots;
}

function holeSlots(name: string, format: string): Slot[] {
  const { pattern, rule } = holeOf(name, format);
  const free = [...pattern].filter((c) => c === "#" || c === "4").length;
  let at = 0;
  return Array.from(pattern, (c): Slot => {
    if (c !== "#" && c !== "4") return { chars: c, rule, at: -1, last: false };
    return { chars: c === "#" ? "0123456789" : c, rule, at: at++, last: at === free };
  });
}
