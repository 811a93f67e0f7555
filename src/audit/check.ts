import type { EvidenceBase, Finding, Risk, Threat } from "../contract/index.ts";

/** What a check returns; the judge adds check, subject, risk, title, threat and `from`. */
export type Judgement = Pick<
  Finding,
  "outcome" | "severity" | "evidence" | "headline" | "measures" | "advice" | "details"
>;

/**
 * A pure function from evidence to a judgement. It sees only the evidence of the kinds that it asks for, of one subject,
 * and never an engine or a file.
 */
export interface Check<E extends EvidenceBase = EvidenceBase> {
  readonly id: string;
  readonly risk: Risk;
  readonly title: string;
  /** Why a reader should care, one or two sentences. */
  readonly why: string;
  readonly threat: Threat;
  /** Kinds of evidence it reads. With none of them on disk the finding is "inapplicable". */
  readonly reads: readonly E["kind"][];
  judge(evidence: readonly E[]): Judgement;
}
