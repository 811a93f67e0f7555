import type { Finding } from "../../../src/contract/index.ts";
import { hostile } from "./hostile.ts";
import { curve, fraction } from "./numbers.ts";
import { drawnDigit, noise, shiftedBy, trafficSign } from "./pictures.ts";

const evasionThreat = {
  knows: "the model and its weights (white box)",
  changes: "each input value by at most eps (linf), inside the input range",
  spends: "100 gradient steps, 5 restarts for each row",
  atlas: ["AML.T0043.000", "AML.T0015"],
  nist: ["NISTAML.022"],
};

const eps = [0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3];
const against = (accuracies: readonly number[]) =>
  curve(
    eps.map((at, index) => [at, accuracies[index]!]),
    500,
  );

export const evasion: readonly Finding[] = [
  {
    check: "evasion-linf",
    subject: "digits",
    risk: "evasion",
    title: "Inputs within eps are misclassified",
    outcome: "fail",
    severity: "critical",
    evidence: "witness",
    headline:
      "A change of at most 0.1 in each pixel takes accuracy from 98.6 % to 3.2 %: 484 of 500 rows have a witness.",
    measures: [
      { name: "accuracy on clean rows", unit: "fraction", value: fraction(0.986, 500) },
      { name: "accuracy under attack, eps 0.1", unit: "fraction", value: fraction(0.032, 500) },
      { name: "median smallest change found", unit: "input units", value: { value: 0.043, low: 0.04, high: 0.047 } },
      { name: "gradients for each row", unit: "count", value: 212 },
    ],
    threat: evasionThreat,
    advice: [
      "Retrain by adversarial training at eps 0.1: `marauder train --defense pgd-training --eps 0.1`.",
      "Limit what a caller may send: reject inputs outside the input range, and rate-limit repeated near-duplicates.",
      "Do not rely on detectors of adversarial inputs alone; an attacker who knows the detector walks around it.",
    ],
    details: [
      {
        type: "images",
        caption: "Three rows with the smallest changes that were found",
        rows: [3, 7, 8].map((digit, index) => {
          const original = drawnDigit(digit);
          const change = noise(28, 28, 1, 11 + index);
          return {
            id: index === 1 ? `test/00412 ${hostile.image}` : `test/0${17 * (index + 1)}`,
            cells: [
              { title: "original", note: `${digit}, 99 %`, picture: original },
              { title: "change × 5", note: `linf 0.0${4 + index}`, picture: change },
              {
                title: "adversarial",
                note: index === 2 ? `${hostile.script}, 87 %` : `${[5, 2, 3][index]}, ${[91, 87, 79][index]} %`,
                picture: shiftedBy(original, change, 0.2),
              },
            ],
          };
        }),
      },
      {
        type: "series",
        caption: "Accuracy on attacked rows against eps, for two attacks and a random-noise control",
        x: { label: "eps (linf, share of the input range)", scale: "linear" },
        y: { label: "Accuracy under attack", scale: "linear", unit: "fraction" },
        series: [
          {
            name: "random noise",
            points: against([0.986, 0.986, 0.984, 0.98, 0.976, 0.966, 0.95, 0.924]),
            style: "dashed",
          },
          { name: "fgsm", points: against([0.986, 0.912, 0.702, 0.41, 0.27, 0.19, 0.142, 0.11]) },
          { name: "apgd-ce", points: against([0.986, 0.878, 0.452, 0.032, 0.004, 0, 0, 0]) },
        ],
      },
    ],
    from: ["evidence/apgd-ce-3fa91c.json", "evidence/fgsm-77b012.json", "evidence/random-noise-0c1d2e.json"],
  },
  {
    check: "evasion-linf",
    subject: "digits-hardened",
    risk: "evasion",
    title: "Inputs within eps are misclassified",
    outcome: "fail",
    severity: "low",
    evidence: "witness",
    headline:
      "A change of at most 0.1 in each pixel takes accuracy from 97.8 % to 91.4 %: 32 of 500 rows have a witness.",
    measures: [
      { name: "accuracy on clean rows", unit: "fraction", value: fraction(0.978, 500) },
      { name: "accuracy under attack, eps 0.1", unit: "fraction", value: fraction(0.914, 500) },
    ],
    threat: evasionThreat,
    advice: ["Say in the model card that accuracy under attack was measured at eps 0.1 only."],
    details: [
      {
        type: "series",
        caption: "Accuracy under attack before and after adversarial training",
        x: { label: "eps (linf, share of the input range)", scale: "linear" },
        y: { label: "Accuracy under attack", scale: "linear", unit: "fraction" },
        series: [
          { name: "before", points: against([0.986, 0.878, 0.452, 0.032, 0.004, 0, 0, 0]) },
          { name: "after", points: against([0.978, 0.966, 0.948, 0.914, 0.846, 0.61, 0.276, 0.07]) },
        ],
      },
    ],
    from: ["evidence/apgd-ce-aa19e4.json"],
  },
  {
    check: "evasion-square",
    subject: "signs",
    risk: "evasion",
    title: "Inputs are misclassified by queries alone",
    outcome: "fail",
    severity: "high",
    evidence: "witness",
    headline: "With 2,000 queries for each row and no knowledge of the model, 61.5 % of rows flip at eps 8/255.",
    measures: [
      { name: "attack success rate", unit: "fraction", value: fraction(0.615, 200) },
      { name: "median queries to success", unit: "count", value: { value: 388, low: 301, high: 470 } },
      { name: "time for each row", unit: "seconds", value: 4.21 },
    ],
    threat: {
      knows: "only the scores that the endpoint returns",
      changes: "each input value by at most 8/255 (linf)",
      spends: "2,000 queries for each row",
      atlas: ["AML.T0040", "AML.T0043.001"],
      nist: ["NISTAML.025"],
    },
    advice: [
      "Return labels instead of scores where callers do not need scores.",
      "Alert on bursts of near-duplicate queries from one client.",
    ],
    details: [
      {
        type: "images",
        caption: "A road sign, with the change of 8/255 amplified ten times",
        rows: [
          {
            id: "signs/00031.png",
            cells: [
              { title: "original", note: "stop, 97 %", picture: trafficSign() },
              { title: "change × 10", note: "linf 8/255", picture: noise(48, 48, 3, 5) },
              {
                title: "adversarial",
                note: `speed limit 80 ${hostile.override}, 64 %`,
                picture: shiftedBy(trafficSign(), noise(48, 48, 3, 5), 0.12),
              },
            ],
          },
        ],
      },
    ],
    from: ["evidence/square-19cc07.json"],
  },
  {
    check: "evasion-tabular",
    subject: "cards",
    risk: "evasion",
    title: "Fraud passes by changing what a fraudster can change",
    outcome: "fail",
    severity: "medium",
    evidence: "witness",
    headline: "18.0 % of fraudulent transactions pass as honest when only amount, hour and merchant text change.",
    measures: [{ name: "fraud that passes", unit: "fraction", value: fraction(0.18, 150) }],
    threat: {
      ...evasionThreat,
      changes: "amount (down only), hour, and the merchant's text; never the account",
      spends: "500 queries for each row",
    },
    advice: ["Add features that the payer cannot choose, for instance the age of the account."],
    details: [
      {
        type: "diff",
        caption: "Fraudulent rows that pass",
        rows: [
          {
            id: "txn-88213",
            before: "fraud, 93 %",
            after: "honest, 71 %",
            changes: [
              { column: "amount", from: "1,249.00", to: "612.40" },
              { column: "hour", from: "3", to: "14" },
              {
                column: "merchant",
                from: "International electronics store, same-day delivery to a new address",
                to: "International electronics store, pick-up in the shop, to a new address",
              },
            ],
          },
          {
            id: `txn-${hostile.closing}`,
            before: "fraud, 58 %",
            after: "honest, 52 %",
            changes: [
              { column: hostile.script, from: hostile.lines, to: hostile.terminal },
              { column: "note", from: hostile.markdown, to: hostile.long },
            ],
          },
        ],
      },
    ],
    from: ["evidence/tabular-greedy-510aab.json"],
  },
  {
    check: "evasion-certified",
    subject: "digits-hardened",
    risk: "evasion",
    title: "Predictions are not constant within a small radius",
    outcome: "pass",
    severity: "none",
    evidence: "certificate",
    headline:
      "For 78.4 % of rows no change of l2 norm 0.25 alters the prediction (randomized smoothing, sigma 0.25, alpha 0.001).",
    measures: [
      {
        name: "certified accuracy, l2 0.25",
        unit: "fraction",
        value: { value: 0.784, low: 0.746, high: 0.818, level: 0.999 },
      },
    ],
    threat: {
      ...evasionThreat,
      changes: "the input by at most 0.25 (l2)",
      spends: "anything: the bound holds for every attack",
    },
    advice: [],
    details: [],
    from: ["evidence/smoothing-5b0a11.json"],
  },
];
