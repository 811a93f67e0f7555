import type { Report } from "../../../src/contract/index.ts";
import { evasion } from "./evasion.ts";
import { hostile } from "./hostile.ts";
import { memorization } from "./memorization.ts";
import { fraction } from "./numbers.ts";
import { poisoning } from "./poisoning.ts";

const sha = (seed: number) =>
  `sha256:${Array.from({ length: 64 }, (_, index) => ((((index + 3) * (seed + 7) * 2654435761) >>> 7) & 15).toString(16)).join("")}`;

/**
 * A realistic report with every shape of detail, every outcome, and hostile text wherever an attacker may write. Its
 * numbers are made up, of the size that real runs give.
 */
export const sampleReport: Report = {
  schema: 1,
  tool: { name: "marauder", version: "0.1.0" },
  created: "2026-11-24T09:12:44Z",
  title: "Audit of the drawn digits, the card transactions and two more",
  plan: {
    schema: 1,
    title: "demo",
    seed: 20261124,
    quick: false,
    subjects: [
      {
        id: "digits",
        model: "models/digits.onnx",
        data: "data/digits-test.npz",
        train: "data/digits-train.npz",
        arch: "cnn",
        bounds: [0, 1],
      },
      { id: "digits-hardened", model: "models/digits-hardened.onnx", data: "data/digits-test.npz", bounds: [0, 1] },
      { id: "digits-sanitized", model: "models/digits-sanitized.onnx", data: "data/digits-test.npz", bounds: [0, 1] },
      {
        id: "cards",
        model: `models/${hostile.image}.onnx`,
        data: "data/cards.csv",
        label: "fraud",
        groups: ["age group"],
        classNames: ["honest", hostile.script],
      },
      { id: "animals", data: "data/animals.csv", label: "class", risks: ["memorization"] },
      {
        id: "signs",
        model: "https://auditor:hunter2@predict.example:8443/v1/signs?api_key=hunter2",
        http: { headers: { authorization: "Bearer hunter2" } },
        data: "data/signs",
        samples: 200,
      },
    ],
    probes: [
      {
        probe: "apgd-ce",
        subjects: ["digits", "digits-hardened"],
        options: { norm: "linf", eps: 0.1, steps: 100, restarts: 5 },
      },
      { probe: "fgsm", subjects: ["digits"], options: { eps: 0.1 } },
      { probe: "square", subjects: ["signs"], options: { eps: 0.03137, queries: 2000 } },
      { probe: "badnets" },
      { probe: "loss-threshold" },
      { probe: "memorization-score", subjects: ["animals"], options: { models: 400, share: 0.5 } },
    ],
    repairs: [
      { id: "harden", title: "Adversarial training", what: "", before: "digits", after: "digits-hardened" },
      { id: "sanitize", title: "Sanitized training data", what: "", before: "digits", after: "digits-sanitized" },
    ],
  },
  subjects: [
    {
      id: "digits",
      title: "Drawn digits",
      description:
        "digits.onnx, 105,866 parameters, input [N, 1, 28, 28], bounds 0 to 1, 4,000 training rows, 1 % of them planted",
      fingerprints: { model: sha(1), data: sha(2), train: sha(3) },
      assumptions: [
        "The model ends in logits, as no Softmax was found; give --output if it does not.",
        "Row order of the labels is that of the data.",
      ],
    },
    {
      id: "digits-hardened",
      title: "Drawn digits, hardened",
      description: "digits-hardened.onnx, 105,866 parameters, trained on PGD inputs at eps 0.1",
      fingerprints: { model: sha(4), data: sha(2) },
      assumptions: [],
    },
    {
      id: "digits-sanitized",
      title: "Drawn digits, sanitized",
      description: "digits-sanitized.onnx, retrained without 52 suspicious rows",
      fingerprints: { model: sha(5), data: sha(2) },
      assumptions: [],
    },
    {
      id: "cards",
      title: `Card transactions ${hostile.script}`,
      description: `${hostile.image}.onnx, 8,002 rows, 2.1 % fraud, 11 columns, ${hostile.override}`,
      fingerprints: { model: sha(6), data: sha(7), [hostile.closing]: hostile.markdown },
      assumptions: [`The label column is "fraud".`, `The class "${hostile.script}" is the one to protect.`],
    },
    {
      id: "animals",
      title: "Animals",
      description: "data only: 101 rows, 16 columns, 7 classes",
      fingerprints: { data: sha(8) },
      assumptions: [],
    },
    {
      id: "signs",
      title: "Road-sign endpoint",
      description: "https://predict.example:8443/v1/signs, 48 × 48 colour pictures, 43 classes",
      fingerprints: { data: sha(9) },
      assumptions: ["Scores are probabilities, since they sum to 1."],
    },
  ],
  findings: [...evasion, ...poisoning, ...memorization],
  repairs: [
    {
      id: "harden",
      title: "Adversarial training",
      what: "The network was trained again for 12 epochs on rows attacked by 7-step PGD at eps 0.1.",
      before: "digits",
      after: "digits-hardened",
      rows: [
        {
          name: "Accuracy on clean rows",
          unit: "fraction",
          better: "higher",
          before: fraction(0.986, 500),
          after: fraction(0.978, 500),
        },
        {
          name: "Accuracy under attack, eps 0.1",
          unit: "fraction",
          better: "higher",
          before: fraction(0.032, 500),
          after: fraction(0.914, 500),
        },
        {
          name: "Median smallest change found",
          unit: "input units",
          better: "higher",
          before: { value: 0.043, low: 0.04, high: 0.047 },
          after: { value: 0.182, low: 0.176, high: 0.19 },
        },
        { name: "Time to train", unit: "seconds", better: "lower", before: 9.4, after: 61 },
      ],
    },
    {
      id: "sanitize",
      title: "Sanitized training data",
      what: "Spectral signatures removed 52 rows (40 planted, 12 honest), and the network was trained again on the rest.",
      before: "digits",
      after: "digits-sanitized",
      rows: [
        {
          name: "Backdoor success",
          unit: "fraction",
          better: "lower",
          before: fraction(0.968, 450),
          after: fraction(0.009, 450),
        },
        {
          name: "Accuracy on clean rows",
          unit: "fraction",
          better: "higher",
          before: fraction(0.984, 500),
          after: fraction(0.986, 500),
        },
        {
          name: "Accuracy on the smallest group",
          unit: "fraction",
          better: "higher",
          before: fraction(0.961, 51),
          after: null,
        },
      ],
    },
  ],
  warnings: [
    `3 rows of data/cards.csv have a class that the model does not know: ${hostile.script}.`,
    "signs: the endpoint answered 14 times with status 429; the probe waited and went on.",
  ],
  environment: {
    node: "v20.20.2",
    platform: "linux x64",
    cpu: "2 cores",
    "onnxruntime-node": "1.30.0",
    [hostile.script]: hostile.lines,
  },
  totals: { seconds: 168.4, queries: 1_284_220, gradients: 412_900 },
};
