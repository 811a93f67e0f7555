import { benjaminiHochberg, betaCdf } from "../../stats/index.ts";
import type { Rng } from "../../random/rng.ts";
import { MarauderError, throwIfCancelled } from "../../errors.ts";
import {
  byClass,
  checkSuspects,
  type ClassVerdict,
  type Detection,
  type Detector,
  type Flagged,
  type Suspects,
} from "./detector.ts";
import { alphaOption } from "./detector-options.ts";
import { excessTest, type Property } from "./excess-test.ts";
import { neighbours, votesOf, type Votes } from "./neighbours.ts";

export interface KnnOptions {
  alpha: number;
  k: number;
  shuffles: number;
  tolerated: number;
}

/** Hypotheses: for each class, then for all classes together, first "outvoted" and then "alone". */
interface Verdicts {
  /** Rows that are flagged: those with this property, in these classes. */
  readonly flags: readonly { readonly label: number; readonly property: "outvoted" | "alone" }[];
  readonly p: readonly (number | null)[];
  readonly adjusted: readonly (number | null)[];
}

/**
 * Rows whose neighbours carry another label (Deep-kNN, Peri et al. 2020), with a test of whether there are more of them than
 * clean data have. With a trusted reference both sets are asked the same question and membership is shuffled within each
 * class: exact for any clean distribution. Without, at most the share `tolerated` of clean rows may have no neighbour of
 * their own class; more than the binomial distribution allows is a find.
 */
export const knnLabelAgreement: Detector<KnnOptions> = {
  id: "knn-label-agreement",
  title: "Neighbours with another label",
  summary: "Finds rows whose nearest neighbours carry another label, when there are more of them than clean data have.",
  paper: {
    authors: "Peri, Gupta, Huang, Fowl, Zhu, Feizi, Goldstein, Dickerson",
    year: 2020,
    title: "Deep k-NN Defense against Clean-label Data Poisoning Attacks",
    url: "https://arxiv.org/abs/1909.13374",
    section: "3",
  },
  differences: [
    "Votes are weighted by 1 / class size in every case.",
    "k is 10 by default (the paper: one to two times the largest class); a small k finds single wrong labels.",
    "Rows are flagged only where a test finds more of them than clean data have; the paper always removes.",
  ],
  kind: "data",
  risks: ["poisoning"],
  needs: [],
  options: {
    alpha: alphaOption,
    k: { type: "int", default: 10, min: 1, max: 500, doc: "Neighbours that vote." },
    shuffles: {
      type: "int",
      default: 999,
      min: 199,
      max: 100_000,
      doc: "With a reference: shuffles of the permutation test.",
    },
    tolerated: {
      type: "float",
      default: 0.02,
      min: 0,
      max: 0.5,
      doc: "Without a reference: share of clean rows that may have no neighbour of their own class.",
    },
  },
  async apply(context, suspects, options) {
    checkSuspects(suspects, "knn-label-agreement");
    const { labels, classes, width, reference, rowIds } = suspects;
    const n = labels.length;
    const m = reference?.labels.length ?? 0;
    const all = new Float32Array((n + m) * width);
    all.set(suspects.features);
    if (reference !== null) all.set(reference.features, n * width);
    const allLabels = new Int32Array(n + m);
    allLabels.set(labels);
    if (reference !== null) allLabels.set(reference.labels, n);
    // Suspects and reference vote alike, so that what is said of a row does not depend on which of the two it is.
    const k = Math.min(options.k, n + m - 1);
    if (k < 1) throw new MarauderError("NOT_ENOUGH_DATA", "knn-label-agreement needs at least 2 rows, got 1 or none");
    const votes = votesOf(neighbours(all, width, k), k, allLabels, classes);
    throwIfCancelled(context.signal);
    const own: Votes = {
      against: votes.against.slice(0, n),
      outvoted: votes.outvoted.slice(0, n),
      alone: votes.alone.slice(0, n),
    };
    const member = new Uint8Array(n + m).fill(1, 0, n);
    const verdicts =
      reference === null
        ? binomial(own, suspects, options)
        : compared(votes, allLabels, member, classes, options, context.rng.child("knn-label-agreement"));
    return detection(own, verdicts, suspects, options, rowIds, k);
  },
};

