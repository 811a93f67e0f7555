import { spacesOf, type CandidateSpace, type Canary } from "../../data/text/index.ts";
import { MarauderError } from "../../errors.ts";
import type { LanguageTarget } from "../../target/index.ts";

/** What exposure and extraction work on: a language model, and the canaries that were (or were not) in its training text. */
export interface CanarySubject {
  readonly model: LanguageTarget;
  readonly canaries: readonly Canary[];
  /** What stood before each record in training; `lineBefore` tells. */
  readonly before: string;
}

/** A newline, which ends the record before, where the model knows one; else nothing. */
export const lineBefore = ({ vocabulary }: LanguageTarget): string =>
  vocabulary.kind === "bytes" || vocabulary.symbols.includes("\n") ? "\n" : "";

export interface FormatGroup {
  readonly space: CandidateSpace;
  readonly canaries: readonly Canary[];
}

/** Canaries by format: they share references and searches. Throws NOT_ENOUGH_DATA for none. */
export function byFormat(canaries: readonly Canary[]): FormatGroup[] {
  if (canaries.length === 0) {
    throw new MarauderError(
      "NOT_ENOUGH_DATA",
      "there is no canary to look for; plant some with marauder canaries plant",
    );
  }
  const found = new Map<string, Canary[]>();
  for (const canary of canaries) found.set(canary.format, [...(found.get(canary.format) ?? []), canary]);
  const spaces = spacesOf(canaries);
  return [...found].map(([format, list]) => ({ space: spaces.get(format)!, canaries: list }));
}
