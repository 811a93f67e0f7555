import { throwIfCancelled } from "../../errors.ts";
import type { Rng } from "../../random/rng.ts";
import { benjaminiHochberg, betaCdf } from "../../stats/index.ts";
import { byClass, checkSuspects, type ClassVerdict, type Detector, type Flagged } from "./detector.ts";
import { alphaOption } from "./detector-options.ts";
import { excessTest, type Property } from "./excess-test.ts";
import { topDirection, type TopDirection } from "./top-direction.ts";
import { whitenedWithin } from "./whitening.ts";
import { excessMassTable, unimodalityP } from "./unimodality.ts";

export interface SpectralOptions {
  alpha: number;
  shuffles: number;
  margin: number;
  leastRows: number;
}

/** A class that was found: the side of the direction (1 or -1) and the coordinate beyond which rows are flagged. */
interface Tail {
  readonly side: 1 | -1;
  readonly beyond: number;
}

interface ClassTest {
  readonly p: number | null;
  readonly adjusted: number | null;
  readonly tail: Tail | null;
}

/**
 * Spectral signatures (Tran, Li and Madry 2018): per class, the squared coordinate of each centred and whitened row on the
 * class's top singular direction. A planted group lies at the far end of it. Whether there is one is tested, not assumed: against the
 * trusted reference, whose rows are projected onto the same direction (computed from both, so that neither is favoured);
 * without a reference a class is found only when its coordinates have two modes and its top direction carries more of the
 * variance than those of the other classes.
 */
export const spectralSignatures: Detector<SpectralOptions> = {
  id: "spectral-signatures",
  title: "Spectral signatures",
  summary: "Finds a planted group of rows at the far end of a class's main direction in feature space.",
  paper: {
    authors: "Tran, Li, Madry",
    year: 2018,
    title: "Spectral Signatures in Backdoor Attacks",
    url: "https://arxiv.org/abs/1811.00636",
    section: "3.1",
  },
  differences: [
    "Features are whitened by the covariance within classes first (as SPECTRE does by a robust one): at 1 % of the set, planted rows of the made digits rank with an AUC of 0.6 to 0.9 on the plain direction of two data sets and of 0.99 and 1.00 on the whitened one.",
    "The paper removes 1.5 times the expected number of poisoned rows from every class; here rows are flagged only in classes where a test finds a group, from the end of the direction where it lies: with a reference 1.5 times its estimated size (margin), without one the smaller of two groups.",
  ],
  kind: "data",
  risks: ["poisoning"],
  needs: [],
  options: {
    alpha: alphaOption,
    shuffles: {
      type: "int",
      default: 999,
      min: 199,
      max: 100_000,
      doc: "With a reference: shuffles of the permutation test.",
    },
    margin: {
      type: "float",
      default: 1.5,
      min: 1,
      max: 10,
      doc: "With a reference: rows flagged in a class where a group was found, as a multiple of its estimated size.",
    },
    leastRows: { type: "int", default: 20, min: 5, doc: "Classes with fewer rows are not judged." },
  },
  async apply(context, suspects, options) {
    checkSuspects(suspects, "spectral-signatures");
    const { labels, classes, width, reference, rowIds } = suspects;
    const n = labels.length;
    const m = reference?.labels.length ?? 0;
    const features = new Float32Array((n + m) * width);
    features.set(suspects.features);
    const allLabels = new Int32Array(n + m);
    allLabels.set(labels);
    if (reference !== null) {
      features.set(reference.features, n * width);
      allLabels.set(reference.labels, n);
    }
    const rows = byClass(allLabels, classes);
    const own = rows.map((list) => list.filter((row) => row < n));
    const directions: TopDirection[] = [];
    for (const [label, white] of whitenedWithin(features, width, rows).entries()) {
      throwIfCancelled(context.signal);
      context.step(label, classes);
      directions.push(
        topDirection(
          white,
          width,
          rows[label]!.map((_, i) => i),
        ),
      );
    }
    const coordinate = new Float64Array(n + m);
    rows.forEach((list, label) => list.forEach((row, i) => (coordinate[row] = directions[label]!.coordinates[i]!)));
    const rng = context.rng.child("spectral-signatures");
    const judged = own.map(
      (list, label) => list.length >= options.leastRows && (reference === null || rows[label]!.length > list.length),
    );
    const tests =
      reference === null
        ? shapeTests(own, directions, coordinate, judged, options)
        : shuffledTests(rows, n, coordinate, judged, rng, options);
    const flagged: Flagged[] = [];
    const verdicts = tests.map((test, label): ClassVerdict => {
      const { p, adjusted, tail } = test;
      const before = flagged.length;
      if (tail !== null) {
        const list = own[label]!;
        for (const row of list) {
          const z = tail.side * coordinate[row]!;
          if (z < tail.beyond) continue;
          const sd = Math.sqrt(directions[label]!.first);
          flagged.push({
            row,
            id: rowIds[row]!,
            score: coordinate[row]! ** 2,
            reason: `${(z / sd).toFixed(1)} standard deviations out on the main direction of class ${label}`,
          });
        }
      }
      const verdict = !judged[label] ? "too few rows" : tail === null ? "nothing found" : "found";
      return { label, rows: own[label]!.length, flagged: flagged.length - before, p, adjusted, verdict };
    });
    return {
      detector: "spectral-signatures",
      scores: coordinate.slice(0, n).map((z) => z * z),
      flagged: flagged.toSorted((a, b) => a.row - b.row),
      classes: verdicts,
      alpha: options.alpha,
      assumes:
        reference === null
          ? "in clean data the coordinates of a class have one mode, or no class's main direction stands out from the others'"
          : "the reference rows are clean and come, class by class, from the same source",
    };
  },
};

