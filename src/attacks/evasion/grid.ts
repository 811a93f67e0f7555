import type { Dataset } from "../../data/dataset.ts";
import { balls, type Norm, roundingSlack, type Space } from "./balls.ts";

/**
 * The two scales of an attack on one example: raw values are what the model is fed with, moves are what the attacker
 * measures. raw = offset + scale * move. Absent (null) where they are the same.
 */
export interface Units {
  readonly scale: Float32Array;
  readonly offset: Float32Array;
}

/** The values that a feature can be stored as: origin + k * step in raw units; step 0 where every value is legal. */
export interface Grid {
  readonly step: Float64Array;
  readonly origin: Float64Array;
}

/** Moves of rows of raw values. With units, the range of every feature is 0 to 1, and rounding must not lead out of it. */
export function toMoves(raw: Float32Array, d: number, units: Units | null): Float32Array {
  if (units === null) return raw;
  return raw.map((v, k) => Math.min(Math.max((v - units.offset[k % d]!) / units.scale[k % d]!, 0), 1));
}

/** Writes a row in raw values; a feature that did not move keeps its very bits. */
export function toRaw(row: RowPair, out: Float32Array, oo: number, units: Units | null): void {
  const { z, zo, x, xo, raw, d } = row;
  for (let j = 0; j < d; j++) {
    const v = z[zo + j]!;
    if (v === x[xo + j]!) out[oo + j] = raw[xo + j]!;
    else out[oo + j] = units === null ? v : units.offset[j]! + units.scale[j]! * v;
  }
}

/** A row of moves z, its clean row x (moves) and `raw` (raw values) at the same offset. */
export interface RowPair {
  readonly z: Float32Array;
  readonly zo: number;
  readonly x: Float32Array;
  readonly xo: number;
  readonly raw: Float32Array;
  readonly d: number;
}

/**
 * Rounds a row of raw values to the grid. Each feature goes to the nearest legal value, or to the nearest on the side of
 * the clean value where the nearest would leave the ball: rounding never spends more than the budget.
 */
export function roundRow(out: Float32Array, oo: number, clean: Float32Array, co: number, at: Rounding): void {
  const { d, grid, units, norm, eps, space } = at;
  const given = out.slice(oo, oo + d);
  const round = (towardClean: boolean, slack: number): void => {
    for (let j = 0; j < d; j++) {
      const step = grid.step[j]!;
      const from = clean[co + j]!;
      const change = given[j]! - from;
      if (step === 0 || change === 0) continue;
      const levels = change / step;
      let moved = Math.round(levels);
      if (norm === "linf") {
        const most = Math.floor((eps * (units === null ? 1 : units.scale[j]!)) / step + 1e-4);
        moved = Math.max(-most, Math.min(most, moved));
      } else if (towardClean) {
        moved = Math.sign(levels) * Math.floor(Math.abs(levels) + slack);
      }
      const level = Math.round((from - grid.origin[j]!) / step) + moved;
      out[oo + j] = moved === 0 ? from : grid.origin[j]! + level * step;
    }
  };
  round(false, 0);
  if (norm === "linf") return;
  const limit = eps * (1 + 1e-6) + roundingSlack(norm, d, space);
  if (measure(out, oo, clean, co, at) > limit) round(true, 1e-4);
  if (measure(out, oo, clean, co, at) > limit) round(true, 0);
}

export interface Rounding {
  readonly d: number;
  readonly grid: Grid;
  readonly units: Units | null;
  readonly norm: Norm;
  readonly eps: number;
  readonly space: Space;
}

/** Distance of two raw rows, in the attacker's units. */
export function measure(
  a: Float32Array,
  ao: number,
  b: Float32Array,
  bo: number,
  of: { readonly d: number; readonly units: Units | null; readonly norm: Norm },
): number {
  const { d, units, norm } = of;
  if (units === null) return balls[norm].distance(a, ao, b, bo, d);
  const change = new Float32Array(d);
  for (let j = 0; j < d; j++) change[j] = (a[ao + j]! - b[bo + j]!) / units.scale[j]!;
  return balls[norm].distance(change, 0, new Float32Array(d), 0, d);
}

/**
 * The grid of the 256 values between the bounds for data stored as uint8. Null where the data do not lie on it (they were
 * normalised feature by feature, for instance), and for data that are not stored as bytes.
 */
export function byteGrid(data: Dataset, low: number, high: number, d: number): Grid | null {
  if (data.storedAs !== "uint8" || data.schema !== null) return null;
  const step = (high - low) / 255;
  const { data: values } = data.features;
  const count = Math.min(values.length, 100 * d);
  for (let k = 0; k < count; k++) {
    const level = (values[k]! - low) / step;
    if (Math.abs(level - Math.round(level)) > 1e-3) return null;
  }
  return { step: new Float64Array(d).fill(step), origin: new Float64Array(d).fill(low) };
}
