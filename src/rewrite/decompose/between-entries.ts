import { int } from "../../ir/index.ts";
import { cast, floats, floatType, num, whole, type Site } from "./context.ts";

/** Points along one axis of size `size`: [N, K], counted in entries. */
export interface Axis {
  readonly at: string;
  readonly size: number;
}

/** Coefficients of the weight of each entry around a point, by powers of its distance t from the entry below. */
interface Interpolation {
  /** Entries read, counted from the one below the point. */
  readonly offsets: readonly number[];
  /** Lowest power first. */
  readonly weights: readonly (readonly number[])[];
}

const interpolations: Readonly<Record<string, Interpolation>> = {
  linear: {
    offsets: [0, 1],
    weights: [
      [1, 0],
      [-1, 1],
    ],
  },
  // Keys' kernel (1981, eq. 15) with a = -0.75.
  cubic: {
    offsets: [-1, 0, 1, 2],
    weights: [
      [0, 1, 0, 0],
      [-0.75, 0, 0.75, 0],
      [1.5, -2.25, 1.5, -0.75],
      [-0.75, 1.25, -1.25, 0.75],
    ],
  },
};

export const clip = (s: Site, value: string, low: number, high: number): string =>
  s.b.op("Clip", [value, num(s, low), num(s, high)]);

/** Mirrored at both borders until it lies between them: a triangle wave. */
export function reflect(s: Site, value: string, low: number, high: number): string {
  const { b } = s;
  const range = high - low;
  if (range <= 0) return b.mul(value, num(s, 0));
  const period = num(s, 2 * range);
  const from = b.sub(value, num(s, low));
  const rest = b.sub(from, b.mul(b.op("Floor", [b.div(from, period)]), period));
  const far = b.op("Abs", [b.sub(rest, num(s, range))]);
  return b.sub(num(s, high), far);
}

export interface Sampling {
  readonly mode: "nearest" | "linear" | "cubic";
  readonly padding: "zeros" | "border" | "reflection";
  /** Borders at the outermost entries and not half an entry beyond. */
  readonly corners: boolean;
}

/**
 * Values of x [N, C, space] between its entries: `axes` are the points [N, K] of each spatial axis. Answers [N, K, T, C]
 * unsummed with the weights [N, K, T, 1], T the entries read for each point; null weights where each is read alone.
 */
export function sampled(
  s: Site,
  x: string,
  axes: readonly Axis[],
  how: Sampling,
  channels: number,
): { entries: string; weights: string | null } {
  const { b } = s;
  const kernel = interpolations[how.mode];
  let index: string | null = null;
  let weights: string | null = null;
  let taps = 1;
  for (const [a, { at, size }] of axes.entries()) {
    const point = b.unsqueeze(at, [2]);
    const below = b.op(kernel === undefined ? "Round" : "Floor", [point]);
    const offsets = kernel?.offsets ?? [0];
    const places = offsets.length === 1 ? below : b.add(below, floats(s, [offsets.length], offsets));
    let own = kernel === undefined ? null : polynomial(s, b.sub(point, below), kernel.weights);
    if (how.padding === "zeros") {
      const inside = b.op("And", [
        b.op("GreaterOrEqual", [places, num(s, 0)]),
        b.op("LessOrEqual", [places, num(s, size - 1)]),
      ]);
      const mask = cast(s, inside, floatType(s));
      own = own === null ? mask : b.mul(own, mask);
    }
    const mirrored =
      how.padding === "reflection" ? b.op("Floor", [reflect(s, places, ...bordersOf(size, how.corners))]) : places;
    const entry = b.op("Cast", [clip(s, mirrored, 0, size - 1)], { to: int(7) });
    taps *= offsets.length;
    if (a === 0) [index, weights] = [entry, own];
    else {
      // Every entry of the axes so far with every entry of this one.
      const wide = b.add(b.unsqueeze(b.mul(index!, whole(s, size)), [3]), b.unsqueeze(entry, [2]));
      index = b.reshape(wide, [0, 0, -1]);
      if (own !== null) {
        const both = b.mul(b.unsqueeze(weights!, [3]), b.unsqueeze(own, [2]));
        weights = b.reshape(both, [0, 0, -1]);
      }
    }
  }
  const rows = b.transpose(b.reshape(x, [0, channels, -1]), [0, 2, 1]);
  const flat = b.op("GatherND", [rows, b.unsqueeze(b.reshape(index!, [0, -1]), [2])], { batch_dims: int(1) });
  return {
    entries: b.reshape(flat, [0, -1, taps, channels]),
    weights: weights === null ? null : b.unsqueeze(weights, [3]),
  };
}

function polynomial(s: Site, t: string, coefficients: readonly (readonly number[])[]): string {
  const { b } = s;
  const at = (k: number): string => floats(s, [coefficients[k]!.length], coefficients[k]!);
  return coefficients.slice(0, -1).reduceRight((sum, _, k) => b.add(at(k), b.mul(t, sum)), at(coefficients.length - 1));
}

export const bordersOf = (size: number, corners: boolean): [number, number] =>
  corners ? [0, size - 1] : [-0.5, size - 0.5];

/** [N, K, T, C] with its weights, added up over T. */
export const weighted = (s: Site, { entries, weights }: { entries: string; weights: string | null }): string =>
  s.b.reduceSum(weights === null ? entries : s.b.mul(entries, weights), [2], false);
