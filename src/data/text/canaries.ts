import { MarauderError } from "../../errors.ts";
import type { Rng } from "../../random/rng.ts";
import { candidateSpace, type CandidateSpace } from "./format.ts";
import type { TextRecord } from "./records.ts";

/** A secret that the project made and planted. */
export interface Canary {
  readonly id: string;
  /** The format that it was drawn from, with the made name of its owner filled in: see `candidateSpace`. */
  readonly format: string;
  /** What was asked for, before the owner's name was filled in; canaries of one family are drawn together. */
  readonly family: string;
  readonly text: string;
  /** Records of the corpus that hold it. 0: a control, drawn like the others and planted nowhere. */
  readonly repetitions: number;
}

export interface CanaryPlan {
  /** Formats with holes; `{owner}` becomes a made-up name, another one for each canary. */
  readonly formats: readonly string[];
  /** How often canaries are planted: each number gives `each` canaries of every format. 0 makes controls. */
  readonly repetitions: readonly number[];
  readonly each: number;
}

const MOST = 100_000;

/**
 * Draws canaries, all different, in the order of formats and repetitions. Each has its own random stream, so that more of
 * them leave the first ones as they are. Throws OPTION_RANGE for a plan that cannot be.
 */
export function drawCanaries(plan: CanaryPlan, rng: Rng): Canary[] {
  const whole = (n: number, low: number): boolean => Number.isInteger(n) && n >= low && n <= MOST;
  if (plan.formats.length === 0 || plan.repetitions.length === 0 || !whole(plan.each, 1)) {
    throw new MarauderError(
      "OPTION_RANGE",
      "canaries need at least one format, one number of repetitions, and 1 of each",
    );
  }
  const wrong = plan.repetitions.find((k) => !whole(k, 0));
  if (wrong !== undefined) {
    throw new MarauderError("OPTION_RANGE", `a canary is planted 0 to ${MOST} times, a whole number; got ${wrong}`);
  }
  const taken = new Set<string>();
  const canaries: Canary[] = [];
  plan.formats.forEach((family, f) => {
    for (const repetitions of plan.repetitions) {
      for (let i = 0; i < plan.each; i++) {
        const stream = rng.child("canary").child(f).child(repetitions).child(i);
        const id = `c${String(canaries.length + 1).padStart(3, "0")}`;
        canaries.push({ id, family, repetitions, ...drawOne(family, stream, taken) });
      }
    }
  });
  return canaries;
}

const TRIES = 1000;

function drawOne(family: string, rng: Rng, taken: Set<string>): { format: string; text: string } {
  for (let t = 0; t < TRIES; t++) {
    const draw = rng.child(t);
    const format = family.replaceAll("{owner}", madeName(draw.child("owner")));
    const text = candidateSpace(format).draw(draw.child("secret"));
    // An owner has one secret: two of one owner would be answers to one question.
    const key = family.includes("{owner}") ? format : text;
    if (taken.has(key)) continue;
    taken.add(key);
    return { format, text };
  }
  throw new MarauderError(
    "OPTION_RANGE",
    `the format ${JSON.stringify(family)} has too few texts for so many canaries; expected all different; add digits to its hole or take fewer`,
  );
}

const first = ["bla", "dro", "fli", "gru", "kwe", "ple", "spo", "tra", "vlu", "zwi"];
const middle = ["bin", "dax", "fur", "gol", "mev", "nop", "rut", "sil", "tek", "vam"];
const last = ["a", "o", "ix", "ub", "ek", "yn"];

/** A name that no person has: made of syllables, lower case. */
export function madeName(rng: Rng): string {
  const of = (list: readonly string[]): string => list[rng.int(list.length)]!;
  return `${of(first)}${of(middle)}${of(last)}`;
}

/**
 * Plants canaries in a corpus: each repetition is a record of its own, at a random place. So a canary that is planted k
 * times is k records: a privacy guarantee for one record covers each of them, not all k together.
 */
export function plantCanaries(records: readonly TextRecord[], canaries: readonly Canary[], rng: Rng): TextRecord[] {
  const planted = canaries.flatMap(({ id, text, repetitions }) =>
    Array.from({ length: repetitions }, (_, i): TextRecord => ({ id: `canary ${id} ${i + 1}`, text })),
  );
  const all = [...records, ...planted];
  return Array.from(rng.child("places").permutation(all.length), (i) => all[i]!);
}

/** How many records hold each canary, by id. */
export function countCanaries(records: readonly TextRecord[], canaries: readonly Canary[]): Map<string, number> {
  return new Map(canaries.map(({ id, text }) => [id, records.filter((r) => r.text.includes(text)).length]));
}

/** The spaces of canaries, each format parsed once. */
export function spacesOf(canaries: readonly Pick<Canary, "format">[]): Map<string, CandidateSpace> {
  return new Map([...new Set(canaries.map((c) => c.format))].map((format) => [format, candidateSpace(format)]));
}
