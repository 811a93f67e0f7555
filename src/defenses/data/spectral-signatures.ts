import { throwIfCancelled } from "../../errors.ts";
import { viewClasses } from "./class-view.ts";
import { byClass, checkSuspects, type ClassVerdict, type Detector, type Flagged } from "./detector.ts";
import { alphaOption, type Options } from "./detector-options.ts";
import { outsideReference } from "./outside-reference.ts";
import { twoModes } from "./two-modes.ts";

export interface SpectralOptions extends Options {
  shuffles: number;
  margin: number;
  directions: number;
  leastRows: number;
}

/**
 * Spectral signatures (Tran, Li and Madry 2018): per class, the squared coordinate of each centred and whitened row on a
 * leading singular direction of the class. A planted group lies at the far end of one. Whether there is one is tested, not
 * assumed: against the trusted reference, whose rows are projected onto the same directions (computed from both, so that
 * neither is favoured); without a reference a class is found only when its coordinates on the top direction have two modes
 * and that direction carries more of the variance than those of the other classes.
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
    "Features are whitened first by a robust covariance within classes, as SPECTRE does (Hayase et al. 2021): the farthest quarter of each class does not enter it, since a planted group would hide itself by spreading it.",
    "With a reference three leading directions of each class are looked at, in one test for all of them (a class's own variety can be wider than what was planted), and a group that was found is completed along the direction from the rest of the class to it, as SCAn does (Tang et al. 2021). On 12 sets of 5,000 made digits with 50 planted rows, all of them are found in all 12, at the price of 18 to 31 clean rows (24 on average, 0.5 %); one direction whitened by all rows, as before, found all in 6 sets and none in 3.",
    "No test against m trusted rows of a class can find a group of fewer than about ln(10 classes / alpha) / ln(1 + m / n) among n rows: with 200 for 500, 25 planted rows stay unseen. Give more trusted rows to find smaller groups.",
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
    directions: {
      type: "int",
      default: 3,
      min: 1,
      max: 10,
      doc: "With a reference: leading directions of each class that are looked at.",
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
    const views = viewClasses(features, width, rows, Math.max(2, options.directions), (label) => {
      const own = rows[label]!.filter((row) => row < n).length;
      return { own, judged: own >= options.leastRows && (reference === null || rows[label]!.length > own) };
    });
    throwIfCancelled(context.signal);
    const tests =
      reference === null
        ? twoModes(views, options.alpha)
        : outsideReference(views, context.rng.child("spectral-signatures"), options);
    const scores = new Float64Array(n);
    const flagged: Flagged[] = [];
    const verdicts = tests.map(({ p, adjusted, coordinates, beyond }, label): ClassVerdict => {
      const view = views[label]!;
      const before = flagged.length;
      const others = momentsBelow(coordinates, beyond ?? Infinity);
      view.rows.slice(0, view.own).forEach((row, i) => {
        const z = coordinates[i]!;
        scores[row] = beyond === null ? z * z : z * Math.abs(z);
        if (beyond !== null && z >= beyond) {
          const away = ((z - others.mean) / others.sd).toFixed(1);
          const reason = `${away} standard deviations away from the other rows of class ${label}`;
          flagged.push({ row, id: rowIds[row]!, score: scores[row]!, reason });
        }
      });
      const verdict = !view.judged ? "too few rows" : beyond === null ? "nothing found" : "found";
      return { label, rows: view.own, flagged: flagged.length - before, p, adjusted, verdict };
    });
    return {
      detector: "spectral-signatures",
      scores,
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

/** Mean and standard deviation of the values below a limit. */
function momentsBelow(values: Float64Array, limit: number): { readonly mean: number; readonly sd: number } {
  const below = values.filter((v) => v < limit);
  const mean = below.reduce((a, b) => a + b, 0) / Math.max(1, below.length);
  const square = below.reduce((a, b) => a + (b - mean) ** 2, 0) / Math.max(1, below.length);
  return { mean, sd: Math.sqrt(square) || 1 };
}
