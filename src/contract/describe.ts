/** What everything that has an id says about itself: `marauder list`, `explain`, docs and the report read this. */

export type Risk = "evasion" | "poisoning" | "memorization";

export interface Paper {
  readonly authors: string;
  readonly year: number;
  readonly title: string;
  readonly url: string;
  readonly section?: string;
}

export interface Described {
  readonly id: string;
  readonly title: string;
  /** One or two sentences for a reader who does not know the method. */
  readonly summary: string;
  readonly paper: Paper;
  /** Differences from the paper; an empty list means "none". */
  readonly differences: readonly string[];
}

/** One option: its default (of the paper's strength), its range, and what it means, with the unit. */
export type OptionSpec =
  | {
      readonly type: "int" | "float";
      readonly default: number;
      readonly min?: number;
      readonly max?: number;
      readonly doc: string;
    }
  | { readonly type: "choice"; readonly default: string; readonly choices: readonly string[]; readonly doc: string }
  | { readonly type: "text"; readonly default: string; readonly doc: string }
  | { readonly type: "boolean"; readonly default: boolean; readonly doc: string };

/** A table of options for an options type O. The command line, validation and `marauder explain` read it. */
export type OptionTable<O = Record<string, unknown>> = { readonly [K in keyof O]-?: OptionSpec };
