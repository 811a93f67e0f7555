import type { EvidenceBase } from "./evidence.ts";
import type { Interval } from "../finding.ts";

/** One dose of poison: what share of the data it is, and what it did, pooled over seeds and seed by seed. */
export interface DosePoint {
  readonly rows: number;
  readonly shareOfSet: number;
  readonly shareOfTargetClass: number | null;
  readonly accuracy: Interval;
  /** Share of attacked test rows that get the target class (rows of the target class left out); null without a target. */
  readonly success: Interval | null;
  readonly seeds: readonly { readonly accuracy: number; readonly success: number | null }[];
}

/** Damage against the number of poisoned rows, with the clean model as floor. */
export interface DoseResponseResult {
  /** Which attack it was. */
  readonly kind: "label-flip-doses" | "badnets-doses";
  readonly arch: string;
  readonly trainRows: number;
  readonly testRows: number;
  readonly target: string | null;
  readonly example: string;
  readonly floor: DosePoint;
  readonly doses: readonly DosePoint[];
  /** Rows at which success reaches one half: by interpolation between two doses, or "not up to" a number of rows. */
  readonly rowsToHalf:
    | { readonly rows: number; readonly from: number; readonly to: number }
    | { readonly above: number }
    | null;
}
export type DoseResponseEvidence = EvidenceBase & DoseResponseResult;
