import type { RunContext } from "../../context.ts";
import type { Dataset } from "../../data/dataset.ts";
import { MarauderError, throwIfCancelled } from "../../errors.ts";
import type { Target } from "../../target/target.ts";
import { float32, sizeOf } from "../../tensor/index.ts";
import { bestClass } from "./margin.ts";
import type { Terrain } from "./terrain.ts";

/** Rows of a data set with what the model says of them, one at a time. */
export interface Examples {
  readonly target: Target;
  readonly d: number;
  /** Positions in the data set, ascending. */
  readonly rows: Int32Array;
  readonly ids: readonly string[];
  readonly labels: Int32Array;
  /** Inputs as the model is fed with, shape [rows.length, d]. */
  readonly raw: Float32Array;
  readonly predicted: Int32Array;
  /** Scores of the clean inputs, shape [rows.length, classes]; null where the target answers labels only. */
  readonly scores: Float32Array | null;
}

/**
 * Chooses `samples` rows at random (all when there are fewer), checks them, and asks the model about each on its own.
 * Throws DATA_LABELS, DATA_INVALID, SHAPE_MISMATCH, NOT_ENOUGH_DATA, and ENGINE_FAILED when an answer is not a number.
 */
export async function chooseExamples(
  target: Target,
  data: Dataset,
  terrain: Terrain,
  samples: number,
  context: RunContext,
): Promise<Examples> {
  const d = checkData(target, data);
  const all = data.size <= samples;
  const rows = all
    ? Int32Array.from(Array(data.size).keys())
    : Int32Array.from(context.rng.child("samples").choose(data.size, samples)).sort();
  const raw = new Float32Array(rows.length * d);
  rows.forEach((row, k) => raw.set(data.features.data.subarray(row * d, (row + 1) * d), k * d));
  checkValues(raw, d, (k) => data.rowIds[rows[k]!]!, terrain);
  const labels = rows.map((row) => data.labels![row]!);
  const ids = Array.from(rows, (row) => data.rowIds[row]!);
  const predicted = new Int32Array(rows.length);
  const scores = target.can.has("scores") ? new Float32Array(rows.length * target.classes) : null;
  for (let k = 0; k < rows.length; k++) {
    throwIfCancelled(context.signal);
    const said = await askOne(target, raw.subarray(k * d, (k + 1) * d), ids[k]!);
    predicted[k] = said.label;
    if (scores !== null) scores.set(said.scores!, k * target.classes);
  }
  return { target, d, rows, ids, labels, raw, predicted, scores };
}

/** What the model says of one input, on its own. */
export async function askOne(
  target: Target,
  raw: Float32Array,
  id: string,
): Promise<{ label: number; scores: Float32Array | null }> {
  const x = float32([1, ...target.inputShape], raw);
  if (!target.can.has("scores")) return { label: (await target.label(x))[0]!, scores: null };
  const scores = await target.scores(x);
  if (scores.length !== target.classes || !scores.every((z) => !Number.isNaN(z))) {
    throw new MarauderError(
      "ENGINE_FAILED",
      `the model's answer to row ${id} is not a number; expected ${target.classes} scores, got ${[...scores.subarray(0, 4)].join(", ")}; check that the data are in the range that the model was trained on`,
      { details: { row: id } },
    );
  }
  return { label: bestClass(scores, 0, target.classes), scores };
}

function checkData(target: Target, data: Dataset): number {
  const { labels, features } = data;
  const shape = features.dims.slice(1);
  const d = sizeOf(target.inputShape);
  if (sizeOf(shape) !== d) {
    throw new MarauderError(
      "SHAPE_MISMATCH",
      `the data do not fit the model; expected rows of shape [${target.inputShape.join(", ")}], got [${shape.join(", ")}]`,
    );
  }
  if (data.size === 0)
    throw new MarauderError("NOT_ENOUGH_DATA", `${data.name} has no rows; expected at least one labelled example`);
  if (labels === null)
    throw new MarauderError(
      "DATA_LABELS",
      `${data.name} has no labels; evasion needs the true class of each row; give --labels or --label`,
    );
  const bad = labels.findIndex((label) => !(label >= 0 && label < target.classes));
  if (bad >= 0) {
    throw new MarauderError(
      "DATA_LABELS",
      `row ${data.rowIds[bad]} has label ${labels[bad]}; expected 0 to ${target.classes - 1}, since the model has ${target.classes} classes`,
    );
  }
  return d;
}

/** NaN and values outside the bounds are refused; values outside by rounding only are moved in. */
function checkValues(raw: Float32Array, d: number, idOf: (k: number) => string, terrain: Terrain): void {
  const { low, high } = terrain.space;
  const slack = 1e-5 * (high - low);
  for (let k = 0; k < raw.length; k++) {
    const v = raw[k]!;
    const where = (): string => `row ${idOf(Math.floor(k / d))}, feature ${k % d}`;
    if (!Number.isFinite(v))
      throw new MarauderError("DATA_INVALID", `${where()} is ${v}; expected a finite number; clean the data first`);
    if (terrain.units !== null) continue;
    if (v < low - slack || v > high + slack) {
      throw new MarauderError(
        "DATA_INVALID",
        `${where()} is ${v}; expected a value within the bounds ${low} to ${high}; give --bounds as the model's inputs have them`,
      );
    }
    raw[k] = Math.min(Math.max(v, low), high);
  }
}
