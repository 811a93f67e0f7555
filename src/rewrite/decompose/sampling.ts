import { getFloat, getInt, getInts, getString, int } from "../../ir/index.ts";
import { tensor } from "../../tensor/index.ts";
import {
  cast,
  floats,
  floatType,
  given,
  num,
  refuse,
  rankOf,
  sizeAt,
  upTo,
  type Decomposition,
  type Site,
} from "./context.ts";

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
function reflect(s: Site, value: string, low: number, high: number): string {
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
      const stride = b.constant(tensor("int64", [], BigInt64Array.of(BigInt(size))));
      const wide = b.add(b.unsqueeze(b.mul(index!, stride), [3]), b.unsqueeze(entry, [2]));
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

const bordersOf = (size: number, corners: boolean): [number, number] => (corners ? [0, size - 1] : [-0.5, size - 0.5]);

/** [N, K, T, C] with its weights, added up over T. */
export const weighted = (s: Site, { entries, weights }: { entries: string; weights: string | null }): string =>
  s.b.reduceSum(weights === null ? entries : s.b.mul(entries, weights), [2], false);

/** Names of the modes before opset 20. */
const modes: Readonly<Record<string, Sampling["mode"]>> = {
  nearest: "nearest",
  linear: "linear",
  bilinear: "linear",
  cubic: "cubic",
  bicubic: "cubic",
};

// y[n, c, o] = Σ over the entries around the point grid[n, o] of weight·x; by x through the entries, by grid through the weights
export const GridSample: Decomposition = (s) => {
  const { b, node } = s;
  const [x, grid] = node.inputs as [string, string];
  const rank = rankOf(s, x) - 2;
  const mode = modes[getString(node, "mode", "linear")] ?? refuse(s, `mode ${getString(node, "mode", "")}`);
  const padding = getString(node, "padding_mode", "zeros") as Sampling["padding"];
  const corners = getInt(node, "align_corners", 0) !== 0;
  if (!["zeros", "border", "reflection"].includes(padding)) return refuse(s, `padding_mode ${padding}`);
  const channels = sizeAt(s, x, 1, "the number of channels");
  const axes = upTo(rank).map((a): Axis => {
    const size = sizeAt(s, x, a + 2, "the size of an axis");
    const index = b.constant(tensor("int64", [], BigInt64Array.of(BigInt(rank - 1 - a))));
    const own = b.reshape(b.op("Gather", [grid, index], { axis: int(-1) }), [0, -1]);
    // From -1 .. 1 to entries.
    const [scale, shift] = corners ? [(size - 1) / 2, (size - 1) / 2] : [size / 2, (size - 1) / 2];
    let at = b.add(b.mul(own, num(s, scale)), num(s, shift));
    if (mode === "nearest") at = b.op("Round", [at]);
    if (padding === "reflection") at = reflect(s, at, ...bordersOf(size, corners));
    return { at, size };
  });
  const values = weighted(s, sampled(s, x, axes, { mode, padding, corners }, channels));
  const part = (of: string, from: number, to: number): string =>
    b.op("Slice", [b.shapeOf(of), b.indices([from]), b.indices([to])]);
  const shape = b.op("Concat", [part(x, 0, 2), part(grid, 1, -1)], { axis: int(0) });
  return [b.op("Reshape", [b.transpose(values, [0, 2, 1]), shape], { allowzero: int(1) })];
};

// grid = (regular grid, 1)·θᵀ
export const AffineGrid: Decomposition = (s) => {
  const { b, node } = s;
  const theta = node.inputs[0]!;
  const known = s.numbers(node.inputs[1])?.slice(2) ?? s.dims(node.outputs[0])?.slice(1, -1);
  if (known === undefined || !known.every((d) => typeof d === "number"))
    return refuse(s, "its size is known only at run time");
  const sizes = known as number[];
  const places = sizes.reduce((a, d) => a * d, 1);
  if (places > 2 ** 22) return refuse(s, `a grid of ${places} points`);
  const corners = getInt(node, "align_corners", 0) !== 0;
  const at = (i: number, d: number): number =>
    corners ? (d === 1 ? -1 : -1 + (2 * i) / (d - 1)) : -1 + (2 * i + 1) / d;
  const base = new Float64Array(places * (sizes.length + 1)).fill(1);
  for (let p = 0; p < places; p++) {
    let rest = p;
    for (const [a, d] of sizes.toReversed().entries()) {
      base[p * (sizes.length + 1) + a] = at(rest % d, d);
      rest = Math.floor(rest / d);
    }
  }
  const points = b.matmul(floats(s, [places, sizes.length + 1], base), b.transpose(theta, [0, 2, 1]));
  return [b.reshape(points, [-1, ...sizes, sizes.length])];
};

// y[r, c, bin] = mean (or largest) of x[batch r, c] at points within the bin of region r
export const RoiAlign: Decomposition = (s) => {
  const { b, node } = s;
  const [x, rois, batch] = node.inputs as [string, string, string];
  const samples = getInt(node, "sampling_ratio", 0);
  if (samples <= 0)
    return refuse(
      s,
      "sampling_ratio 0 takes as many points as each region is large; export it with a sampling_ratio of 1 or more",
    );
  const [channels, height, width] = [1, 2, 3].map((a) => sizeAt(s, x, a, "the size of its features")) as [
    number,
    number,
    number,
  ];
  const half = getString(node, "coordinate_transformation_mode", "half_pixel") === "half_pixel";
  const max = getString(node, "mode", "avg") === "max";
  const scale = getFloat(node, "spatial_scale", 1);
  const bins = [getInt(node, "output_height", 1), getInt(node, "output_width", 1)] as const;
  const edge = (i: number): string => {
    const column = b.op("Slice", [rois, b.indices([i]), b.indices([i + 1]), b.indices([1])]);
    const scaled = scale === 1 ? column : b.mul(column, num(s, scale));
    return half ? b.sub(scaled, num(s, 0.5)) : scaled;
  };
  /** Points along an axis: [R, bins · samples], in entries, and where they lie too far outside. */
  const along = (from: number, to: number, parts: number, size: number): { at: string; inside: string } => {
    const start = edge(from);
    const whole = b.sub(edge(to), start);
    const length = half ? whole : b.op("Max", [whole, num(s, 1)]);
    const fractions = upTo(parts * samples).map((k) => (k + 0.5) / (parts * samples));
    const at = b.add(start, b.mul(length, floats(s, [1, fractions.length], fractions)));
    const inside = b.op("And", [b.op("GreaterOrEqual", [at, num(s, -1)]), b.op("LessOrEqual", [at, num(s, size)])]);
    return { at: clip(s, at, 0, size - 1), inside: cast(s, inside, floatType(s)) };
  };
  const [y, h] = [along(1, 3, bins[0], height), along(0, 2, bins[1], width)];
  const [ny, nh] = [bins[0] * samples, bins[1] * samples];
  const grid = (rows: string, columns: string): [string, string] => {
    const spread = (v: string, axis: number): string =>
      b.reshape(b.op("Expand", [b.unsqueeze(v, [axis]), b.indices([1, ny, nh])]), [0, -1]);
    return [spread(rows, 2), spread(columns, 1)];
  };
  const [ys, hs] = grid(y.at, h.at);
  const [inY, inH] = grid(y.inside, h.inside);
  const features = b.op("Gather", [x, batch], { axis: int(0) });
  const axes = [
    { at: ys, size: height },
    { at: hs, size: width },
  ];
  const read = sampled(s, features, axes, { mode: "linear", padding: "border", corners: true }, channels);
  const inside = b.unsqueeze(b.unsqueeze(b.mul(inY, inH), [2]), [3]);
  const weights = b.mul(read.weights!, inside);
  // [R, bins of rows, samples, bins of columns, samples, …]
  const split = (v: string, rest: number[]): string => b.reshape(v, [0, bins[0], samples, bins[1], samples, ...rest]);
  const products = b.mul(read.entries, weights);
  const pooled = max
    ? b.op("ReduceMax", [split(products, [4, channels]), b.indices([2, 4, 5])], { keepdims: int(0) })
    : b.op("ReduceMean", [split(b.reduceSum(products, [2], false), [channels]), b.indices([2, 4])], {
        keepdims: int(0),
      });
  return [b.transpose(pooled, [0, 3, 1, 2])];
};

// y[r, c, bin] = the largest entry of x[batch r, c] whose place lies in the bin; bins have whole borders
export const MaxRoiPool: Decomposition = (s) => {
  const { b, node } = s;
  const [x, rois] = node.inputs as [string, string];
  const [bins, scale] = [
    getInts(node, "pooled_shape") ?? refuse(s, "it has no pooled_shape"),
    getFloat(node, "spatial_scale", 1),
  ];
  const column = (i: number): string => b.op("Slice", [rois, b.indices([i]), b.indices([i + 1]), b.indices([1])]);
  /** Halves away from zero. */
  const rounded = (value: string): string =>
    b.mul(b.op("Sign", [value]), b.op("Floor", [b.add(b.op("Abs", [value]), num(s, 0.5))]));
  const edge = (i: number): string => rounded(scale === 1 ? column(i) : b.mul(column(i), num(s, scale)));
  /** Which entries of an axis lie in which bin: [R, bins, size], and which bins are empty: [R, bins]. */
  const along = (from: number, to: number, parts: number, axis: number): { inside: string; empty: string } => {
    const size = sizeAt(s, x, axis, "the size of its features");
    const start = edge(from);
    const length = b.op("Max", [b.add(b.sub(edge(to), start), num(s, 1)), num(s, 1)]);
    const step = b.div(length, num(s, parts));
    const place = (op: string, first: number): string => {
      const at = b.op(op, [
        b.mul(
          step,
          floats(
            s,
            [1, parts],
            upTo(parts).map((k) => k + first),
          ),
        ),
      ]);
      return clip(s, b.add(at, start), 0, size);
    };
    const [low, high] = [place("Floor", 0), place("Ceil", 1)];
    const entries = floats(s, [1, 1, size], upTo(size));
    const inside = b.op("And", [
      b.op("GreaterOrEqual", [entries, b.unsqueeze(low, [2])]),
      b.op("Less", [entries, b.unsqueeze(high, [2])]),
    ]);
    return { inside, empty: b.op("LessOrEqual", [high, low]) };
  };
  const [rows, columns] = [along(2, 4, bins[0]!, 2), along(1, 3, bins[1]!, 3)];
  const batch = b.squeeze(b.op("Cast", [column(0)], { to: int(7) }), [1]);
  const features = b.op("Gather", [x, batch], { axis: int(0) });
  const lowest = num(s, -3e38);
  const largest = (mask: string, values: string, axis: number): string =>
    b.op("ReduceMax", [b.op("Where", [mask, values, lowest]), b.indices([axis])], { keepdims: int(0) });
  // [R, C, H, bins of columns], then [R, C, bins of rows, bins of columns]
  const across = largest(b.unsqueeze(columns.inside, [1, 2]), b.unsqueeze(features, [3]), 4);
  const pooled = largest(b.unsqueeze(rows.inside, [1, 4]), b.unsqueeze(across, [2]), 3);
  const empty = b.op("Or", [b.unsqueeze(rows.empty, [1, 3]), b.unsqueeze(columns.empty, [1, 2])]);
  return [b.op("Where", [empty, num(s, 0), pooled])];
};

// y = Σ over taps of w·mask·x(tap + offset), x read between its entries
export const DeformConv: Decomposition = (s) => {
  const { b, node } = s;
  const [x, w, offset] = node.inputs as [string, string, string];
  if (rankOf(s, x) !== 4) return refuse(s, "only two spatial axes");
  const [channels, height, width] = [1, 2, 3].map((a) => sizeAt(s, x, a, "the size of its input")) as [
    number,
    number,
    number,
  ];
  const [outs, , kh, kw] = [0, 1, 2, 3].map((a) => sizeAt(s, w, a, "the size of its kernel")) as [
    number,
    number,
    number,
    number,
  ];
  const [oh, ow] = [2, 3].map((a) => sizeAt(s, offset, a, "the size of its output")) as [number, number];
  const group = getInt(node, "group", 1);
  const parts = getInt(node, "offset_group", 1);
  const [strides, dilations] = [getInts(node, "strides") ?? [1, 1], getInts(node, "dilations") ?? [1, 1]];
  const pads = getInts(node, "pads") ?? [0, 0, 0, 0];
  const taps = kh * kw;
  const places = oh * ow;
  // [N · parts, taps, 2, places]
  const moves = b.reshape(offset, [-1, taps, 2, places]);
  const axes = [height, width].map((size, a): Axis => {
    const rest = new Float64Array(taps * places);
    for (let k = 0; k < rest.length; k++) {
      const [tap, place] = [Math.floor(k / places), k % places];
      const [t, p] = a === 0 ? [Math.floor(tap / kw), Math.floor(place / ow)] : [tap % kw, place % ow];
      rest[k] = p * strides[a]! - pads[a]! + t * dilations[a]!;
    }
    const index = b.constant(tensor("int64", [], BigInt64Array.of(BigInt(a))));
    const own = b.op("Gather", [moves, index], { axis: int(2) });
    return { at: b.reshape(b.add(own, floats(s, [taps, places], rest)), [0, -1]), size };
  });
  const each = channels / parts;
  const image = b.reshape(x, [-1, each, height, width]);
  const read = weighted(s, sampled(s, image, axes, { mode: "linear", padding: "zeros", corners: true }, each));
  const mask = given(s, 4);
  const scaled = mask === null ? read : b.mul(read, b.reshape(mask, [-1, taps * places, 1]));
  // [N, group, channels of a group · taps, places]
  const columns = b.reshape(b.transpose(scaled, [0, 2, 1]), [-1, group, (channels / group) * taps, places]);
  const product = b.matmul(b.reshape(w, [group, outs / group, -1]), columns);
  const y = b.reshape(product, [-1, outs, oh, ow]);
  const bias = given(s, 3);
  return [bias === null ? y : b.add(y, b.unsqueeze(bias, [1, 2]))];
};
