import type { Cell, Measure, PoisonDetectionEvidence, TableDetail } from "../../contract/index.ts";
import type { Check, Judgement } from "../check.ts";

const percent = (p: number): string => `${Number((100 * p).toPrecision(3))} %`;

/** Are there rows in the training data that look planted? */
export const plantedRows: Check<PoisonDetectionEvidence> = {
  id: "planted-rows",
  risk: "poisoning",
  title: "Suspicious rows in the training data",
  why: "Planted rows do not show in accuracy: a backdoor is silent until its trigger comes, and wrong labels look like hard cases.",
  threat: {
    knows: "the kind of data; not the model",
    changes: "some training rows and their labels",
    spends: "the rows that are planted",
    atlas: ["AML.T0020", "AML.T0018", "AML.T0059"],
    nist: ["NISTAML.013", "NISTAML.023"],
  },
  reads: ["poison-detection"],
  judge: (evidence) => judgeOne(evidence.toSorted((a, b) => total(b) - total(a))[0]!),
};

const total = (e: PoisonDetectionEvidence): number => e.asGiven.reduce((sum, d) => sum + d.flagged, 0);

function judgeOne(e: PoisonDetectionEvidence): Judgement {
  const found = e.asGiven.filter((d) => d.flagged > 0);
  const alpha = e.asGiven.reduce((sum, d) => sum + d.alpha, 0);
  const ids = new Set(found.flatMap((d) => d.rows.map((r) => r.id)));
  const most = Math.max(0, ...found.map((d) => d.flagged));
  const judged = e.asGiven.some((d) => d.classes.some((c) => c.verdict !== "too few rows"));
  const weak = powerOf(e);
  const searched = e.asGiven.map((d) => d.detector).join(" and ");
  const measures: Measure[] = e.asGiven.map((d) => ({
    name: `rows flagged by ${d.detector}`,
    unit: "count",
    value: d.flagged,
    better: "lower",
  }));
  const details = [...e.asGiven.filter((d) => d.flagged > 0).map(suspects), byClass(e), ...e.planted.map(cleaning)];
  if (found.length > 0) {
    const share = most / e.trainRows;
    return {
      outcome: "fail",
      severity: share >= 0.005 ? "high" : "medium",
      evidence: "witness",
      headline: `${most} of ${e.trainRows} training rows look planted or mislabelled (${found.map((d) => `${d.detector}: ${d.flagged}`).join(", ")}), such as ${[...ids].slice(0, 3).join(", ")}; clean data would give such a find in at most ${percent(alpha)} of audits.`,
      measures,
      advice: [
        "Look at the flagged rows, with the person who knows where they came from.",
        "Run `marauder sanitize` to take them out, and read its audit of whom the removal hits before training on the rest.",
        "Train again and measure: a backdoor that stays has rows that were not found.",
      ],
      details,
    };
  }
  return {
    outcome: judged && weak === null ? "pass" : "inconclusive",
    severity: "none",
    evidence: "estimate",
    headline: judged
      ? `Nothing found by ${searched} at a false-alarm rate of ${percent(alpha)}${weak === null ? "; rows planted for comparison were found" : `, but ${weak}`}. That is no proof of clean data.`
      : "Too few rows in every class to tell planted rows from others.",
    measures,
    advice: [
      "Keep the source of every row, so that a later find can be traced and its source removed.",
      ...(judged ? [] : ["Give more training rows, or more trusted test rows of each class."]),
      ...(weak === null
        ? []
        : [
            "Give more trusted test rows: how small a planted group can be found depends on how many there are of each class.",
          ]),
    ],
    details,
  };
}

/** Why "nothing found" says little: what was planted for comparison was not found either. null where it was. */
function powerOf(e: PoisonDetectionEvidence): string | null {
  if (e.planted.length === 0) return "nothing was planted to measure what would be found";
  const missed = e.planted.filter(
    (p) => !p.rows.some((r) => isDetector(e, r.by) && r.recall !== null && r.recall.value >= 0.5),
  );
  return missed.length === 0
    ? null
    : `rows planted for comparison were missed as well (${missed.map((m) => m.attack).join("; ")})`;
}

const isDetector = (e: PoisonDetectionEvidence, by: string): boolean => e.asGiven.some((d) => d.detector === by);

function suspects(d: PoisonDetectionEvidence["asGiven"][number]): TableDetail {
  return {
    type: "table",
    caption: `Rows flagged by ${d.detector} (${d.features}), the most suspicious first${d.flagged > 20 ? `; 20 of ${d.flagged}` : ""}. Rests on: ${d.assumes}.`,
    columns: [
      { key: "id", label: "row" },
      { key: "label", label: "label" },
      { key: "reason", label: "why" },
    ],
    rows: d.rows.slice(0, 20).map((r) => ({ ...r })),
  };
}

function byClass(e: PoisonDetectionEvidence): TableDetail {
  const rows = e.asGiven.flatMap((d) => d.classes.map((c): Record<string, Cell> => ({ detector: d.detector, ...c })));
  return {
    type: "table",
    caption: "Each class by itself; p is adjusted for all classes.",
    columns: [
      { key: "detector", label: "detector" },
      { key: "label", label: "class" },
      { key: "rows", label: "rows", unit: "count" },
      { key: "flagged", label: "flagged", unit: "count" },
      { key: "adjusted", label: "p" },
      { key: "verdict", label: "verdict" },
    ],
    rows,
    highlight: rows.flatMap((r, i) => (r["verdict"] === "found" ? [i] : [])),
  };
}

function cleaning(p: PoisonDetectionEvidence["planted"][number]): TableDetail {
  return {
    type: "table",
    caption: `What would be found: ${p.attack}. Models trained on what each way of cleaning leaves; success is the share of attacked test rows that get the attacker's class.`,
    columns: [
      { key: "by", label: "removed by" },
      { key: "removed", label: "rows removed", unit: "count" },
      { key: "recall", label: "planted rows found", unit: "fraction" },
      { key: "falseRemoval", label: "clean rows removed", unit: "fraction" },
      { key: "accuracy", label: "clean accuracy", unit: "fraction" },
      { key: "success", label: "attack success", unit: "fraction" },
    ],
    rows: p.rows.map((r) => ({ ...r })),
  };
}
