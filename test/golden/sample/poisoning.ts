import type { Finding } from "../../../src/contract/index.ts";
import { hostile } from "./hostile.ts";
import { curve, fraction } from "./numbers.ts";
import { drawnDigit, sticker } from "./pictures.ts";

const doses = [0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05];

export const poisoning: readonly Finding[] = [
  {
    check: "backdoor-dose",
    subject: "digits",
    risk: "poisoning",
    title: "A few planted rows install a backdoor",
    outcome: "fail",
    severity: "high",
    evidence: "witness",
    headline:
      "With 40 planted rows (1 % of the training data) a small patch turns 96.8 % of digits into a 0, and clean accuracy does not drop.",
    measures: [
      { name: "attack success rate at 1 %", unit: "fraction", value: fraction(0.968, 450) },
      { name: "success on the clean model (floor)", unit: "fraction", value: fraction(0.004, 450) },
      { name: "clean accuracy at 1 %", unit: "fraction", value: fraction(0.984, 500) },
      { name: "rows needed for 50 % success", unit: "count", value: { value: 17, low: 13, high: 22 } },
    ],
    threat: {
      knows: "the form of the training data",
      changes: "adds rows with a 3 × 3 patch and the label 0",
      spends: "1 % of the training rows",
      atlas: ["AML.T0020", "AML.T0018.000", "AML.T0043.004"],
      nist: ["NISTAML.023"],
    },
    advice: [
      "Sanitize the training data before each training: `marauder sanitize train.npz --label y --out clean.npz`.",
      "Record who contributed each row, and cap the share of one contributor.",
    ],
    details: [
      {
        type: "series",
        caption: "Damage against dose",
        x: { label: "share of poisoned rows", scale: "log", unit: "fraction" },
        y: { label: "Share of rows", scale: "linear", unit: "fraction" },
        series: [
          {
            name: "attack success",
            points: curve(
              doses.map((dose, index) => [dose, [0.004, 0.06, 0.31, 0.83, 0.968, 0.991, 0.998][index]!]),
              450,
            ),
          },
          {
            name: "clean accuracy",
            points: curve(
              doses.map((dose, index) => [dose, [0.986, 0.986, 0.984, 0.986, 0.984, 0.98, 0.978][index]!]),
              500,
            ),
          },
        ],
      },
      {
        type: "images",
        caption: "Planted rows",
        rows: [
          {
            id: "train/poison-0",
            cells: [4, 9, 1].map((digit) => ({
              title: `drawn as ${digit}`,
              note: "labelled 0",
              picture: sticker(drawnDigit(digit)),
            })),
          },
        ],
      },
    ],
    from: ["evidence/badnets-b1d2c3.json"],
  },
  {
    check: "backdoor-dose",
    subject: "digits-sanitized",
    risk: "poisoning",
    title: "A few planted rows install a backdoor",
    outcome: "pass",
    severity: "none",
    evidence: "estimate",
    headline:
      "After spectral signatures removed 52 rows, the patch turns 0.9 % of digits into a 0, the same as on the clean model.",
    measures: [{ name: "attack success rate at 1 %", unit: "fraction", value: fraction(0.009, 450) }],
    threat: {
      knows: "the form of the training data",
      changes: "adds patched rows",
      spends: "1 % of the training rows",
      atlas: ["AML.T0020"],
      nist: ["NISTAML.023"],
    },
    advice: [],
    details: [],
    from: ["evidence/badnets-c0ffee.json"],
  },
  {
    check: "sanitization-bias",
    subject: "cards",
    risk: "poisoning",
    title: "Sanitizing removes one group more than the rest",
    outcome: "inconclusive",
    severity: "low",
    evidence: "estimate",
    headline:
      "Rows of customers over 70 are removed 1.4 times as often as others (0.9 to 2.2): not enough rows to call it even or uneven.",
    measures: [
      { name: "removal ratio, worst group", unit: "none", value: { value: 1.41, low: 0.91, high: 2.18 } },
      { name: "rows removed", unit: "count", value: 214 },
    ],
    threat: { knows: "", changes: "", spends: "", atlas: ["AML.T0059"], nist: ["NISTAML.013"] },
    advice: ["Sanitize at least 12,000 rows, or lower the removal rate, and look again."],
    details: [
      {
        type: "table",
        caption: "Removal by group, against all other rows",
        columns: [
          { key: "group", label: "Group" },
          { key: "rows", label: "Rows", unit: "count" },
          { key: "removed", label: "Removed", unit: "fraction" },
          { key: "ratio", label: "Ratio to the rest", unit: "none" },
          { key: "verdict", label: "Verdict" },
        ],
        rows: [
          {
            group: "age 18 to 30",
            rows: 2210,
            removed: fraction(0.026, 2210),
            ratio: { value: 0.97, low: 0.72, high: 1.3 },
            verdict: "even",
          },
          {
            group: "age 31 to 70",
            rows: 4890,
            removed: fraction(0.025, 4890),
            ratio: { value: 0.91, low: 0.7, high: 1.18 },
            verdict: "even",
          },
          {
            group: "age over 70",
            rows: 902,
            removed: fraction(0.037, 902),
            ratio: { value: 1.41, low: 0.91, high: 2.18 },
            verdict: "not enough data",
          },
          { group: hostile.script, rows: 12, removed: null, ratio: null, verdict: hostile.override },
        ],
        highlight: [2],
      },
    ],
    from: ["evidence/sanitize-0a0b0c.json"],
  },
  {
    check: "label-flip-dose",
    subject: "cards",
    risk: "poisoning",
    title: "Flipped labels lower accuracy",
    outcome: "error",
    severity: "none",
    evidence: null,
    headline: `The training loss is not finite at a dose of 10 %; expected a finite loss, got NaN ${hostile.terminal}.`,
    measures: [],
    threat: {
      knows: "the training data",
      changes: "labels",
      spends: "up to 10 % of the rows",
      atlas: ["AML.T0020"],
      nist: ["NISTAML.013"],
    },
    advice: ["Lower the learning rate (`--option learningRate=0.001`) and run again; finished evidence is kept."],
    details: [],
    from: ["evidence/label-flip-dead01.json"],
  },
];
