import type { EvidenceBase, Finding, Report, ReportRepair, RunRecord } from "../contract/index.ts";
import type { Check, Judgement } from "./check.ts";

/**
 * Evidence to findings, with no engine and no files. Every check is asked about every subject whose plan includes its
 * risk; a check that throws becomes an error finding, and one without evidence says why there is none.
 */
export function judge(
  record: RunRecord,
  evidence: readonly EvidenceBase[],
  checks: readonly Check[],
  kindsOf: KindsOf,
): Finding[] {
  const findings: Finding[] = [];
  for (const subject of record.plan.subjects) {
    const own = evidence.filter((e) => e.subject === subject.id);
    for (const check of checks) {
      if (subject.risks !== undefined && !subject.risks.includes(check.risk)) continue;
      const read = own.filter((e) => check.reads.includes(e.kind));
      if (read.length === 0 && !wasAsked(record, check, subject.id, kindsOf)) continue;
      findings.push({
        ...(read.length === 0 ? withoutEvidence(record, check, subject.id, kindsOf) : ask(check, read)),
        check: check.id,
        subject: subject.id,
        risk: check.risk,
        title: check.title,
        threat: check.threat,
        from: read.map((e) => e.id),
      });
    }
  }
  return findings;
}

/** For each probe id, the kinds of evidence that it makes. */
export type KindsOf = (probe: string) => readonly string[];

const nothing = { severity: "none", evidence: null, measures: [], details: [] } as const;

function ask(check: Check, evidence: readonly EvidenceBase[]): Judgement {
  try {
    return check.judge(evidence);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return {
      ...nothing,
      outcome: "error",
      headline: `The check could not judge its evidence: ${message}`,
      advice: ["Delete the evidence named below and run the audit again; if it happens again, report it."],
    };
  }
}

/** Whether a probe that this check lives on was tried on the subject: a plan that lists its probes leaves others out. */
function wasAsked(record: RunRecord, check: Check, subject: string, kindsOf: KindsOf): boolean {
  return [...record.skipped, ...record.failed].some(
    (tried) => tried.subject === subject && kindsOf(tried.probe).some((kind) => check.reads.includes(kind)),
  );
}

function withoutEvidence(record: RunRecord, check: Check, subject: string, kindsOf: KindsOf): Judgement {
  const made = (probe: string): boolean => kindsOf(probe).some((kind) => check.reads.includes(kind));
  const failed = record.failed.find((f) => f.subject === subject && made(f.probe));
  if (failed !== undefined) {
    return {
      ...nothing,
      outcome: "error",
      headline: `The probe ${failed.probe} failed: ${failed.message}`,
      advice: ["Mend what the message says and run the same command again: finished work is kept."],
    };
  }
  const skipped = record.skipped.filter((s) => s.subject === subject && made(s.probe));
  const why = [...new Set(skipped.map((s) => s.why))].join("; ");
  return {
    ...nothing,
    outcome: "inapplicable",
    headline: why === "" ? "Not measured in this run." : `Not measured: ${why}.`,
    advice: [],
  };
}

/** Compares the two subjects of each repair by every measure that says which direction is better. */
function compareRepairs(record: RunRecord, findings: readonly Finding[]): ReportRepair[] {
  return record.plan.repairs.map((repair) => {
    const comparable = (subject: string): { key: string; measure: Finding["measures"][number] }[] =>
      findings
        .filter((f) => f.subject === subject)
        .flatMap((f) =>
          f.measures.filter((m) => m.better !== undefined).map((m) => ({ key: `${f.check}|${m.name}`, measure: m })),
        );
    const after = new Map(comparable(repair.after).map(({ key, measure }) => [key, measure]));
    const seen = new Set<string>();
    const rows = comparable(repair.before).flatMap(({ key, measure }) => {
      const other = after.get(key);
      // Two checks may report the same quantity (clean accuracy): once is enough.
      if (other === undefined || seen.has(measure.name)) return [];
      seen.add(measure.name);
      return [
        { name: measure.name, unit: measure.unit, better: measure.better!, before: measure.value, after: other.value },
      ];
    });
    return { ...repair, rows };
  });
}

/** Puts a report together: the single truth that page, SARIF, Markdown and terminal render. */
export function assembleReport(
  record: RunRecord,
  evidence: readonly EvidenceBase[],
  findings: readonly Finding[],
): Report {
  const sum = (of: (e: EvidenceBase) => number): number => evidence.reduce((total, e) => total + of(e), 0);
  return {
    schema: 1,
    tool: { name: "marauder", version: record.version },
    created: record.created,
    title: record.plan.title ?? record.subjects.map((s) => s.title).join(", "),
    plan: record.plan,
    subjects: record.subjects,
    findings,
    repairs: compareRepairs(record, findings),
    warnings: record.warnings,
    environment: record.environment,
    totals: { seconds: sum((e) => e.seconds), queries: sum((e) => e.queries), gradients: sum((e) => e.gradients) },
  };
}
