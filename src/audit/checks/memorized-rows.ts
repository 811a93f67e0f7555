import type { MemorizationScoreEvidence } from "../../contract/index.ts";
import { differenceInterval } from "../../stats/index.ts";
import type { Check } from "../check.ts";

/** Feldman & Zhang 2020 call a row memorized from this score on (section 3.3). */
const MEMORIZED = 0.25;
const SHOWN = 15;

const number = (x: number): string => x.toFixed(2);

/** Ranks the training rows by how much a model knows of them only because it saw them. */
export const memorizedRows: Check<MemorizationScoreEvidence> = {
  id: "memorized-rows",
  risk: "memorization",
  title: "Rows that are memorized",
  why: "A row that a model gets right only when it was trained on it sits in the model's weights. Such rows are the easiest to prove were used, and often the most sensitive: outliers and mistakes.",
  threat: {
    knows: "the rows, the architecture, and how it is trained",
    changes: "nothing",
    spends: "queries to the model",
    atlas: ["AML.T0024.000"],
    nist: ["NISTAML.033"],
  },
  reads: ["memorization-scores"],
  judge([evidence]) {
    const { rows, classNames, subsets, fraction } = evidence!;
    // A row is named only if its score would stand out among all rows: the level is shared between them (Bonferroni).
    const level = 1 - 0.05 / Math.max(1, rows.length);
    const scored = rows
      .filter((r) => r.inside > 0 && r.outside > 0)
      .map((r) => ({
        row: r,
        score: differenceInterval(r.insideCorrect, r.inside, r.outsideCorrect, r.outside),
        strict: differenceInterval(r.insideCorrect, r.inside, r.outsideCorrect, r.outside, level),
        soft: r.insideProbability - r.outsideProbability,
      }))
      // Scores of finitely many models tie often: the mean probability breaks ties.
      .toSorted((a, b) => b.score.value - a.score.value || b.soft - a.soft);
    const memorized = scored.filter(({ strict }) => strict.low >= MEMORIZED);
    const certain = memorized.length > 0;
    const top = scored[0];
    const share = rows.length === 0 ? 0 : memorized.length / rows.length;
    // A row that looks memorized, with too few models to be sure, is no reason to call the model clean.
    const open = top === undefined || top.score.value >= MEMORIZED;
    return {
      outcome: certain ? "fail" : open ? "inconclusive" : "pass",
      severity: !certain ? "none" : share > 0.05 ? "high" : "medium",
      evidence: certain ? "witness" : "estimate",
      headline:
        top === undefined
          ? "No row was both in and out of some subset: nothing can be said."
          : `${certain ? `${memorized.length} of ${rows.length} rows ${memorized.length === 1 ? "is" : "are"} memorized; the most is` : `No row is surely memorized; the highest score is that of`} "${top.row.id}" (${classNames[top.row.label] ?? top.row.label}): ${number(top.score.value)} (${number(top.score.low)} to ${number(top.score.high)}).`,
      measures: [
        { name: "memorized rows", unit: "count", value: memorized.length, better: "lower" },
        ...(top === undefined
          ? []
          : [
              { name: "highest memorization score", unit: "none" as const, value: top.score, better: "lower" as const },
            ]),
        { name: "models trained", unit: "count", value: subsets },
      ],
      advice: certain
        ? [
            "Look at the rows listed here: correct those that are mistakes, and ask whether the others may be known to be in the data.",
            "Where they may not, train with differential privacy or leave them out: a row that is not there cannot be memorized.",
          ]
        : ["Train more subset models (option subsets) to narrow the intervals."],
      details: [
        {
          type: "table",
          caption: `Most memorized rows (score = accuracy on the row of models trained with it, less that of models trained without it; ${subsets} models on ${Math.round(100 * fraction)} % of the rows each)`,
          columns: [
            { key: "row", label: "row" },
            { key: "label", label: "label" },
            { key: "score", label: "memorization score, 95 % interval" },
            { key: "inside", label: "right when trained on it", unit: "fraction" },
            { key: "outside", label: "right when not", unit: "fraction" },
          ],
          rows: scored.slice(0, SHOWN).map(({ row, score }) => ({
            row: row.id,
            label: classNames[row.label] ?? String(row.label),
            score,
            inside: row.insideCorrect / row.inside,
            outside: row.outsideCorrect / row.outside,
          })),
          highlight: scored.slice(0, SHOWN).flatMap(({ strict }, i) => (strict.low >= MEMORIZED ? [i] : [])),
        },
        {
          type: "series",
          caption: "Memorization score of every row, from the most memorized",
          x: { label: "row, by rank", scale: "linear" },
          y: { label: "memorization score", scale: "linear" },
          series: [
            {
              name: "score",
              style: "line",
              points: scored.map(({ score }, i) => ({ x: i + 1, y: score.value, low: score.low, high: score.high })),
            },
          ],
        },
      ],
    };
  },
};
