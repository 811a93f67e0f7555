import { MarauderError } from "../../errors.ts";
import type { Rng } from "../../random/rng.ts";
import type { Attack } from "../attack.ts";
import {
  classOption,
  countsOf,
  describeCounts,
  labelsOf,
  replaced,
  wantedRows,
  type Poisoned,
  type PoisonSubject,
} from "./poison.ts";

export interface LabelFlipOptions {
  mode: "symmetric" | "pair" | "worst-case";
  rows: number;
  fraction: number;
  source: number;
  target: number;
}

/**
 * Gives some training rows a wrong label. symmetric: random rows, a random other class. pair: rows of one class become
 * another. worst-case: the rows whose label a clean model is surest of get the class that it believes in least, which
 * raises its training loss most (the first greedy step of ALFA, Xiao, Xiao and Eckert 2012).
 */
export const labelFlip: Attack<LabelFlipOptions, PoisonSubject, Poisoned> = {
  id: "label-flip",
  title: "Label flips",
  summary: "Gives some training rows a wrong label: at random, from one class to another, or where it does most harm.",
  paper: {
    authors: "Biggio, Nelson, Laskov",
    year: 2011,
    title: "Support Vector Machines Under Adversarial Label Noise",
    url: "https://proceedings.mlr.press/v20/biggio11.html",
  },
  differences: [
    "Works on any classifier; the worst case ranks rows by the logit gap of a clean model instead of solving for the SVM.",
  ],
  risk: "poisoning",
  needs: ["train"],
  options: {
    mode: {
      type: "choice",
      default: "symmetric",
      choices: ["symmetric", "pair", "worst-case"],
      doc: "Which labels are flipped.",
    },
    rows: { type: "int", default: 0, min: 0, doc: "Rows to flip; 0 uses fraction." },
    fraction: { type: "float", default: 0.05, min: 0, max: 1, doc: "Share of all rows to flip." },
    source: { type: "int", default: -1, min: -1, doc: "pair: class that loses rows; -1 takes the largest." },
    target: {
      type: "int",
      default: -1,
      min: -1,
      doc: "pair: class that gains rows; -1 takes the one after the source.",
    },
  },
  async run(context, subject, options) {
    const { data } = subject;
    const labels = labelsOf(data, "label-flip");
    const classes = data.classNames.length;
    const rng = context.rng.child("label-flip");
    const flipped = labels.slice();
    let rows: number[];
    let target: number | null = null;
    let source: number | null = null;
    if (options.mode === "pair") {
      source = classOption(options.source, data, "source");
      if (source < 0) source = largestClass(labels, classes);
      target = classOption(options.target, data, "target");
      if (target < 0) target = (source + 1) % classes;
      if (source === target) {
        throw new MarauderError(
          "OPTION_RANGE",
          `options source and target of label-flip must differ, got ${source} twice`,
        );
      }
      const candidates = positions(labels, (y) => y === source);
      rows = chosen(rng, candidates, wantedRows(options, data.size, candidates.length));
      for (const row of rows) flipped[row] = target;
    } else if (options.mode === "symmetric") {
      rows = chosen(
        rng,
        positions(labels, () => true),
        wantedRows(options, data.size, data.size),
      );
      for (const row of rows) {
        const other = rng.child(data.rowIds[row]!).int(classes - 1);
        flipped[row] = other >= labels[row]! ? other + 1 : other;
      }
    } else {
      if (subject.cleanModel === undefined) {
        throw new MarauderError(
          "CAPABILITY_MISSING",
          "worst-case label flips need a model trained on the clean data, got none; give one, or use mode symmetric",
        );
      }
      const worst = worstFlips(await subject.cleanModel.logits(data), labels, classes);
      rows = worst.order.slice(0, wantedRows(options, data.size, data.size)).toSorted((a, b) => a - b);
      for (const row of rows) flipped[row] = worst.to[row]!;
    }
    const counts = countsOf(flipped, rows, target);
    const how = {
      symmetric: "random rows got a random other label",
      pair: `rows of class ${source === null ? "" : data.classNames[source]} were relabelled ${target === null ? "" : data.classNames[target]}`,
      "worst-case": "the rows of which a clean model is surest got the label that it believes in least",
    }[options.mode];
    return {
      data: replaced(data, flipped),
      rows,
      rowIds: rows.map((row) => data.rowIds[row]!),
      counts,
      target,
      source,
      plant: (other) => other,
      description: `${how}: ${describeCounts(counts, target === null ? null : data.classNames[target]!)}`,
    };
  },
};

/** For each row the class whose logit is lowest, and the rows by the loss that the flip adds (z_y - z_to), largest first. */
function worstFlips(logits: Float32Array, labels: Int32Array, classes: number): { order: number[]; to: Int32Array } {
  const n = labels.length;
  const to = new Int32Array(n);
  const gain = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    let best = labels[i] === 0 ? 1 : 0;
    for (let c = 0; c < classes; c++) {
      if (c !== labels[i] && logits[i * classes + c]! < logits[i * classes + best]!) best = c;
    }
    to[i] = best;
    gain[i] = logits[i * classes + labels[i]!]! - logits[i * classes + best]!;
  }
  return { order: Array.from(gain.keys()).toSorted((a, b) => gain[b]! - gain[a]! || a - b), to };
}

function largestClass(labels: Int32Array, classes: number): number {
  const counts = new Uint32Array(classes);
  for (const y of labels) counts[y]!++;
  return counts.indexOf(Math.max(...counts));
}

function positions(labels: Int32Array, keep: (label: number) => boolean): number[] {
  const out: number[] = [];
  labels.forEach((y, i) => {
    if (keep(y)) out.push(i);
  });
  return out;
}

/** `count` of the candidates without replacement, ascending. A larger count contains a smaller one's rows. */
export function chosen(rng: Rng, candidates: readonly number[], count: number): number[] {
  return Array.from(rng.permutation(candidates.length).subarray(0, count), (i) => candidates[i]!).toSorted(
    (a, b) => a - b,
  );
}
