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
  let data = floatsOf(x);
  const dims = [...x.dims];
  for (const [i, axis] of axes.entries()) {
    const from = x.dims[axis]!;
    const to = given !== null ? Math.floor(from * given[i]!) : asked![i]!;
    const scale = given !== null ? given[i]! : to / from;
    if (scale === 1 && from === to) continue;
    const rows = Array.from({ length: to }, (_, o) => weights(node, o, from, to, scale));
    const outDims = dims.map((d, a) => (a === axis ? to : d));
    const inner = stridesOf(dims)[axis]!;
    const out = new Float64Array(sizeOf(outDims));
    for (let k = 0; k < out.length; k++) {
      const o = Math.floor(k / inner) % to;
      const base = Math.floor(k / (inner * to)) * from * inner + (k % inner);
      for (const [at, w] of rows[o]!) out[k]! += w * data[base + at * inner]!;
    }
    data = out;
    dims[axis] = to;
  }
  return [fromNumbers(x.dtype, dims, data)];
};

/** Which input entries an output entry reads along one axis, and with what weights. */
function weights(node: Node, o: number, from: number, to: number, scale: number): [number, number][] {
  const at = coordinate(node, o, from, to, scale);
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
