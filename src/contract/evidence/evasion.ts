import type { DiffDetail, ImagesDetail, Interval } from "../finding.ts";
import type { EvidenceBase } from "./evidence.ts";

/** One attack at the reference budget, on the examples named in `attacked`. */
export interface EvasionAttackRow {
  readonly attack: string;
  readonly title: string;
  /** "control" for random noise, which knows nothing; "gradient" or "scores" by what it needs. */
  readonly kind: "control" | "gradient" | "scores";
  /** How many correct examples it was run on: all, or those that the attacks before it could not fool. */
  readonly attacked: number;
  readonly on: "all" | "survivors";
  readonly fooled: number;
  readonly successRate: Interval;
  readonly queries: number;
  readonly gradients: number;
  readonly seconds: number;
}

/** What the `evasion` probe found: robust accuracy against budget, worst case over attacks for each example. */
export interface EvasionEvidence extends EvidenceBase {
  readonly kind: "evasion";
  readonly norm: "linf" | "l2" | "l1";
  /** Unit of every eps and distance here: "input units" or "share of each column's range". */
  readonly unit: string;
  /** One whole range, in that unit. */
  readonly range: number;
  readonly referenceEps: number;
  readonly samples: number;
  /** Examples that the model classified correctly: only these are attacked. */
  readonly correct: number;
  readonly cleanAccuracy: Interval;
  /** Accuracy on many more test rows than are attacked; null for an endpoint, whose queries are spared. */
  readonly testAccuracy: { readonly rows: number; readonly accuracy: Interval } | null;
  /** In order of eps, beginning at 0. `fooled` counts examples fooled at this eps or a smaller one. */
  readonly curve: readonly { readonly eps: number; readonly fooled: number; readonly robustAccuracy: Interval }[];
  /** At the reference budget, in the order in which they ran. */
  readonly attacks: readonly EvasionAttackRow[];
  /** Fooled at the reference budget before finds were rounded to stored values; null where nothing is rounded. */
  readonly fooledUnrounded: number | null;
  /** Of the smallest change found for each example fooled at the reference budget; null without any. */
  readonly distance: { readonly median: number; readonly q25: number; readonly q75: number } | null;
  /** False for a target without gradients: only black-box attacks ran, and they prove less. */
  readonly whiteBox: boolean;
  readonly health: {
    /** Examples that an attack by gradient looked at, at the reference budget. */
    readonly looked: number;
    /** Of those: gradient of the cross-entropy exactly zero; gradient of the margin zero too; NaN or infinite. */
    readonly saturated: number;
    readonly flat: number;
    readonly notFinite: number;
    /** Fooled at the reference budget by scores or random noise, after every attack by gradient had failed. */
    readonly onlyByScores: number;
    /** Fooled by one step, but not by many. */
    readonly onlyByOneStep: number;
    /** An attack with the whole input range as its budget, on what still held: `held` should be 0. Null when not run. */
    readonly wholeRange: { readonly attacked: number; readonly held: number } | null;
  };
  /** Examples that prove it, smallest change first; at most 20. */
  readonly witnesses: readonly {
    readonly id: string;
    readonly label: string;
    readonly adversarial: string;
    readonly distance: number;
  }[];
  /** Pictures of some witnesses, for inputs that are images. */
  readonly pictures: ImagesDetail["rows"];
  /** Changed columns of some witnesses, for tables. */
  readonly changes: DiffDetail["rows"];
  readonly classNames: readonly string[];
  /** What the attacker may do, and what was assumed. */
  readonly rules: readonly string[];
}
