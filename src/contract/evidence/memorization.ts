import type { EvidenceBase } from "./evidence.ts";

/** Membership scores of known members and non-members: the raw material of every ROC. Higher means "member". */
export interface MembershipResult {
  readonly kind: "membership";
  readonly attacks: readonly {
    readonly attack: string;
    readonly members: readonly number[];
    readonly nonMembers: readonly number[];
  }[];
  readonly memberIds: readonly string[];
  readonly nonMemberIds: readonly string[];
  readonly memberLabels: readonly number[];
  readonly nonMemberLabels: readonly number[];
  /** Share of each side that the model classifies correctly, as counts. */
  readonly correct: { readonly members: number; readonly nonMembers: number };
  readonly classNames: readonly string[];
  /** Whether scores came from logits; probabilities in float32 saturate near 1. */
  readonly scoresFrom: "logits or log-probabilities";
}
export type MembershipEvidence = EvidenceBase & MembershipResult;

/** Feldman-Zhang memorization of training rows. */
export interface MemorizationScoreResult {
  readonly kind: "memorization-scores";
  readonly subsets: number;
  readonly fraction: number;
  readonly arch: string;
  readonly classNames: readonly string[];
  readonly rows: readonly {
    readonly id: string;
    readonly label: number;
    /** Models that had the row in their subset, and how many of them predict its label; the same without it. */
    readonly inside: number;
    readonly insideCorrect: number;
    readonly outside: number;
    readonly outsideCorrect: number;
    /** Mean probability of the label among models with and without the row. */
    readonly insideProbability: number;
    readonly outsideProbability: number;
  }[];
}
export type MemorizationScoreEvidence = EvidenceBase & MemorizationScoreResult;
