import type { Detail, Measure, SanitizationAudit, SanitizationEvidence } from "../../contract/index.ts";
import type { Check, Judgement } from "../check.ts";
import { percent } from "./percent.ts";

/** Does sanitizing remove some groups' rows more than others', or cost them accuracy? */
export const unevenSanitization: Check<SanitizationEvidence> = {
  id: "uneven-sanitization",
  risk: "poisoning",
  title: "Whom sanitizing the data hits",
  why: "A minority looks like poison to every detector that works by distance: removing what is unusual can remove a group of people, and accuracy for it.",
  threat: {
    knows: "nothing; this is a side effect of the defense",
    changes: "nothing; an attacker can provoke it by making a group look poisoned",
    spends: "nothing",
    atlas: ["AML.T0020"],
    nist: ["NISTAML.013"],
  },
  reads: ["sanitization"],
  judge: (evidence) => judgeOne(evidence.toSorted((a, b) => rank(b) - rank(a))[0]!),
};

const rank = (e: SanitizationEvidence): number =>
  e.audit.verdict === "uneven" ? 2 : e.audit.verdict === "even" ? 0 : 1;

function judgeOne(e: SanitizationEvidence): Judgement {
  const { audit } = e;
  const what = `${e.detector} flags ${audit.removed} of ${audit.rows} rows (${percent(audit.removed / audit.rows)}${lookText(e.looks ?? [])})`;
  const worst = audit.groups
    .filter((g) => g.verdict === "uneven" && g.column !== "class")
    .toSorted((a, b) => ratioOf(b) - ratioOf(a))[0];
  const measures: Measure[] = [
    { name: "rows removed", unit: "fraction", value: audit.removed / audit.rows },
    ...(audit.accuracy === null
      ? []
      : [
          {
            name: "accuracy change by sanitizing",
            unit: "fraction" as const,
            value: audit.accuracy.change,
            better: "higher" as const,
          },
        ]),
    ...(worst === undefined
      ? []
      : [
          {
            name: `removal rate of ${worst.column} ${worst.value} over the rest`,
            unit: "none" as const,
            value: (worst.ratioWithinClass ?? worst.ratio)!,
            better: "lower" as const,
          },
        ]),
  ];
  const details = audit.removed === 0 ? [] : detailsOf(audit);
  if (audit.removed === 0) {
    return {
      outcome: "pass",
      severity: "none",
      evidence: "estimate",
      headline: `${e.detector} removes nothing from these data (false-alarm rate ${percent(e.alpha)}), so nobody is hit.`,
      measures,
      advice: [],
      details,
    };
  }
  if (audit.verdict === "uneven") {
    const wiped = audit.groups.some((g) => g.rows === g.removed);
    return {
      outcome: "fail",
      severity: wiped ? "critical" : "high",
      evidence: "estimate",
      headline: `${what}, unevenly: ${audit.why}.`,
      measures,
      advice: [
        "Do not train on what is left: look at the flagged rows of the groups named, or only flag them.",
        ...(wiped
          ? ["A group lost all of its rows; no weighting brings it back. Restore its rows."]
          : [
              "Remove the most suspicious rows within each class and group, in equal shares, instead of over all rows.",
            ]),
        "Add trusted rows of the groups named, so that they no longer look unusual.",
      ],
      details,
    };
  }
  const even = audit.verdict === "even";
  return {
    outcome: even ? "pass" : "inconclusive",
    severity: "none",
    evidence: "estimate",
    headline: even ? `${what}; ${audit.why}.` : `${what}; whether that is even cannot be told: ${audit.why}.`,
    measures,
    advice: even ? [] : ["Name the columns that hold groups (--groups), and give more rows of small groups."],
    details,
  };
}

/** What looking again at the rest gave. */
function lookText(looks: readonly number[]): string {
  if (looks.length < 2) return "";
  return looks.at(-1) === 0
    ? `, in ${looks.length} looks, the last of which found nothing more`
    : `, in ${looks.length} looks, the last of which still found ${looks.at(-1)}`;
}