/** Shares of a class that may lie beyond a tail's threshold: a planted group is a minority of its class. */
const TAILS: readonly number[] = [0.4, 0.3, 0.25, 0.2, 0.175, 0.15, 0.125, 0.1, 0.08, 0.065, 0.05, 0.04, 0.03, 0.02];

/** A tail counts as a group of its own, and not as a class that drifted a little, when suspects are so many times likelier to be in it. */
const LIFT = 3;

/** With a reference: are there more suspects than chance gives beyond any of the thresholds, on either side, in any class? */
function shuffledTests(
  rows: readonly number[][],
  n: number,
  coordinate: Float64Array,
  judged: readonly boolean[],
  rng: Rng,
  options: SpectralOptions,
): ClassTest[] {
  const member = new Uint8Array(coordinate.length).fill(1, 0, n);
  interface TailProperty extends Property {
    readonly label: number;
    readonly side: 1 | -1;
  }
  const properties = rows.flatMap((list, label): TailProperty[] => {
    if (!judged[label]) return [];
    const order = list.toSorted((a, b) => coordinate[b]! - coordinate[a]! || a - b);
    return TAILS.flatMap((share) => {
      const length = Math.max(1, Math.round(share * order.length));
      return [
        { label, side: 1 as const, rows: order.slice(0, length) },
        { label, side: -1 as const, rows: order.slice(order.length - length).toReversed() },
      ];
    });
  });
  const { adjusted, surprise, counts } = excessTest(properties, rows, member, rng, options.shuffles);
  return rows.map((list, label): ClassTest => {
    if (!judged[label]) return { p: null, adjusted: null, tail: null };
    let best = -1;
    properties.forEach((t, h) => {
      if (t.label === label && (best < 0 || surprise[h]! > surprise[best]!)) best = h;
    });
    const tail = properties[best]!;
    const suspects = list.filter((row) => row < n).length;
    const inside = counts[best]! / suspects;
    const others = (tail.rows.length - counts[best]! + 0.5) / (list.length - suspects + 1);
    const found = adjusted[best]! <= options.alpha && inside >= LIFT * others;
    // The tail that surprises most is purer than complete, and a few rows left behind keep a backdoor alive: like the
    // paper, more rows than the group is thought to have are taken from its end of the direction.
    const size = Math.max(1, counts[best]! - others * suspects);
    const wanted = Math.max(counts[best]!, Math.round(options.margin * size));
    const inOrder =
      tail.side > 0
        ? list.toSorted((a, b) => coordinate[b]! - coordinate[a]! || a - b)
        : list.toSorted((a, b) => coordinate[a]! - coordinate[b]! || a - b);
    const own = inOrder.filter((row) => row < n).slice(0, wanted);
    const last = own.at(-1)!;
    return {
      p: Math.exp(-surprise[best]!),
      adjusted: adjusted[best]!,
      tail: found ? { side: tail.side, beyond: tail.side * coordinate[last]! } : null,
    };
  });
}

/** Without a reference: two modes, and a top direction that stands out from the other classes'. */
function shapeTests(
  own: readonly number[][],
  directions: readonly TopDirection[],
  coordinate: Float64Array,
  judged: readonly boolean[],
  options: SpectralOptions,
): ClassTest[] {
  const table = excessMassTable();
  const samples = own.map((list) => Float64Array.from(list, (row) => coordinate[row]!));
  const ratios = directions.map((d) => Math.log(Math.max(d.first, 1e-300) / Math.max(d.second, 1e-300)));
  const raw = own.map((_, label) => {
    if (!judged[label]) return null;
    const others = ratios.filter((_r, other) => other !== label && judged[other]);
    return Math.max(unimodalityP(samples[label]!, table), standsOut(ratios[label]!, others));
  });
  const known = raw.filter((p) => p !== null);
  const adjusted = benjaminiHochberg(known);
  let at = 0;
  return raw.map((p, label): ClassTest => {
    if (p === null) return { p, adjusted: null, tail: null };
    const own = adjusted[at++]!;
    return { p, adjusted: own, tail: own <= options.alpha ? smallerSide(samples[label]!) : null };
  });
}

/** One-sided p-value of one value against at least 3 others as a normal sample (Student's t); 0 with fewer others, which says nothing against it. */
export function standsOut(value: number, others: readonly number[]): number {
  const k = others.length;
  if (k < 3) return 0;
  const mean = others.reduce((a, b) => a + b, 0) / k;
  const variance = others.reduce((a, b) => a + (b - mean) ** 2, 0) / (k - 1);
  if (variance === 0) return value > mean ? 0 : 1;
  const t = (value - mean) / Math.sqrt(variance * (1 + 1 / k));
  const tail = betaCdf((k - 1) / (k - 1 + t * t), (k - 1) / 2, 0.5) / 2;
  return t > 0 ? tail : 1 - tail;
}

/** The smaller of the two groups that a split of least within-group spread (Otsu) makes. */
function smallerSide(sample: Float64Array): Tail {
  const x = sample.slice().sort();
  const n = x.length;
  const total = x.reduce((a, b) => a + b, 0);
  let left = 0;
  let best = { gain: -Infinity, at: 1 };
  for (let at = 1; at < n; at++) {
    left += x[at - 1]!;
    const gap = left / at - (total - left) / (n - at);
    const gain = at * (n - at) * gap * gap;
    if (gain > best.gain) best = { gain, at };
  }
  return best.at <= n / 2 ? { side: -1, beyond: -x[best.at - 1]! } : { side: 1, beyond: x[best.at]! };
}
