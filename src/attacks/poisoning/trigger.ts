import type { Dataset } from "../../data/dataset.ts";
import { MarauderError } from "../../errors.ts";
import { tensor } from "../../tensor/index.ts";

/** Where a trigger writes and what: input positions within one example, and their values. */
export interface Trigger {
  readonly positions: readonly number[];
  readonly values: readonly number[];
  readonly description: string;
}

export type Corner = "bottom-right" | "bottom-left" | "top-right" | "top-left";

/**
 * A square patch in a corner of images [n, channels, height, width], one pixel away from the border where there is room.
 * `value` is a share of the input range. Throws OPTION_RANGE when the patch does not fit.
 */
export function patchTrigger(
  data: Dataset,
  patch: { size: number; corner: Corner; value: number },
  bounds: { low: number; high: number },
): Trigger {
  const [, channels = 1, height = 1, width = 1] = data.features.dims;
  const { size, corner } = patch;
  if (size > height || size > width) {
    throw new MarauderError(
      "OPTION_RANGE",
      `option size of badnets must be at most ${Math.min(height, width)} for ${height} x ${width} images, got ${size}`,
    );
  }
  const margin = size < Math.min(height, width) ? 1 : 0;
  const top = corner.startsWith("top") ? margin : height - size - margin;
  const left = corner.endsWith("left") ? margin : width - size - margin;
  const value = stored(data, bounds.low + patch.value * (bounds.high - bounds.low), bounds);
  const positions: number[] = [];
  for (let c = 0; c < channels; c++) {
    for (let y = Math.max(0, top); y < Math.max(0, top) + size; y++) {
      for (let x = Math.max(0, left); x < Math.max(0, left) + size; x++) positions.push((c * height + y) * width + x);
    }
  }
  return {
    positions,
    values: positions.map(() => value),
    description: `a ${size} x ${size} patch of value ${round(value)} in the ${corner} corner`,
  };
}

/**
 * A combination of values of numeric columns that lies inside each column's range but is rare as a combination: each column
 * goes to its 2.5 % or 97.5 % quantile, whichever combination the fewest rows come near. Throws NOT_ENOUGH_DATA when no
 * column is numeric with two values.
 */
export function tableTrigger(data: Dataset, columns: number): Trigger {
  const width = data.features.data.length / data.size;
  const x = data.features.data;
  const stats = [];
  for (let j = 0; j < width; j++) {
    if (!isNumeric(data, j)) continue;
    const column = Float64Array.from({ length: data.size }, (_, i) => x[i * width + j]!).toSorted();
    const distinct = column.reduce((sum, v, i) => sum + (i === 0 || v !== column[i - 1] ? 1 : 0), 0);
    const at = (q: number): number => column[Math.round(q * (column.length - 1))]!;
    if (distinct > 1 && at(0.025) < at(0.975)) stats.push({ j, distinct, low: at(0.025), high: at(0.975) });
  }
  if (stats.length === 0) {
    throw new MarauderError(
      "NOT_ENOUGH_DATA",
      `data set ${data.name} has no numeric column that varies, so a rare combination cannot be made; name images or a table with numbers`,
    );
  }
  const used = stats.toSorted((a, b) => b.distinct - a.distinct || a.j - b.j).slice(0, Math.min(columns, 12));
  // Rows by which of the used columns are near the low or the high value: support of every combination in one pass.
  let best = { support: Infinity, combination: 0 };
  for (let combination = 0; combination < 2 ** used.length; combination++) {
    let support = 0;
    for (let i = 0; i < data.size; i++) {
      const near = used.every(({ j, low, high }, k) => {
        const v = x[i * width + j]!;
        return (combination >> k) & 1 ? v >= high - 0.1 * (high - low) : v <= low + 0.1 * (high - low);
      });
      if (near) support++;
    }
    if (support < best.support) best = { support, combination };
  }
  const values = used.map(({ low, high }, k) => ((best.combination >> k) & 1 ? high : low));
  const what = used.map(({ j }, k) => `${nameOf(data, j)} = ${round(values[k]!)}`).join(", ");
  return {
    positions: used.map(({ j }) => j),
    values,
    description: `${what} (each inside its range; ${best.support} of ${data.size} rows come near this combination)`,
  };
}

/** Writes the trigger into the given rows of a copy of the features. */
export function stamped(data: Dataset, trigger: Trigger, rows: Iterable<number>): Float32Array {
  const width = data.size === 0 ? 0 : data.features.data.length / data.size;
  const features = data.features.data.slice();
  for (const row of rows) {
    trigger.positions.forEach((position, k) => {
      features[row * width + position] = trigger.values[k]!;
    });
  }
  return features;
}

/** The trigger in every row. */
export function plantTrigger(data: Dataset, trigger: Trigger): Dataset {
  const rows = Array.from({ length: data.size }, (_, i) => i);
  return Object.freeze({
    ...data,
    name: `${data.name} (with trigger)`,
    features: tensor("float32", data.features.dims, stamped(data, trigger, rows)),
    table: null,
  });
}

/** Clips to the range and rounds to what the file can hold: 256 steps of the range for uint8, float32 otherwise. */
function stored(data: Dataset, value: number, { low, high }: { low: number; high: number }): number {
  const clipped = Math.min(high, Math.max(low, value));
  if (data.storedAs !== "uint8" || high <= low) return Math.fround(clipped);
  const step = (high - low) / 255;
  return Math.fround(low + Math.round((clipped - low) / step) * step);
}

function isNumeric(data: Dataset, j: number): boolean {
  if (data.schema === null) return true;
  const input = data.schema.inputs[j];
  if (input === undefined || input.category !== undefined) return false;
  const column = data.schema.columns.find((c) => c.name === input.column);
  return column !== undefined && (column.kind === "number" || column.kind === "integer");
}

const nameOf = (data: Dataset, j: number): string => data.schema?.inputs[j]?.column ?? `input ${j}`;
const round = (v: number): string => String(Number(v.toPrecision(4)));
