import type { Interval } from "./finding.ts";

/** Accuracy of a part of the test rows at one epsilon, over seeds. */
export interface PartAccuracy {
  readonly name: string;
  /** Rows of the part in the training and in the test data. */
  readonly trainRows: number;
  readonly testRows: number;
  /** Mean over seeds, with a 95 % interval. */
  readonly accuracy: Interval;
  /** Accuracy lost against training without privacy, mean of the paired differences; null where there was none. */
  readonly cost: Interval | null;
}

export interface TradeoffPoint {
  /** The guarantee that was asked for; null: trained without privacy. */
  readonly target: number | null;
  /** What the account says; null without privacy. */
  readonly epsilon: number | null;
  readonly all: PartAccuracy;
  readonly classes: readonly PartAccuracy[];
  /** By declared group column, its values. */
  readonly groups: readonly { readonly column: string; readonly parts: readonly PartAccuracy[] }[];
}

/** Accuracy against epsilon: what a private training costs, and whom. */
export interface Tradeoff {
  readonly format: "marauder-tradeoff";
  readonly version: 1;
  readonly data: string;
  readonly arch: string;
  readonly trainRows: number;
  readonly testRows: number;
  readonly delta: number;
  readonly adjacency: string;
  readonly noise: string;
  readonly seeds: readonly number[];
  /** Rising in epsilon; the one without privacy, if any, last. */
  readonly points: readonly TradeoffPoint[];
  /** What the table does not say. */
  readonly caveats: readonly string[];
}
