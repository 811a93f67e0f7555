import type { DoseResponseEvidence } from "../../contract/index.ts";
import type { Check, Judgement } from "../check.ts";
import { doseSeries, doseTable } from "./backdoor-sensitivity.ts";
import { percent } from "./percent.ts";

/** How much accuracy wrong labels cost. */
export const labelFlipSensitivity: Check<DoseResponseEvidence> = {
  id: "label-flip-sensitivity",
  risk: "poisoning",
  title: "Accuracy lost to flipped labels",
  why: "Labels are often given by strangers. This says how much a share of wrong ones costs, so that the effort spent on checking them can be weighed.",
  threat: {
    knows: "the data, and a model trained on them where the worst case is flipped",
    changes: "labels of some training rows",
    spends: "the rows counted here",
    atlas: ["AML.T0020"],
    nist: ["NISTAML.013"],
  },
  reads: ["label-flip-doses"],
  judge: ([evidence]) => judgeFlips(evidence!),
};

function judgeFlips(e: DoseResponseEvidence): Judgement {
  const { floor, doses, trainRows } = e;
  const lossOf = (d: (typeof doses)[number]): number => floor.accuracy.value - d.accuracy.value;
  // Certain only where the intervals do not meet.
  const harmful = doses.filter((d) => d.accuracy.high < floor.accuracy.low);
  const worst = doses.toSorted((a, b) => lossOf(b) - lossOf(a))[0]!;
  const small = harmful.find((d) => d.shareOfSet <= 0.05);
  const loss = lossOf(worst);
  // Passing says that surely less than ten points were lost.
  const open = doses.some((d) => floor.accuracy.value - d.accuracy.low > 0.1);
  return {
    outcome: harmful.length > 0 ? "fail" : open ? "inconclusive" : "pass",
    severity:
      harmful.length === 0
        ? "none"
        : small !== undefined && lossOf(small) > 0.1
          ? "high"
          : loss > 0.1
            ? "medium"
            : "low",
    evidence: "estimate",
    headline:
      harmful.length > 0
        ? `${worst.rows} flipped labels of ${trainRows} (${percent(worst.shareOfSet)}) cost ${(100 * loss).toFixed(1)} points of accuracy: ${percent(floor.accuracy.value)} to ${percent(worst.accuracy.value)}.`
        : open
          ? `The test rows are too few to tell whether up to ${doses.at(-1)!.rows} flipped labels of ${trainRows} cost accuracy.`
          : `Up to ${doses.at(-1)!.rows} flipped labels of ${trainRows} cost no accuracy that this test set can show.`,
    measures: [
      { name: `accuracy at ${worst.rows} flipped labels`, unit: "fraction", value: worst.accuracy },
      { name: "accuracy with clean labels", unit: "fraction", value: floor.accuracy },
    ],
    advice:
      harmful.length > 0
        ? [
            "Have a sample of the labels checked by a second person, and run `marauder sanitize --detector knn-label-agreement` on the training data.",
          ]
        : [],
    details: [doseSeries(e, "accuracy"), doseTable(e, e.example)],
  };
}
