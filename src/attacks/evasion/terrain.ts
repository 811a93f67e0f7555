import type { Dataset } from "../../data/dataset.ts";
import { MarauderError } from "../../errors.ts";
import type { Bounds } from "../../target/target.ts";
import type { Space } from "./balls.ts";
import { byteGrid, type Grid, type Units } from "./grid.ts";

/**
 * Where an attacker may go, in which units moves are measured, and which values can be stored.
 * Images and plain arrays: raw input units, the bounds of the target, 256 levels when the data are bytes.
 * Tables: moves are shares of each column's range; only numeric columns move, whole numbers stay whole.
 */
export interface Terrain {
  readonly space: Space;
  readonly units: Units | null;
  readonly grid: Grid | null;
  /** How eps and distances read, for the report. */
  readonly unit: "input units" | "share of each column's range";
  /** What eps 1 times this is the whole range. */
  readonly range: number;
  /** Features that may change. */
  readonly free: number;
  /** In words, for the report: what may change and what is rounded. */
  readonly rules: readonly string[];
}

/** Throws BOUNDS_MISSING unless the bounds are two finite numbers, low below high. */
export function terrainOf(data: Dataset, bounds: Bounds, rounding: boolean): Terrain {
  return data.schema === null ? arrayTerrain(data, bounds, rounding) : tableTerrain(data);
}

function arrayTerrain(data: Dataset, bounds: Bounds, rounding: boolean): Terrain {
  const { low, high } = bounds;
  if (!(Number.isFinite(low) && Number.isFinite(high) && low < high)) {
    throw new MarauderError(
      "BOUNDS_MISSING",
      `the legal range of the model's inputs is not known; expected two numbers, low below high, got ${low} and ${high}; give --bounds low,high (0,1 or 0,255 for most image models)`,
    );
  }
  const d = data.features.data.length / Math.max(data.size, 1);
  const grid = rounding ? byteGrid(data, low, high, d) : null;
  const rules = [`every feature may change, within ${low} to ${high}`];
  if (grid !== null) rules.push("successes are rounded to the 256 stored levels and scored again");
  else if (rounding && data.storedAs === "uint8")
    rules.push("the data are bytes in the file but not on 256 equal levels between the bounds: not rounded");
  return {
    space: { low, high, mask: null },
    units: null,
    grid,
    unit: "input units",
    range: high - low,
    free: d,
    rules,
  };
}

function tableTerrain(data: Dataset): Terrain {
  const schema = data.schema!;
  const d = schema.inputs.length;
  const values = data.features.data;
  if (values.length !== d * data.size) {
    throw new MarauderError(
      "SHAPE_MISMATCH",
      `the table's schema names ${d} model inputs; expected ${d * data.size} values in ${data.size} rows, got ${values.length}`,
    );
  }
  const columns = new Map(schema.columns.map((column) => [column.name, column]));
  const mask = new Uint8Array(d);
  const scale = new Float32Array(d).fill(1);
  const offset = new Float32Array(d);
  const grid = { step: new Float64Array(d), origin: new Float64Array(d) };
  schema.inputs.forEach((input, j) => {
    const column = columns.get(input.column);
    let low = Infinity;
    let high = -Infinity;
    for (let k = j; k < values.length; k += d) {
      low = Math.min(low, values[k]!);
      high = Math.max(high, values[k]!);
    }
    const numeric = column !== undefined && (column.kind === "number" || column.kind === "integer");
    if (input.category !== undefined || !numeric || column.role !== "feature" || !(high > low)) {
      // A fixed feature must lie in the unit range as well, so its scale is what makes it do so.
      if (high > low) [offset[j], scale[j]] = [low, high - low];
      else offset[j] = Number.isFinite(low) ? low : 0;
      return;
    }
    mask[j] = 1;
    const from = Math.min(low, column.min ?? low);
    const to = Math.max(high, column.max ?? high);
    [offset[j], scale[j]] = [from, to - from];
    if (column.kind === "integer") grid.step[j] = 1;
  });
  const free = mask.reduce((sum, m) => sum + m, 0);
  const whole = grid.step.some((step) => step > 0);
  return {
    space: { low: 0, high: 1, mask },
    units: { scale, offset },
    grid: whole ? grid : null,
    unit: "share of each column's range",
    range: 1,
    free,
    rules: [
      `only the ${free} numeric columns that vary may change, each within the range seen in the data; categories and yes/no columns stay`,
      ...(whole ? ["whole numbers stay whole"] : []),
    ],
  };
}
