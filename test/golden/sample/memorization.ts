import type { Finding } from "../../../src/contract/index.ts";
import { hostile } from "./hostile.ts";
import { curve, fraction } from "./numbers.ts";

const fpr = [0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1];

export const memorization: readonly Finding[] = [
  {
    check: "membership",
    subject: "digits",
    risk: "memorization",
    title: "Training rows can be told from other rows",
    outcome: "fail",
    severity: "medium",
    evidence: "estimate",
    headline:
      "An attacker who sees the loss finds 4.1 % of members at a false-alarm rate of 0.1 %, 41 times the rate of guessing.",
    measures: [
      { name: "TPR at 0.1 % FPR", unit: "fraction", value: fraction(0.041, 2000) },
      { name: "AUC", unit: "none", value: { value: 0.617, low: 0.6, high: 0.634 } },
      { name: "balanced accuracy", unit: "fraction", value: fraction(0.583, 4000) },
      {
        name: "lower bound on epsilon",
        unit: "nats",
        value: { value: 1.62, low: 1.1, high: Number.POSITIVE_INFINITY },
      },
    ],
    threat: {
      knows: "the row and its label, and the scores of the model",
      changes: "nothing",
      spends: "one query for each row",
      atlas: ["AML.T0024.000"],
      nist: ["NISTAML.033"],
    },
    advice: [
      "Stop training earlier or add weight decay: the gap between training and test loss is what leaks.",
      "Where a guarantee is needed, train with DP-SGD: `marauder train --dp --target-epsilon 8`.",
    ],
    details: [
      {
        type: "series",
        caption: "ROC of membership inference, both axes logarithmic",
        x: { label: "false-positive rate", scale: "log", unit: "fraction", domain: [0.001, 1] },
        y: { label: "True-positive rate", scale: "log", unit: "fraction", domain: [0.001, 1] },
        series: [
          {
            name: "loss threshold",
            points: curve(
              fpr.map((at, index) => [at, [0.01, 0.041, 0.052, 0.07, 0.091, 0.12, 0.18, 0.25, 0.38, 0.66, 1][index]!]),
              2000,
            ),
            style: "step",
          },
          {
            name: "entropy",
            points: fpr.map((at, index) => ({
              x: at,
              y: [0.001, 0.009, 0.014, 0.024, 0.04, 0.06, 0.11, 0.18, 0.3, 0.6, 1][index]!,
            })),
            style: "step",
          },
          { name: "guessing", points: fpr.slice(1).map((at) => ({ x: at, y: at })), style: "dashed" },
        ],
      },
    ],
    from: ["evidence/loss-threshold-d00d1e.json"],
  },
  {
    check: "memorized-rows",
    subject: "animals",
    risk: "memorization",
    title: "Single rows are memorized",
    outcome: "fail",
    severity: "medium",
    evidence: "estimate",
    headline:
      "The duck-billed platypus is predicted right in 97 % of the models that saw it and in 4 % of those that did not.",
    measures: [
      { name: "largest memorization score", unit: "none", value: { value: 0.93, low: 0.88, high: 0.97 } },
      { name: "rows with a score above 0.5", unit: "count", value: 3 },
    ],
    threat: {
      knows: "the row",
      changes: "nothing",
      spends: "400 models trained on halves of the data",
      atlas: ["AML.T0024.001"],
      nist: ["NISTAML.037"],
    },
    advice: [
      "Look at the listed rows by hand: remove those that hold personal data, and collect more rows like the others.",
    ],
    details: [
      {
        type: "table",
        caption: "Most memorized rows",
        columns: [
          { key: "row", label: "Row" },
          { key: "label", label: "Label" },
          { key: "score", label: "Memorization", unit: "none" },
          { key: "with", label: "Right when seen", unit: "fraction" },
          { key: "without", label: "Right when not seen", unit: "fraction" },
        ],
        rows: [
          ["duck-billed platypus", "mammal", 0.93, 0.97, 0.04],
          ["sea snake", "reptile", 0.61, 0.83, 0.22],
          ["slow worm", "reptile", 0.52, 0.9, 0.38],
          ["scorpion", "invertebrate", 0.44, 0.91, 0.47],
          [hostile.long, "bird", 0.21, 0.98, 0.77],
          [hostile.closing, hostile.proto, 0.02, 0.99, 0.97],
        ].map(([row, label, score, seen, unseen]) => ({
          row: row as string,
          label: label as string,
          score: {
            value: score as number,
            low: Math.max(-1, (score as number) - 0.06),
            high: Math.min(1, (score as number) + 0.05),
          },
          with: fraction(seen as number, 200),
          without: fraction(unseen as number, 200),
        })),
        highlight: [0],
      },
      {
        type: "text",
        caption: "What the score means",
        paragraphs: [
          "The memorization score of a row is the difference between how often its label is predicted right by models that were trained with it and by models that were trained without it. A score near 1 means that the model knows the row only because it saw it.",
          `Extracted text is shown as it came out: ${hostile.script} ${hostile.lines} ${hostile.markdown}`,
        ],
      },
    ],
    from: ["evidence/memorization-score-90abcd.json"],
  },
  {
    check: "membership",
    subject: "cards",
    risk: "memorization",
    title: "Training rows can be told from other rows",
    outcome: "inapplicable",
    severity: "none",
    evidence: null,
    headline: "Needs rows that were in the training data and rows that were not.",
    measures: [],
    threat: {
      knows: "the row",
      changes: "nothing",
      spends: "one query for each row",
      atlas: ["AML.T0024.000"],
      nist: ["NISTAML.033"],
    },
    advice: ["Give `--members` and `--non-members`."],
    details: [],
    from: [],
  },
];
