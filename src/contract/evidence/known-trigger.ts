import type { EvidenceBase } from "./evidence.ts";

/** How often a model obeys a trigger that is known (from a red team, an incident, or the demo's own planting). */
export interface KnownTriggerResult {
  readonly kind: "known-trigger";
  readonly target: string;
  /** Rows whose true class is not the target: the only ones that can show an attack. */
  readonly rows: number;
  /** Of those, how many the model gives the target class, with the trigger and without it. */
  readonly obeyed: number;
  readonly without: number;
  /** Accuracy on the clean rows, all classes. */
  readonly cleanRows: number;
  readonly cleanCorrect: number;
}
export type KnownTriggerEvidence = EvidenceBase & KnownTriggerResult;