const ratioOf = (g: SanitizationAudit["groups"][number]): number => (g.ratioWithinClass ?? g.ratio)?.value ?? 0;

/** The audit as tables: groups, distribution, model. `marauder sanitize` prints the same. */
export function detailsOf(audit: SanitizationAudit): Detail[] {
  const groups = audit.groups.map((g) => ({
    group: `${g.column} ${g.value}`,
    rows: g.rows,
    removed: g.removed,
    rate: g.rate,
    ratio: g.ratio,
    within: g.ratioWithinClass,
    p: g.adjusted,
    change: g.accuracyChange,
    placebo: g.placeboChange,
    verdict: g.verdict,
  }));
  const details: Detail[] = [
    {
      type: "table",
      caption: `Removal by class and group. "Uneven" only where the interval of the ratio lies outside 0.8 to 1.25 and p is at most 0.05, or accuracy clearly falls. A class's own ratio does not decide: planted rows may rightly sit in one class. Fewest rows left: ${audit.smallestSupport.name}, ${audit.smallestSupport.left} of ${audit.smallestSupport.of}.`,
      columns: [
        { key: "group", label: "class or group" },
        { key: "rows", label: "rows", unit: "count" },
        { key: "removed", label: "removed", unit: "count" },
        { key: "rate", label: "rate", unit: "fraction" },
        { key: "ratio", label: "ratio to the rest", unit: "none" },
        ...(audit.groups.some((g) => g.ratioWithinClass !== null)
          ? [{ key: "within", label: "ratio within classes", unit: "none" as const }]
          : []),
        { key: "p", label: "p (adjusted)", unit: "none" },
        { key: "change", label: "accuracy change", unit: "fraction" },
        { key: "placebo", label: "same, random removal", unit: "fraction" },
        { key: "verdict", label: "verdict" },
      ],
      rows: groups,
      highlight: groups.flatMap((g, i) => (g.verdict === "uneven" ? [i] : [])),
    },
    {
      type: "table",
      caption: "Does removal depend on class or group? Cramer's V says how strongly, 0 to 1.",
      columns: [
        { key: "column", label: "column" },
        { key: "statistic", label: "chi-square", unit: "none" },
        { key: "degrees", label: "degrees of freedom", unit: "count" },
        { key: "p", label: "p", unit: "none" },
        { key: "cramersV", label: "Cramer's V", unit: "none" },
      ],
      rows: audit.association.map((a) => ({ ...a })),
    },
  ];
  if (audit.shift.length > 0) {
    details.push({
      type: "table",
      caption: `Kept rows against all rows, the largest shifts first. Mix of classes: total variation ${audit.classPrior.totalVariation.toFixed(4)}, e^-KL ${audit.classPrior.expMinusKl.toFixed(4)}.`,
      columns: [
        { key: "column", label: "column" },
        { key: "smd", label: "shift of the mean (sd)", unit: "none" },
        { key: "ks", label: "Kolmogorov-Smirnov", unit: "none" },
        { key: "psi", label: "PSI", unit: "none" },
      ],
      rows: audit.shift.slice(0, 10).map((s) => ({ ...s })),
    });
  }
  const a = audit.accuracy;
  if (a !== null) {
    details.push({
      type: "table",
      caption: `Models trained again, on ${a.testRows} trusted rows.`,
      columns: [
        { key: "data", label: "trained on" },
        { key: "accuracy", label: "accuracy", unit: "fraction" },
        { key: "change", label: "change (paired bootstrap)", unit: "fraction" },
      ],
      rows: [
        { data: "all rows", accuracy: a.original, change: null },
        { data: "sanitized", accuracy: a.sanitized, change: a.change },
        { data: "as many removed at random, class by class", accuracy: a.placebo, change: a.placeboChange },
      ],
    });
  }
  return details;
}
