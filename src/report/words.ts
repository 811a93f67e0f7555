import type { EvidenceKind, Finding, Outcome, Risk, Severity } from "../contract/index.ts";

/** The words of the report. A report never calls a model robust: it says what was tried and what happened. */

export const riskWords: Readonly<
  Record<Risk, { readonly title: string; readonly phase: string; readonly summary: string; readonly anchor: string }>
> = {
  poisoning: {
    title: "Poisoning",
    phase: "In training",
    summary: "An adversary puts bad rows into the training data to weaken the model or to hide a backdoor in it.",
    anchor: "poisoning",
  },
  evasion: {
    title: "Evasion",
    phase: "At prediction",
    summary: "An adversary crafts inputs, close to ordinary ones, that the model gets wrong.",
    anchor: "evasion",
  },
  memorization: {
    title: "Memorization",
    phase: "In the model",
    summary: "An adversary asks the model what was in its training data: who was a member, and what the records say.",
    anchor: "memorization",
  },
};

export const risks: readonly Risk[] = ["poisoning", "evasion", "memorization"];

/** Worst first. */
export const severities: readonly Severity[] = ["critical", "high", "medium", "low", "none"];

export const severityWords: Readonly<Record<Severity, string>> = {
  critical: "Critical",
  high: "High",
  medium: "Medium",
  low: "Low",
  none: "No severity",
};

export const evidenceWords: Readonly<Record<EvidenceKind, { readonly title: string; readonly meaning: string }>> = {
  witness: {
    title: "Witness",
    meaning:
      "Inputs, kept on disk, that show the failure when they are run again. A witness proves that something fails.",
  },
  certificate: {
    title: "Certificate",
    meaning:
      "A bound that holds for every adversary of the stated kind and strength. A certificate proves that something passes.",
  },
  estimate: {
    title: "Estimate",
    meaning:
      "A measured value with its interval. It describes what these attacks reached with this budget, nothing more.",
  },
};

/** What an outcome is called, which depends on the evidence behind it. */
export function verdictOf(finding: { readonly outcome: Outcome; readonly evidence: EvidenceKind | null }): string {
  switch (finding.outcome) {
    case "fail":
      return finding.evidence === "witness" ? "Broken" : "Failed";
    case "pass":
      return finding.evidence === "certificate" ? "Proved" : "Held at this budget";
    case "inconclusive":
      return "Undecided";
    case "inapplicable":
      return "Not applicable";
    case "error":
      return "Could not run";
  }
}

/** The rows of "how to read": each verdict and what it means. */
export const verdictMeanings: readonly { readonly verdict: string; readonly meaning: string }[] = [
  {
    verdict: "Broken",
    meaning: "The attack succeeded, and the inputs that show it are kept. More budget can only make it worse.",
  },
  { verdict: "Failed", meaning: "The measured value is beyond the limit of the check, with its interval." },
  {
    verdict: "Held at this budget",
    meaning:
      "The attacks that were run, with the steps, restarts and queries listed here, found nothing beyond the limit. A stronger or a different attack may still succeed: this is not a proof.",
  },
  {
    verdict: "Proved",
    meaning: "A certificate rules the failure out within its stated bound, and says nothing beyond it.",
  },
  {
    verdict: "Undecided",
    meaning:
      "Neither shown nor ruled out: the attacks found nothing and prove nothing, the interval straddles the limit, or there were too few rows.",
  },
  {
    verdict: "Not applicable",
    meaning: "The check needs something that was not given. What it needs is said beside it.",
  },
  { verdict: "Could not run", meaning: "The check met an error. Nothing is known about this question." },
];

/** "1 critical, 2 high" over the failed findings; null where none failed. */
export function countFailures(findings: readonly Finding[]): string | null {
  const failed = findings.filter((finding) => finding.outcome === "fail");
  const parts = severities.flatMap((severity) => {
    const count = failed.filter((finding) => finding.severity === severity).length;
    return count === 0 ? [] : [`${count} ${severity === "none" ? "without severity" : severity}`];
  });
  return parts.length === 0 ? null : parts.join(", ");
}
