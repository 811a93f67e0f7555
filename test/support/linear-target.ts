import type { Dataset } from "../../src/data/dataset.ts";
import { MarauderError } from "../../src/errors.ts";
import type { Rng } from "../../src/random/index.ts";
import { balls, type Norm } from "../../src/attacks/evasion/index.ts";
import type { Capability, GradientAnswer, LossSpec, Target } from "../../src/target/target.ts";
import { float32, sizeOf } from "../../src/tensor/index.ts";

export interface LinearSettings {
  readonly shape: readonly number[];
  readonly classes: number;
  readonly can?: readonly Capability[];
  readonly bounds?: { low: number; high: number };
  /** Called before each answer with the number of rows; may throw. */
  readonly onCall?: (rows: number) => void;
  /** Replaces scores of a row, to act a broken model. */
  readonly spoil?: (scores: Float64Array, x: Float32Array) => void;
  /** Multiplies gradients; 0 acts a model that hides them. */
  readonly gradientScale?: number;
  readonly weightScale?: number;
}

export interface LinearTarget extends Target {
  readonly weights: Float64Array;
  /** For each class, the smallest change in a norm that reaches the decision between it and the label, away from the bounds: margin over the dual norm. Infinity for the label. */
  distances(norm: Norm, x: Float32Array, label: number): number[];
}

/** Scores W x + b in float64, row by row, so that an answer never depends on the batch. */
export function linearTarget(rng: Rng, settings: LinearSettings): LinearTarget {
  const { shape, classes } = settings;
  const d = sizeOf(shape);
  const weights = new Float64Array(classes * d);
  rng.child("weights").fillNormal(weights, 0, settings.weightScale ?? 1);
  const meter = { queries: 0, gradients: 0 };
  const rowScores = (x: Float32Array): Float64Array => {
    const out = new Float64Array(classes);
    // The middle of the unit box scores zero for every class, so that classes are balanced.
    for (let c = 0; c < classes; c++) for (let j = 0; j < d; j++) out[c]! += weights[c * d + j]! * (x[j]! - 0.5);
    settings.spoil?.(out, x);
    return out;
  };
  const scoresOf = (x: Float32Array): Float32Array => {
    const n = x.length / d;
    settings.onCall?.(n);
    meter.queries += n;
    const out = new Float32Array(n * classes);
    for (let k = 0; k < n; k++) out.set(rowScores(x.subarray(k * d, (k + 1) * d)), k * classes);
    return out;
  };
  const best = (scores: Float32Array, k: number): number => {
    const row = scores.subarray(k * classes, (k + 1) * classes);
    return row.indexOf(Math.max(...row));
  };
  return {
    id: "linear",
    can: new Set(settings.can ?? ["label", "scores", "gradient"]),
    inputShape: shape,
    classes,
    bounds: settings.bounds ?? { low: 0, high: 1 },
    meter,
    weights,
    async label(x) {
      const scores = scoresOf(x.data);
      return Int32Array.from(Array(x.dims[0]!).keys(), (k) => best(scores, k));
    },
    async scores(x) {
      return scoresOf(x.data);
    },
    async gradient(x, labels, spec): Promise<GradientAnswer> {
      if (spec.kind === "dlr") throw new MarauderError("CAPABILITY_MISSING", "the test target has no dlr");
      const scores = scoresOf(x.data);
      const n = labels.length;
      meter.gradients += n;
      const loss = new Float32Array(n);
      const gradient = new Float32Array(n * d);
      for (let k = 0; k < n; k++) {
        const seed = lossOf(scores.subarray(k * classes, (k + 1) * classes), labels[k]!, spec, k);
        loss[k] = seed.loss;
        for (let j = 0; j < d; j++) {
          let sum = 0;
          for (let c = 0; c < classes; c++) sum += seed.by[c]! * weights[c * d + j]!;
          gradient[k * d + j] = sum * (settings.gradientScale ?? 1);
        }
      }
      return { loss, scores, gradient };
    },
    async close() {},
    distances(norm, x, label) {
      const z = rowScores(x);
      const dual: Norm = norm === "linf" ? "l1" : norm === "l1" ? "linf" : "l2";
      const zero = new Float32Array(d);
      return Array.from(Array(classes).keys(), (to) => {
        const w = Float32Array.from({ length: d }, (_, j) => weights[to * d + j]! - weights[label * d + j]!);
        return to === label ? Infinity : (z[label]! - z[to]!) / balls[dual].distance(w, 0, zero, 0, d);
      });
    },
  };
}

/** Loss of one row of scores and its derivative by each score, in the attacker's direction. */
function lossOf(z: Float32Array, label: number, spec: LossSpec, k: number): { loss: number; by: Float64Array } {
  const by = new Float64Array(z.length);
  const goal = spec.targets?.[k];
  const wanted = goal ?? label;
  const way = goal === undefined ? 1 : -1;
  if (spec.kind === "margin") {
    let other = -1;
    for (let c = 0; c < z.length; c++) if (c !== wanted && (other < 0 || z[c]! > z[other]!)) other = c;
    by[other] = way;
    by[wanted] = -way;
    return { loss: way * (z[other]! - z[wanted]!), by };
  }
  const top = Math.max(...z);
  const sum = z.reduce((s, v) => s + Math.exp(v - top), 0);
  for (let c = 0; c < z.length; c++) by[c] = way * Math.fround(Math.exp(z[c]! - top) / sum);
  by[wanted]! -= way;
  return { loss: way * (Math.log(sum) + top - z[wanted]!), by };
}

/** Rows near the middle of the unit box, labelled by the target itself. */
export async function linearData(target: LinearTarget, rng: Rng, size: number, spread = 0.05): Promise<Dataset> {
  const d = sizeOf(target.inputShape);
  const values = new Float32Array(size * d);
  rng.child("data").fillUniform(values, 0.5 - spread, 0.5 + spread);
  const features = float32([size, ...target.inputShape], values);
  const labels = await target.label(features);
  target.meter.queries = 0;
  return {
    name: "near the middle",
    size,
    features,
    labels,
    classNames: Array.from(Array(target.classes).keys(), String),
    rowIds: Array.from(Array(size).keys(), (k) => `row-${k}`),
    groups: {},
    storedAs: "float32",
    schema: null,
    table: null,
  };
}