function compared(
  votes: Votes,
  labels: Int32Array,
  member: Uint8Array,
  classes: number,
  options: KnnOptions,
  rng: Rng,
): Verdicts {
  const rows = byClass(labels, classes);
  const everywhere = Array.from(labels, (_, i) => i);
  const properties = ([votes.outvoted, votes.alone] as const).flatMap((has): Property[] => [
    ...rows.map((own, label) => ({ label, rows: own.filter((row) => has[row] === 1) })),
    { label: null, rows: everywhere.filter((row) => has[row] === 1) },
  ]);
  const { adjusted, counts } = excessTest(properties, rows, member, rng, options.shuffles);
  const width = classes + 1;
  // Rows that removing would gain: those beyond what the reference leads to expect, less the clean ones that go with them.
  const gain = rows.map((own, label) => {
    const suspects = own.reduce((sum, row) => sum + member[row]!, 0);
    const trusted = own.length - suspects;
    return [label, width + label].map((h) => {
      const natural = trusted === 0 ? 0 : ((properties[h]!.rows.length - counts[h]!) / trusted) * suspects;
      return counts[h]! - 2 * natural;
    }) as [number, number];
  });
  return verdictsFrom(
    Array.from(adjusted.subarray(0, width)),
    Array.from(adjusted.subarray(width)),
    options.alpha,
    classes,
    (label) => gain[label]![1] >= gain[label]![0],
  );
}

function binomial(votes: Votes, suspects: Suspects, options: KnnOptions): Verdicts {
  const { classes, labels } = suspects;
  const rows = byClass(labels, classes);
  const tail = (hits: number, of: number): number => {
    if (hits === 0 || of === 0) return 1;
    return options.tolerated === 0 ? 0 : betaCdf(options.tolerated, hits, of - hits + 1);
  };
  const hits = rows.map((r) => r.reduce((sum, i) => sum + votes.alone[i]!, 0));
  const each = benjaminiHochberg(rows.map((r, c) => tail(hits[c]!, r.length)));
  const together = tail(
    hits.reduce((a, b) => a + b, 0),
    labels.length,
  );
  // Half of alpha for the classes, half for all together.
  const alone = [...each.map((p) => Math.min(1, 2 * p)), Math.min(1, 2 * together)];
  return verdictsFrom(
    alone.map(() => 1),
    alone,
    options.alpha,
    classes,
    () => true,
  );
}

/** A class is judged by its own test; the test of all together lets every class be flagged. */
function verdictsFrom(
  outvoted: readonly number[],
  alone: readonly number[],
  alpha: number,
  classes: number,
  preferAlone: (label: number) => boolean,
): Verdicts {
  const flags: Verdicts["flags"][number][] = [];
  const least: number[] = [];
  for (let label = 0; label < classes; label++) {
    const byVotes = Math.min(outvoted[label]!, outvoted[classes]!);
    const byAlone = Math.min(alone[label]!, alone[classes]!);
    least.push(Math.min(byVotes, byAlone));
    if (byAlone <= alpha && (byVotes > alpha || preferAlone(label))) flags.push({ label, property: "alone" });
    else if (byVotes <= alpha) flags.push({ label, property: "outvoted" });
  }
  return { flags, p: outvoted.slice(0, classes).map((p, c) => Math.min(p, alone[c]!)), adjusted: least };
}

function detection(
  votes: Votes,
  verdicts: Verdicts,
  suspects: Suspects,
  options: KnnOptions,
  rowIds: readonly string[],
  k: number,
): Detection {
  const { labels, classes, reference } = suspects;
  const flagged: Flagged[] = [];
  for (const { label, property } of verdicts.flags) {
    labels.forEach((y, row) => {
      if (y !== label || votes[property][row] === 0) return;
      const share = votes.against[row]!;
      flagged.push({
        row,
        id: rowIds[row]!,
        score: share,
        reason: `${Math.round(100 * share)} % of the weighted votes of its ${k} nearest neighbours go to other classes`,
      });
    });
  }
  flagged.sort((a, b) => a.row - b.row);
  const counts = byClass(labels, classes);
  const perClass: ClassVerdict[] = counts.map((rows, label) => {
    const own = flagged.filter((f) => labels[f.row] === label).length;
    const few = rows.length < 2;
    return {
      label,
      rows: rows.length,
      flagged: own,
      p: few ? null : verdicts.p[label]!,
      adjusted: few ? null : verdicts.adjusted[label]!,
      verdict: few ? "too few rows" : own > 0 ? "found" : "nothing found",
    };
  });
  return {
    detector: "knn-label-agreement",
    scores: votes.against,
    flagged,
    classes: perClass,
    alpha: options.alpha,
    assumes:
      reference === null
        ? `at most ${100 * options.tolerated} % of clean rows have no neighbour of their own class (give a trusted reference to test without this assumption)`
        : "the reference rows are clean and come, class by class, from the same source",
  };
}
