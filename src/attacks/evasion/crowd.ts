import { MarauderError, throwIfCancelled } from "../../errors.ts";
import type { Capability, GradientAnswer, LossSpec, Target } from "../../target/target.ts";
import { float32, type Tensor } from "../../tensor/index.ts";
import { balls, type Norm, roundingSlack, type Space } from "./balls.ts";
import { type Grid, roundRow, toMoves, toRaw, type Units } from "./grid.ts";
import { marginOf, marginTolerance } from "./margin.ts";
import type { Ascent, EvasionSubject } from "./subject.ts";

export interface CrowdSetup {
  readonly target: Target;
  readonly needs: readonly Capability[];
  /** Clean inputs as the model is fed with, shape [labels.length, d]. */
  readonly raw: Float32Array;
  readonly labels: Int32Array;
  readonly goals: Int32Array | null;
  readonly ids: readonly string[];
  readonly norm: Norm;
  readonly eps: number;
  readonly space: Space;
  readonly units: Units | null;
  readonly grid: Grid | null;
  /** Examples that one call of the target gets. */
  readonly batch: number;
  readonly signal: AbortSignal;
}

/** What became of each example; the frame still has to confirm it one by one. */
export interface Crowd extends EvasionSubject {
  /** 1 where an input was found that fools the model, rounded as the data are stored. */
  readonly fooled: Uint8Array;
  /** 1 where an input was found that fools the model before rounding. */
  readonly fooledUnrounded: Uint8Array;
  /** Raw values: the fooling input, else the clean one. Shape [size, d]. */
  readonly found: Float32Array;
  readonly queries: Uint32Array;
  readonly health: {
    /** Examples for which a gradient of the loss asked for was exactly zero. */
    readonly saturated: Uint8Array;
    /** Examples for which the gradient of the margin was exactly zero too. */
    readonly flat: Uint8Array;
    /** Examples for which an answer was not a number. */
    readonly notFinite: Uint8Array;
  };
}

