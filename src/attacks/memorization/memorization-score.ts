import { take, type Dataset } from "../../data/index.ts";
import { MarauderError, throwIfCancelled } from "../../errors.ts";
import { logSumExp } from "../../stats/index.ts";
import type { Arch, Trainer } from "../../train/trainer.ts";
import type { Attack } from "../attack.ts";

export interface MemorizationScoreOptions {
  readonly subsets: number;
  readonly fraction: number;
  readonly epochs: number;
  readonly maxRows: number;
}

export interface MemorizationScoreSubject {
  readonly train: Dataset;
  readonly arch: Arch;
  readonly trainer: Trainer;
}

/** For each row: models trained with and without it, and how many of each predict its label. */
export interface MemorizationCounts {
  readonly inside: Uint32Array;
  readonly insideCorrect: Uint32Array;
  readonly outside: Uint32Array;
  readonly outsideCorrect: Uint32Array;
  readonly insideProbability: Float64Array;
  readonly outsideProbability: Float64Array;
}

/**
 * Memorization of each training row: how much likelier a model is to get the row right when it was trained on it.
 * Feldman & Zhang 2020, section 2 (equation 1) and 3.1 (subset sampling):
 * mem(i) = P[h(x_i) = y_i | i in S] - P[h(x_i) = y_i | i not in S], over models h trained on random subsets S.
 */
export const memorizationScore: Attack<MemorizationScoreOptions, MemorizationScoreSubject, MemorizationCounts> = {
  id: "memorization-score",
  title: "Memorization of single rows",
  summary:
    "Trains many models on random parts of the data and finds the rows that are known only when they were seen: outliers, mistakes, the duck-billed platypus.",
  risk: "memorization",
  paper: {
    authors: "Feldman, Zhang",
    year: 2020,
    title: "What Neural Networks Memorize and Why: Discovering the Long Tail via Influence Estimation",
    url: "https://arxiv.org/abs/2008.03703",
    section: "2 and 3.1",
  },
  differences: [
    "200 subsets by default (paper: 2,000 to 4,000); the interval of each score says what that can resolve.",
  ],
  needs: ["train"],
  options: {
    subsets: {
      type: "int",
      default: 200,
      min: 20,
      max: 20_000,
      doc: "Models to train, each on its own random subset.",
    },
    fraction: { type: "float", default: 0.7, min: 0.1, max: 0.95, doc: "Share of the rows in a subset." },
    epochs: {
      type: "int",
      default: 0,
      min: 0,
      max: 10_000,
      doc: "Passes over a subset; 0 takes the architecture's default.",
    },
    maxRows: {
      type: "int",
      default: 2000,
      min: 10,
      max: 10_000_000,
      doc: "Refuses more training rows than this, since every model is trained on most of them.",
    },
  },
  async run(context, { train, arch, trainer }, options) {
    const { labels, size } = train;
    if (labels === null)
      throw new MarauderError("DATA_LABELS", "memorization scores need the label of every row; give --label");
    if (size > options.maxRows) {
      throw new MarauderError(
        "OPTION_RANGE",
        `memorization-score trains ${options.subsets} models on most of ${size} rows; expected at most maxRows = ${options.maxRows} rows: raise it, or give fewer rows`,
      );
    }
    const counts: MemorizationCounts = {
      inside: new Uint32Array(size),
      insideCorrect: new Uint32Array(size),
      outside: new Uint32Array(size),
      outsideCorrect: new Uint32Array(size),
      insideProbability: new Float64Array(size),
      outsideProbability: new Float64Array(size),
    };
    const part = Math.min(size - 1, Math.max(1, Math.round(options.fraction * size)));
    const quiet = (rng: typeof context.rng): typeof context => ({ rng, signal: context.signal, step: () => undefined });
    for (let s = 0; s < options.subsets; s++) {
      throwIfCancelled(context.signal);
      const rng = context.rng.child("subset").child(s);
      const chosen = rng.choose(size, part).toSorted();
      const trained = await trainer(
        take(train, chosen),
        { arch, emptyClasses: "allow", ...(options.epochs > 0 ? { epochs: options.epochs } : {}) },
        quiet(rng.child("train")),
      );
      try {
        const inside = new Uint8Array(size);
        for (const i of chosen) inside[i] = 1;
        tally(counts, await trained.logits(train), trained.classes, labels, inside);
      } finally {
        await trained.close();
      }
      context.step(s + 1, options.subsets, `model ${s + 1} of ${options.subsets}`);
    }
    for (let i = 0; i < size; i++) {
      counts.insideProbability[i]! /= Math.max(1, counts.inside[i]!);
      counts.outsideProbability[i]! /= Math.max(1, counts.outside[i]!);
    }
    return counts;
  },
};

function tally(
  counts: MemorizationCounts,
  logits: Float32Array,
  classes: number,
  labels: Int32Array,
  inside: Uint8Array,
): void {
  const z = new Float64Array(classes);
  for (let i = 0; i < labels.length; i++) {
    let best = 0;
    for (let k = 0; k < classes; k++) {
      z[k] = logits[i * classes + k]!;
      if (z[k]! > z[best]!) best = k;
    }
    const y = labels[i]!;
    const correct = best === y ? 1 : 0;
    const probability = Math.exp(z[y]! - logSumExp(z));
    if (inside[i] === 1) {
      counts.inside[i]! += 1;
      counts.insideCorrect[i]! += correct;
      counts.insideProbability[i]! += probability;
    } else {
      counts.outside[i]! += 1;
      counts.outsideCorrect[i]! += correct;
      counts.outsideProbability[i]! += probability;
    }
  }
}
