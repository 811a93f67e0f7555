import { getFloat, getInt, getInts, getString } from "../../ir/attributes.ts";
import type { Node } from "../../ir/graph.ts";
import { sizeOf } from "../../tensor/index.ts";
import { axisOf, fail, floatsOf, fromNumbers, intsOf, need, stridesOf, type Kernel } from "./value.ts";

/** Separable: each axis in turn, every output entry a weighted sum of input entries. */
export const Resize: Kernel = (inputs, node) => {
  const x = need(inputs, 0, node);
  const rank = x.dims.length;
  const axes = getInts(node, "axes")?.map((a) => axisOf(a, rank, node)) ?? x.dims.map((_, i) => i);
  const given = inputs[2] == null || inputs[2].data.length === 0 ? null : Array.from(floatsOf(inputs[2]));
  const asked = intsOf(inputs[3]);
  if (getInt(node, "antialias", 0) !== 0) return fail(node, "antialias");
  if (getString(node, "keep_aspect_ratio_policy", "stretch") !== "stretch")
    return fail(node, "keep_aspect_ratio_policy");
  if (given === null && asked === null) return fail(node, "neither scales nor sizes");
  const cropped = getString(node, "coordinate_transformation_mode", "half_pixel") === "tf_crop_and_resize";
  const roi = cropped ? floatsOf(need(inputs, 1, node)) : null;
  const beyond = getFloat(node, "extrapolation_value", 0);
  let data = floatsOf(x);
  let outside = new Uint8Array(data.length);
  const dims = [...x.dims];
  for (const [i, axis] of axes.entries()) {
    const from = x.dims[axis]!;
    const to = given !== null ? Math.floor(from * given[i]!) : asked![i]!;
    const scale = given !== null ? given[i]! : to / from;
    const crop = roi === null ? null : ([roi[i]!, roi[i + axes.length]!] as const);
    if (scale === 1 && from === to && crop === null) continue;
    const rows = Array.from({ length: to }, (_, o) => weights(node, o, from, to, scale, crop));
    const outDims = dims.map((d, a) => (a === axis ? to : d));
    const inner = stridesOf(dims)[axis]!;
    const out = new Float64Array(sizeOf(outDims));
    const missing = new Uint8Array(out.length);
    for (let k = 0; k < out.length; k++) {
      const o = Math.floor(k / inner) % to;
      const base = Math.floor(k / (inner * to)) * from * inner + (k % inner);
      // Beyond the input along one axis is beyond it altogether.
      missing[k] = rows[o] === null || rows[o]!.some(([at]) => outside[base + at * inner] !== 0) ? 1 : 0;
      for (const [at, w] of rows[o] ?? []) out[k]! += w * data[base + at * inner]!;
    }
    outside = missing;
    data = out;
    dims[axis] = to;
  }
  const filled = data.map((v, i) => (outside[i] !== 0 ? beyond : v));
  return [fromNumbers(x.dtype, dims, filled)];
};

/** Which input entries an output entry reads along one axis, and with what weights. */
function weights(
  node: Node,
  o: number,
  from: number,
  to: number,
  scale: number,
  crop: readonly [number, number] | null,
): [number, number][] | null {
  const at = crop === null ? coordinate(node, o, from, to, scale) : croppedCoordinate(o, from, to, crop);
  if (crop !== null && (at < 0 || at > from - 1)) return null;
  const clamp = (i: number): number => Math.min(Math.max(i, 0), from - 1);
  const mode = getString(node, "mode", "nearest");
  if (mode === "nearest") return [[clamp(nearest(node, at)), 1]];
  const low = Math.floor(at);
  const t = at - low;
  if (mode === "linear")
    return [
      [clamp(low), 1 - t],
      [clamp(low + 1), t],
    ];
  const a = getFloat(node, "cubic_coeff_a", -0.75);
  const near = (d: number): number => (a + 2) * d ** 3 - (a + 3) * d ** 2 + 1;
  const far = (d: number): number => a * d ** 3 - 5 * a * d ** 2 + 8 * a * d - 4 * a;
  const list: [number, number][] = [
    [low - 1, far(1 + t)],
    [low, near(t)],
    [low + 1, near(1 - t)],
    [low + 2, far(2 - t)],
  ];
  if (getInt(node, "exclude_outside", 0) === 0) return list.map(([i, w]) => [clamp(i), w]);
  const inside = list.filter(([i]) => i >= 0 && i < from);
  const total = inside.reduce((s, [, w]) => s + w, 0);
  return inside.map(([i, w]) => [i, w / total]);
}

const croppedCoordinate = (o: number, from: number, to: number, [start, end]: readonly [number, number]): number =>
  (from - 1) * (to > 1 ? start + (o / (to - 1)) * (end - start) : (start + end) / 2);

function coordinate(node: Node, o: number, from: number, to: number, scale: number): number {
  const how = getString(node, "coordinate_transformation_mode", "half_pixel");
  switch (how) {
    case "half_pixel":
      return (o + 0.5) / scale - 0.5;
    case "half_pixel_symmetric":
      return (from / 2) * (1 - to / (scale * from)) + (o + 0.5) / scale - 0.5;
    case "pytorch_half_pixel":
      return to > 1 ? (o + 0.5) / scale - 0.5 : 0;
    case "align_corners":
      return to > 1 ? (o * (from - 1)) / (to - 1) : 0;
    case "asymmetric":
      return o / scale;
    default:
      return fail(node, `coordinate_transformation_mode ${how}`);
  }
}

function nearest(node: Node, at: number): number {
  switch (getString(node, "nearest_mode", "round_prefer_floor")) {
    case "floor":
      return Math.floor(at);
    case "ceil":
      return Math.ceil(at);
    case "round_prefer_ceil":
      return Math.floor(at + 0.5);
    default:
      return Math.ceil(at - 0.5);
  }
}