/** Opens the examples of one attack: counts, watches every answer, and keeps the first input of each that fools the model. */
export function openCrowd(setup: CrowdSetup): Crowd {
  const { target, raw, labels, goals, norm, eps, space, units, grid, signal } = setup;
  const size = labels.length;
  const d = size === 0 ? 0 : raw.length / size;
  const { classes } = target;
  const x = toMoves(raw, d, units);
  const fooled = new Uint8Array(size);
  const fooledUnrounded = new Uint8Array(size);
  const found = raw.slice();
  const queries = new Uint32Array(size);
  const health = {
    saturated: new Uint8Array(size),
    flat: new Uint8Array(size),
    notFinite: new Uint8Array(size),
  };
  const goalOf = (example: number): number => (goals === null ? -1 : goals[example]!);
  const batchTensor = (values: Float32Array, count: number): Tensor<"float32"> =>
    float32([count, ...target.inputShape], values);

  function rawRows(rows: Int32Array, z: Float32Array): Float32Array {
    if (units === null) return z;
    const out = new Float32Array(z.length);
    for (let k = 0; k < rows.length; k++) {
      toRaw({ z, zo: k * d, x, xo: rows[k]! * d, raw, d }, out, k * d, units);
    }
    return out;
  }

  /** Scores of raw inputs; labels stand in for scores where the target gives no others. */
  async function answer(values: Float32Array, count: number): Promise<Float32Array> {
    if (target.can.has("scores")) return target.scores(batchTensor(values, count));
    const said = await target.label(batchTensor(values, count));
    const scores = new Float32Array(count * classes);
    for (let k = 0; k < count; k++) scores[k * classes + said[k]!] = 1;
    return scores;
  }

  /** Margins of a batch, and which of its rows are past the decision by more than the tolerance. */
  function judge(rows: Int32Array, scores: Float32Array, margin: Float32Array, at: number): number[] {
    const past: number[] = [];
    for (let k = 0; k < rows.length; k++) {
      const example = rows[k]!;
      queries[example]! += 1;
      margin[at + k] = marginOf(scores, k, classes, labels[example]!, goalOf(example));
      if (Number.isNaN(margin[at + k]!)) health.notFinite[example] = 1;
      if (margin[at + k]! > marginTolerance(scores, k, classes)) past.push(k);
    }
    return past;
  }

  /** Takes the rows that fool the model into the ball and onto the grid, and keeps those that fool it still. */
  async function keep(rows: Int32Array, z: Float32Array, past: readonly number[]): Promise<void> {
    const doubtful: number[] = [];
    const inputs: Float32Array[] = [];
    for (const k of past) {
      const example = rows[k]!;
      if (fooled[example] === 1) continue;
      const row = z.slice(k * d, (k + 1) * d);
      const inside = isInside(row, x, example * d, setup);
      if (!inside) balls[norm].project(row, 0, x, example * d, d, eps, space);
      if (inside) fooledUnrounded[example] = 1;
      const input = new Float32Array(d);
      toRaw({ z: row, zo: 0, x: x.subarray(example * d), xo: 0, raw: raw.subarray(example * d), d }, input, 0, units);
      const before = input.slice();
      if (grid !== null) roundRow(input, 0, raw, example * d, { d, grid, units, norm, eps, space });
      if (inside && input.every((v, j) => v === before[j]!)) {
        fooled[example] = 1;
        found.set(input, example * d);
      } else {
        doubtful.push(example);
        inputs.push(input);
      }
    }
    if (doubtful.length === 0) return;
    const values = new Float32Array(inputs.length * d);
    inputs.forEach((input, k) => values.set(input, k * d));
    const examples = Int32Array.from(doubtful);
    const scores = await answer(values, examples.length);
    for (const k of judge(examples, scores, new Float32Array(examples.length), 0)) {
      const example = examples[k]!;
      if (fooled[example] === 1) continue;
      fooled[example] = 1;
      found.set(inputs[k]!, example * d);
    }
  }

  async function inBatches(rows: Int32Array, z: Float32Array, one: BatchWork): Promise<void> {
    if (z.length !== rows.length * d) {
      throw new MarauderError(
        "INTERNAL",
        `internal: ${rows.length} rows of ${d} features expected, got ${z.length} values`,
      );
    }
    for (let from = 0; from < rows.length; from += setup.batch) {
      throwIfCancelled(signal);
      const part = rows.subarray(from, from + setup.batch);
      await one(part, z.subarray(from * d, (from + part.length) * d), from);
    }
  }

  async function ask(rows: Int32Array, z: Float32Array): Promise<Float32Array> {
    const margin = new Float32Array(rows.length);
    await inBatches(rows, z, async (part, values, from) => {
      const scores = await answer(rawRows(part, values), part.length);
      await keep(part, values, judge(part, scores, margin, from));
    });
    return margin;
  }

  async function gradientOf(rows: Int32Array, z: Float32Array, kind: LossSpec["kind"]): Promise<GradientAnswer> {
    const spec = goals === null ? { kind } : { kind, targets: rows.map((example) => goals[example]!) };
    const given = await target.gradient(
      batchTensor(rawRows(rows, z), rows.length),
      rows.map((example) => labels[example]!),
      spec,
    );
    const gradient = given.gradient;
    if (units === null && space.mask === null) return given;
    for (let k = 0; k < gradient.length; k++) {
      const j = k % d;
      if (space.mask !== null && space.mask[j] === 0) gradient[k] = 0;
      else if (units !== null) gradient[k]! *= units.scale[j]!;
    }
    return given;
  }

  /** Rows whose gradient has no direction. */
  function withoutDirection(rows: Int32Array, gradient: Float32Array): number[] {
    const out: number[] = [];
    for (let k = 0; k < rows.length; k++) {
      let sum = 0;
      for (let j = k * d; j < (k + 1) * d; j++) sum += Math.abs(gradient[j]!);
      if (!Number.isFinite(sum)) {
        health.notFinite[rows[k]!] = 1;
        gradient.fill(0, k * d, (k + 1) * d);
      }
      if (!(sum > 0 && sum < Infinity)) out.push(k);
    }
    return out;
  }

  async function climb(rows: Int32Array, z: Float32Array, loss: LossSpec["kind"]): Promise<Ascent> {
    if (!setup.needs.includes("gradient") || !target.can.has("gradient")) {
      throw new MarauderError(
        "CAPABILITY_MISSING",
        `${target.id} gives no gradient to this attack; use a black-box attack such as square`,
      );
    }
    const out: Ascent = {
      loss: new Float32Array(rows.length),
      margin: new Float32Array(rows.length),
      gradient: new Float32Array(rows.length * d),
    };
    await inBatches(rows, z, async (part, values, from) => {
      const given = await gradientOf(part, values, loss);
      out.loss.set(given.loss, from);
      out.gradient.set(given.gradient, from * d);
      const past = judge(part, given.scores, out.margin, from);
      const gradient = out.gradient.subarray(from * d, (from + part.length) * d);
      const still = withoutDirection(part, gradient).filter((k) => fooled[part[k]!] === 0 && !past.includes(k));
      await rescue(part, values, still, loss, out, from);
      await keep(part, values, past);
    });
    return out;
  }

  /** Asks again with the margin for rows whose gradient is zero: float32 rounds the softmax of a sure model to 1. */
  async function rescue(
    rows: Int32Array,
    z: Float32Array,
    still: readonly number[],
    loss: LossSpec["kind"],
    out: Ascent,
    from: number,
  ): Promise<void> {
    if (still.length === 0) return;
    const some = Int32Array.from(still, (k) => rows[k]!);
    for (const example of some) health.saturated[example] = 1;
    if (loss === "margin") {
      for (const example of some) health.flat[example] = 1;
      return;
    }
    const values = new Float32Array(some.length * d);
    still.forEach((k, i) => values.set(z.subarray(k * d, (k + 1) * d), i * d));
    const again = await gradientOf(some, values, "margin");
    for (const example of some) queries[example]! += 1;
    const flat = new Set(withoutDirection(some, again.gradient));
    still.forEach((k, i) => {
      out.loss[from + k] = again.loss[i]!;
      out.gradient.set(again.gradient.subarray(i * d, (i + 1) * d), (from + k) * d);
      if (flat.has(i)) health.flat[some[i]!] = 1;
    });
  }

  return {
    size,
    d,
    shape: target.inputShape,
    classes,
    x,
    labels,
    goals,
    ids: setup.ids,
    norm,
    eps,
    space,
    open: () => Int32Array.from(fooled.keys()).filter((example) => fooled[example] === 0),
    isOpen: (example) => fooled[example] === 0,
    ask,
    climb,
    fooled,
    fooledUnrounded,
    found,
    queries,
    health,
  };
}

/** True where a row of moves lies in the ball about its clean row and in the space, up to rounding to float32. */
function isInside(z: Float32Array, x: Float32Array, xo: number, of: CrowdSetup): boolean {
  const { norm, eps, space } = of;
  for (let j = 0; j < z.length; j++) {
    if (!(z[j]! >= space.low && z[j]! <= space.high)) return false;
    if (space.mask !== null && space.mask[j] === 0 && z[j]! !== x[xo + j]!) return false;
  }
  return balls[norm].distance(z, 0, x, xo, z.length) <= eps * (1 + 1e-6) + roundingSlack(norm, z.length, space);
}

type BatchWork = (rows: Int32Array, z: Float32Array, from: number) => Promise<void>;
