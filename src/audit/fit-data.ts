import type { Dataset } from "../data/index.ts";
import { MarauderError } from "../errors.ts";
import { sizeOf, tensor } from "../tensor/index.ts";
import type { Bounds } from "../target/index.ts";

export interface Fit {
  /** Shape of one example that the model takes; null leaves the data's own. */
  readonly shape: readonly number[] | null;
  readonly bounds: Bounds;
  /** Swap the last two axes. */
  readonly transpose: boolean;
}

/**
 * Brings data into a model's shape and range: bytes scaled to the bounds, channels moved first, axes of size one added or
 * dropped. Says what it did in `assumptions`. Throws SHAPE_MISMATCH and DATA_INVALID where that is not possible.
 */
export function fit(data: Dataset, { shape, bounds, transpose }: Fit, assumptions: string[]): Dataset {
  let { data: values } = data.features;
  let own = data.features.dims.slice(1);
  if (shape !== null && channelsLast(own, shape)) {
    values = moveChannelsFirst(values, data.size, own);
    own = [own[2]!, own[0]!, own[1]!];
    assumptions.push(`channels were moved first, since the model takes [${shape.join(", ")}]`);
  }
  if (shape !== null && sizeOf(own) !== sizeOf(shape)) {
    throw new MarauderError(
      "SHAPE_MISMATCH",
      `${data.name} has examples of shape [${own.join(", ")}]; expected [${shape.join(", ")}] as the model takes; ` +
        (data.schema === null
          ? "give data of that shape"
          : "a table must have the columns, and the categories, that the model was trained on"),
    );
  }
  const dims = shape ?? own;
  if (transpose) values = transposeLast(values, data.size, dims);
  const scaled = scaleBytes(data, values, bounds, assumptions);
  checkRange(data, scaled, bounds);
  return { ...data, features: tensor("float32", [data.size, ...dims], scaled) };
}

const channelsLast = (own: readonly number[], shape: readonly number[]): boolean =>
  own.length === 3 &&
  shape.length === 3 &&
  own[2] === shape[0] &&
  own[0] === shape[1] &&
  own[1] === shape[2] &&
  own[0] !== shape[0];

function moveChannelsFirst(values: Float32Array, n: number, [h = 1, w = 1, c = 1]: readonly number[]): Float32Array {
  const out = new Float32Array(values.length);
  for (let i = 0; i < n; i++)
    for (let p = 0; p < h * w; p++)
      for (let k = 0; k < c; k++) out[(i * c + k) * h * w + p] = values[(i * h * w + p) * c + k]!;
  return out;
}

function transposeLast(values: Float32Array, n: number, dims: readonly number[]): Float32Array {
  const image = dims.length >= 2 && dims.at(-1) !== 1 ? dims.slice(-2) : squareOf(sizeOf(dims));
  if (image === null) {
    throw new MarauderError(
      "SHAPE_MISMATCH",
      `--transpose needs examples with two last axes or a square number of values, got [${dims.join(", ")}]`,
    );
  }
  const [h, w] = image as [number, number];
  const out = new Float32Array(values.length);
  for (let start = 0; start < n * sizeOf(dims); start += h * w)
    for (let y = 0; y < h; y++) for (let x = 0; x < w; x++) out[start + x * h + y] = values[start + y * w + x]!;
  return out;
}

function squareOf(size: number): [number, number] | null {
  const side = Math.round(Math.sqrt(size));
  return side * side === size ? [side, side] : null;
}

/** Bytes (0 to 255) to the model's range. Floats are taken as they are: their scale is the user's word. */
function scaleBytes(data: Dataset, values: Float32Array, { low, high }: Bounds, assumptions: string[]): Float32Array {
  if (data.storedAs !== "uint8" || (low === 0 && high === 255)) return values;
  assumptions.push(`bytes 0 to 255 of ${data.name} were scaled to the bounds ${low} to ${high}`);
  const step = (high - low) / 255;
  return values.map((v) => low + v * step);
}

function checkRange(data: Dataset, values: Float32Array, { low, high }: Bounds): void {
  if (data.schema !== null) return; // each column has its own range
  const slack = 1e-4 * (high - low);
  const width = sizeOf(data.features.dims.slice(1));
  for (let i = 0; i < values.length; i++) {
    const v = values[i]!;
    if (v < low - slack || v > high + slack) {
      const row = data.rowIds[Math.floor(i / width)];
      throw new MarauderError(
        "DATA_INVALID",
        `${data.name} has the value ${v} in row ${row}, outside the bounds ${low} to ${high}; give the data's true range with --bounds, or scale the data`,
      );
    }
  }
}
