import { checkPlan } from "../../audit/plan.ts";
import type { Plan } from "../../contract/index.ts";
import { TARGET } from "./make.ts";

/** What the demo audits: a CNN, a poisoned copy and its repair, a hardened CNN, a fraud model, and the animals. */
export function demoPlan({ seed, quick }: { readonly seed: number; readonly quick: boolean }): Plan {
  const triggered = { data: "digits-test-triggered.npz", target: TARGET };
  const few = (full: number, small: number): number => (quick ? small : full);
  return checkPlan(
    {
      schema: 1,
      title: "Marauder's demo: digits, card payments, animals",
      seed,
      quick,
      subjects: [
        {
          id: "digits",
          title: "Digits: a CNN that reads drawn digits",
          model: "digits.onnx",
          data: "digits-test.npz",
          train: "digits-train.npz",
        },
        {
          id: "digits-poisoned",
          title: "Digits, trained on a copy of the data with planted rows",
          model: "digits-poisoned.onnx",
          data: "digits-test.npz",
          train: "digits-train-poisoned.npz",
          triggered,
          risks: ["poisoning"],
        },
        {
          id: "digits-sanitized",
          title: "Digits, trained again on what the sanitizer kept",
          model: "digits-sanitized.onnx",
          data: "digits-test.npz",
          train: "digits-train-sanitized.npz",
          triggered,
          risks: ["poisoning"],
        },
        {
          id: "digits-hardened",
          title: "Digits, trained on adversarial examples",
          model: "digits-hardened.onnx",
          data: "digits-test.npz",
          train: "digits-train.npz",
          risks: ["evasion"],
        },
        {
          id: "payments",
          title: "Payments: a model that looks for card fraud",
          model: "payments.onnx",
          data: "payments-test.csv",
          train: "payments-train.csv",
          groups: ["region"],
          rowId: "id",
        },
        {
          id: "animals",
          title: "Animals: does it lay eggs?",
          model: "animals.onnx",
          data: "animals.csv",
          train: "animals.csv",
          rowId: "animal",
          groups: ["kind"],
          ignore: ["kind"],
          risks: ["memorization"],
        },
      ],
      probes: [
        { probe: "known-trigger", subjects: ["digits-poisoned", "digits-sanitized"] },
        {
          probe: "poison-detection",
          subjects: ["digits", "digits-poisoned", "digits-sanitized"],
          options: { plant: false, testRows: 4000 },
        },
        {
          probe: "badnets",
          subjects: ["digits"],
          options: { doses: "0.001,0.003,0.01", seeds: 1, trainRows: 3000, target: TARGET },
        },
        { probe: "label-flip", subjects: ["payments"], options: { doses: "0.02,0.05,0.1,0.2", seeds: few(2, 1) } },
        {
          probe: "sanitization",
          subjects: ["digits-poisoned"],
          options: { detector: "spectral-signatures", seeds: 1, testRows: 4000 },
        },
        { probe: "sanitization", subjects: ["payments"], options: { seeds: 1 } },
        { probe: "evasion", subjects: ["digits", "digits-hardened"], options: { samples: few(100, 40), eps: 0.1 } },
        { probe: "evasion", subjects: ["payments"], options: { samples: few(200, 80) } },
        { probe: "membership", subjects: ["digits", "payments"] },
        { probe: "memorization-score", subjects: ["animals"], options: { subsets: few(300, 100) } },
      ],
      repairs: [
        {
          id: "sanitize-and-retrain",
          title: "Sanitize and train again",
          what: "The spectral-signatures detector compared the poisoned training data with 2,000 trusted rows; what it flagged was removed, the CNN trained on the rest, and the rest looked at again until nothing was found.",
          before: "digits-poisoned",
          after: "digits-sanitized",
        },
        {
          id: "adversarial-training",
          title: "Train on adversarial examples",
          what: "The CNN was trained by projected gradient descent: on the worst change within the budget around each digit.",
          before: "digits",
          after: "digits-hardened",
        },
      ],
    },
    "the demo's plan",
  );
}
