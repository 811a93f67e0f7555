import { getFloat, getInt, getInts, getString, int } from "../../ir/index.ts";
import { clip, sampled } from "./between-entries.ts";
import { cast, floats, floatType, num, refuse, sizeAt, slice, upTo, type Decomposition } from "./context.ts";

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
    const column = slice(s, rois, 1, i, i + 1);
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
  const column = (i: number): string => slice(s, rois, 1, i, i + 1);
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
