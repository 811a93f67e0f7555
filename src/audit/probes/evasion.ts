import { chooseExamples } from "../../attacks/evasion/examples.ts";
import { quartiles, share } from "../../attacks/evasion/frame.ts";
import { defaultEps, type Norm } from "../../attacks/evasion/index.ts";
import { terrainOf } from "../../attacks/evasion/terrain.ts";
import type { EvasionEvidence } from "../../contract/evidence/evasion.ts";
import type { EvidenceBase } from "../../contract/index.ts";
import { take, type Dataset } from "../../data/index.ts";
import { MarauderError } from "../../errors.ts";
import type { Target } from "../../target/index.ts";
import type { Probe } from "../probe.ts";
import { changesOf, picturesOf } from "./evasion-views.ts";
import { worstCase } from "./evasion-worst-case.ts";

export interface EvasionProbeOptions {
  readonly norm: string;
  readonly eps: number;
  readonly samples: number;
  readonly pgdSteps: number;
  readonly apgdSteps: number;
  readonly squareQueries: number;
  readonly noiseDraws: number;
}

/** Accuracy on up to this many test rows, in the order of the file. */
const ACCURACY_ROWS = 5000;

async function accuracyOn(target: Target, test: Dataset): Promise<EvasionEvidence["testAccuracy"]> {
  const rows = Math.min(ACCURACY_ROWS, test.size);
  const data = take(
    test,
    Uint32Array.from({ length: rows }, (_, i) => i),
  );
  const predicted = await target.label(data.features);
  return { rows, accuracy: share(predicted.filter((k, i) => k === data.labels![i]).length, rows) };
}

type EvasionResultBody = Omit<EvasionEvidence, Exclude<keyof EvidenceBase, "kind">>;

/** Robust accuracy against the budget, worst case over random noise, fgsm, pgd, apgd-ce and square. */
export const evasionProbe: Probe<EvasionProbeOptions, EvasionResultBody> = {
  id: "evasion",
  risk: "evasion",
  title: "Adversarial inputs",
  makes: "evasion",
  options: {
    norm: {
      type: "choice",
      default: "linf",
      choices: ["linf", "l2", "l1"],
      doc: "How the size of a change is measured.",
    },
    eps: {
      type: "float",
      default: 0,
      min: 0,
      doc: "Reference budget as a fraction of the input range (for tables, of each column's range). 0 takes what is usual for such data: linf 8/255 for colour images, 0.3 for images of one channel, 0.1 for tables.",
    },
    samples: { type: "int", default: 200, min: 1, max: 1_000_000, doc: "Test rows, chosen at random." },
    pgdSteps: { type: "int", default: 40, min: 1, max: 100_000, doc: "Steps of pgd." },
    apgdSteps: { type: "int", default: 100, min: 1, max: 100_000, doc: "Steps of apgd-ce." },
    squareQueries: {
      type: "int",
      default: 1000,
      min: 1,
      max: 10_000_000,
      doc: "Queries of square for each row that held against gradients.",
    },
    noiseDraws: {
      type: "int",
      default: 20,
      min: 1,
      max: 1_000_000,
      doc: "Draws of random noise for each row (the control).",
    },
  },
  quick: { samples: 60, pgdSteps: 20, apgdSteps: 25, squareQueries: 100, noiseDraws: 5 },
  applies(subject) {
    if (subject.target === null) return "needs a model";
    if (!subject.target.can.has("label")) return "needs a model that answers with classes or scores";
    if (subject.test.labels === null) return "needs labelled test data (--labels or --label)";
    const { low, high } = subject.target.bounds;
    if (subject.test.schema === null && !(Number.isFinite(low) && Number.isFinite(high) && low < high)) {
      return "needs the legal range of the model's inputs (--bounds low,high)";
    }
    return null;
  },
  async run(context, subject, options) {
    const { target, test } = subject;
    if (target === null)
      throw new MarauderError("INTERNAL", "internal: the evasion probe ran on a subject without a model");
    const norm = options.norm as Norm;
    const terrain = terrainOf(test, target.bounds, true);
    const relative =
      options.eps > 0
        ? options.eps
        : defaultEps(norm, test.schema === null ? target.inputShape : [terrain.free], terrain.free);
    const reference = relative * terrain.range;
    const examples = await chooseExamples(target, test, terrain, options.samples, context);
    const worst = await worstCase(examples, terrain, { ...options, norm, reference }, context);
    const { labels, predicted, ids } = examples;
    const count = labels.length;
    const correct = labels.filter((label, i) => label === predicted[i]).length;
    const within = (budget: number): number => worst.fooledAt.filter((at) => at >= 0 && at <= budget).length;
    const nameOf = (label: number): string => test.classNames[label] ?? String(label);
    const atReference = worst.budgets.indexOf(reference);
    const witnesses = [...worst.fooledAt.keys()]
      .filter((i) => worst.fooledAt[i]! >= 0 && worst.fooledAt[i]! <= atReference)
      .sort((a, b) => worst.distance[a]! - worst.distance[b]! || a - b);
    const fooledDistances = Float64Array.from(witnesses, (i) => worst.distance[i]!);
    const views = { target, test, examples, worst, witnesses: witnesses.slice(0, 6), nameOf };
    return {
      kind: "evasion",
      norm,
      unit: terrain.unit,
      range: terrain.range,
      referenceEps: reference,
      samples: count,
      correct,
      cleanAccuracy: share(correct, count),
      testAccuracy: subject.model === null ? null : await accuracyOn(target, test),
      curve: [
        { eps: 0, fooled: 0, robustAccuracy: share(correct, count) },
        ...worst.budgets.map((eps, budget) => ({
          eps,
          fooled: within(budget),
          robustAccuracy: share(correct - within(budget), count),
        })),
      ],
      attacks: worst.attacks,
      fooledUnrounded: terrain.grid === null ? null : worst.fooledUnrounded,
      distance: quartiles(fooledDistances),
      whiteBox: worst.whiteBox,
      health: worst.health,
      witnesses: witnesses.slice(0, 20).map((i) => ({
        id: ids[i]!,
        label: nameOf(labels[i]!),
        adversarial: nameOf(worst.adversarial[i]!),
        distance: worst.distance[i]!,
      })),
      pictures: await picturesOf(views),
      changes: changesOf(views),
      classNames: test.classNames.slice(0, 1000),
      rules: terrain.rules,
    };
  },
};
