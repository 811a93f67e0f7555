import type { Finding, Report, ReportRepair, Risk, Severity } from "../contract/index.ts";
import { plural } from "./format.ts";
import { countFailures, severities, severityWords, verdictOf } from "./words.ts";

/** What comes first: shared by the page, Markdown and the terminal, so that they never disagree. */

const outcomeRank = { fail: 0, error: 1, inconclusive: 2, pass: 3, inapplicable: 4 } as const;

/** Failed first, by severity; then errors, undecided, held and not applicable. Ties keep the report's order. */
export function worstFirst(findings: readonly Finding[]): readonly Finding[] {
  return findings.toSorted(
    (a, b) => outcomeRank[a.outcome] - outcomeRank[b.outcome] || severityRank(a.severity) - severityRank(b.severity),
  );
}

export function findingsOf(report: Report, risk: Risk): readonly Finding[] {
  return worstFirst(report.findings.filter((finding) => finding.risk === risk));
}

/** The finding to look at first, or null where the risk was not audited. */
export function worstOf(report: Report, risk: Risk): Finding | null {
  return findingsOf(report, risk)[0] ?? null;
}

/** A repair that replaced the finding's subject, with the same check on the repaired subject (null where it was not judged). */
export interface Followup {
  readonly repair: ReportRepair;
  readonly after: Finding | null;
}

export function followupsOf(report: Report, finding: Finding): readonly Followup[] {
  return report.repairs
    .filter((repair) => repair.before === finding.subject && repair.after !== finding.subject)
    .map((repair) => ({
      repair,
      after: report.findings.find((other) => other.subject === repair.after && other.check === finding.check) ?? null,
    }))
    .filter(({ after }) => after !== null && after.outcome !== "inapplicable");
}

/** "critical → held at this budget": what the repair did to the finding. */
export function changeOf(before: Finding, after: Finding): string {
  const from = grade(before);
  const to = grade(after);
  return from === to ? `still ${to}` : `${from} → ${to}`;
}

export interface Action {
  readonly finding: Finding;
  readonly advice: string;
}

/** What to do first: the best advice of the worst findings, each advice once. */
export function firstActions(report: Report, limit = 5): readonly Action[] {
  const seen = new Set<string>();
  const actions: Action[] = [];
  for (const finding of worstFirst(report.findings)) {
    if (finding.outcome === "pass" || finding.outcome === "inapplicable") continue;
    const advice = finding.advice.find((sentence) => !seen.has(sentence));
    if (advice === undefined) continue;
    seen.add(advice);
    actions.push({ finding, advice });
    if (actions.length === limit) break;
  }
  return actions;
}

/** One sentence on the whole report: "2 of 9 checks failed (1 critical, 1 high); 4 held at this budget; 1 could not run." */
export function verdictSentence(report: Report): string {
  const { findings } = report;
  const count = (test: (finding: Finding) => boolean) => findings.filter(test).length;
  const judged = count((finding) => finding.outcome !== "inapplicable");
  if (judged === 0) return "No check could be applied: nothing is known about this model.";
  const failed = count((finding) => finding.outcome === "fail");
  const proved = count((finding) => finding.outcome === "pass" && finding.evidence === "certificate");
  const held = count((finding) => finding.outcome === "pass") - proved;
  const undecided = count((finding) => finding.outcome === "inconclusive");
  const errors = count((finding) => finding.outcome === "error");
  const parts = [
    failed > 0
      ? `${failed} of ${plural(judged, "check")} failed (${countFailures(findings)})`
      : `None of ${plural(judged, "check")} failed`,
    held > 0 && `${held} held at this budget`,
    proved > 0 && `${proved} proved within a stated bound`,
    undecided > 0 && `${undecided} undecided`,
    errors > 0 && `${errors} could not run`,
  ];
  return parts.filter(Boolean).join("; ") + ".";
}

function grade(finding: Finding): string {
  return finding.outcome === "fail" ? severityWords[finding.severity].toLowerCase() : verdictOf(finding).toLowerCase();
}

function severityRank(severity: Severity): number {
  return severities.indexOf(severity);
}
