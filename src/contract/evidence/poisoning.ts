import type { Interval } from "../finding.ts";
import type { EvidenceBase } from "./evidence.ts";

export interface SuspectRow {
  readonly id: string;
  readonly label: string;
  readonly reason: string;
}

/** One detector on the training data as given. */
export interface DetectorOnData {
  readonly detector: string;
  readonly features: string;
  readonly alpha: number;
  readonly assumes: string;
  readonly flagged: number;
  /** The most suspicious rows, at most 200. */
  readonly rows: readonly SuspectRow[];
  readonly classes: readonly {
    readonly label: string;
    readonly rows: number;
    readonly flagged: number;
    readonly adjusted: number | null;
    readonly verdict: string;
  }[];
}

/** One way to clean planted data, and the model trained on what it left. */
export interface CleaningRow {
  readonly by: string;
  readonly removed: number;
  /** Share of planted rows that were removed, and of clean rows (Clopper-Pearson); null where nothing is removed. */
  readonly recall: Interval | null;
  readonly falseRemoval: Interval | null;
  readonly accuracy: Interval;
  readonly success: Interval | null;
}

/** What the `poison-detection` probe found. */
export interface PoisonDetectionEvidence extends EvidenceBase {
  readonly kind: "poison-detection";
  readonly trainRows: number;
  readonly reference: boolean;
  readonly asGiven: readonly DetectorOnData[];
  readonly planted: readonly {
    readonly attack: string;
    readonly planted: number;
    readonly rows: readonly CleaningRow[];
  }[];
}

export type AuditVerdict = "even" | "uneven" | "not enough data";

/** What the removal did to one class or one group. */
export interface SanitizationGroup {
  /** "class", or the name of the group column. */
  readonly column: string;
  readonly value: string;
  readonly rows: number;
  readonly removed: number;
  /** Wilson. */
  readonly rate: Interval;
  /** Removal rate over that of all other rows. */
  readonly ratio: Interval | null;
  /** The same, within classes (Mantel-Haenszel); null for classes. */
  readonly ratioWithinClass: Interval | null;
  /** Fisher's exact test, and after Benjamini-Hochberg over all classes and groups. */
  readonly p: number;
  readonly adjusted: number;
  /** Accuracy after retraining minus accuracy on the original data, paired bootstrap; null without retraining or test rows. */
  readonly accuracyChange: Interval | null;
  /** The same after random removal of as many rows. */
  readonly placeboChange: Interval | null;
  readonly verdict: AuditVerdict;
}

/** The audit of a removal: whom it hit, how it shifted the data, and what it did to the model. */
export interface SanitizationAudit {
  readonly rows: number;
  readonly removed: number;
  readonly groups: readonly SanitizationGroup[];
  /** For "class" and each group column: does removal depend on it, and how strongly. */
  readonly association: readonly {
    readonly column: string;
    readonly statistic: number;
    readonly degrees: number;
    readonly p: number;
    readonly cramersV: number;
  }[];
  /** Kept rows against all rows, the columns that shifted most first. */
  readonly shift: readonly {
    readonly column: string;
    readonly smd: number;
    readonly ks: number;
    readonly psi: number;
  }[];
  readonly classPrior: { readonly totalVariation: number; readonly expMinusKl: number };
  readonly smallestSupport: { readonly name: string; readonly left: number; readonly of: number };
  /** Accuracy on trusted test rows after retraining; null without. */
  readonly accuracy: {
    readonly original: number;
    readonly sanitized: number;
    readonly placebo: number;
    readonly change: Interval;
    readonly placeboChange: Interval;
    readonly testRows: number;
  } | null;
  readonly verdict: AuditVerdict;
  readonly why: string;
}

/** What the `sanitization` probe found. */
export interface SanitizationEvidence extends EvidenceBase {
  readonly kind: "sanitization";
  readonly detector: string;
  readonly alpha: number;
  /** "as given", or the attack whose rows were planted before. */
  readonly data: string;
  readonly declaredGroups: readonly string[];
  /** Rows flagged by each look; after the first the detector looks at the rest. Absent in evidence of earlier versions. */
  readonly looks?: readonly number[];
  readonly audit: SanitizationAudit;
}
