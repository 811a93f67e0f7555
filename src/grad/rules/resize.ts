import { getFloat, getInt, getInts, getString } from "../../ir/attributes.ts";
import type { GradientContext, GradientRule } from "../context.ts";
import { floatConstant, knownSizes, refuse, upTo } from "../context.ts";
import { repeats, windowSum } from "./pool.ts";

// y = M₁ ⊗ M₂ ⊗ … · x, one small matrix per resized axis      dx = (M₁ ⊗ M₂ ⊗ …)ᵀ · dy
export const Resize: GradientRule = (cx, [dy]) => {
  const { node } = cx;
  const x = node.inputs[0]!;
  const mode = getString(node, "mode", "nearest");
  if (getInt(node, "antialias", 0) !== 0) return refuse(cx, "antialias");
  const asymmetric = getString(node, "coordinate_transformation_mode", "half_pixel") === "asymmetric";
  const floor = getString(node, "nearest_mode", "round_prefer_floor") === "floor";
  const kernel = mode === "nearest" && asymmetric && floor ? repeats(cx) : null;
  if (kernel !== null && kernel.length === 2) return [windowSum(cx, dy!, kernel)];

  const from = knownSizes(cx, x);
  const to = knownSizes(cx, node.outputs[0]!);
  if (from === null || to === null) return refuse(cx, "needs the sizes of its input and output declared");
  if (getString(node, "keep_aspect_ratio_policy", "stretch") !== "stretch")
    return refuse(cx, "keep_aspect_ratio_policy");
  const axes = getInts(node, "axes")?.map((a) => (a < 0 ? a + from.length : a)) ?? upTo(from.length);
  const scales = cx.constant(node.inputs[2]);
  let out = dy!;
  for (const [i, axis] of axes.entries()) {
    const scale = scales !== null && scales.data.length > 0 ? Number(scales.data[i]) : to[axis]! / from[axis]!;
    if (scale === 1 && from[axis] === to[axis]) continue;
    if (from[axis]! * to[axis]! > 2 ** 24) return refuse(cx, `an axis of ${from[axis]} resized to ${to[axis]}`);
    const along = { from: from[axis]!, to: to[axis]!, scale, crop: cropOf(cx, i, axes.length) };
    out = alongAxis(cx, out, axis, from.length, interpolation(cx, mode, along));
  }
  return [out];
};

/** Multiplies one axis by the transpose of `matrix` [out][in]. */
function alongAxis(cx: GradientContext, value: string, axis: number, rank: number, matrix: number[][]): string {
  const { b } = cx;
  const perm = upTo(rank);
  perm[axis] = rank - 1;
  perm[rank - 1] = axis;
  const constant = floatConstant(cx, [matrix.length, matrix[0]!.length], matrix.flat());
  if (axis === rank - 1) return b.matmul(value, constant);
  return b.transpose(b.matmul(b.transpose(value, perm), constant), perm);
}

/** One resized axis: its sizes, the scale asked for, and which part of the input is seen (tf_crop_and_resize). */
interface Along {
  readonly from: number;
  readonly to: number;
  readonly scale: number;
  readonly crop: readonly [number, number] | null;
}

function cropOf(cx: GradientContext, i: number, axes: number): readonly [number, number] | null {
  if (getString(cx.node, "coordinate_transformation_mode", "half_pixel") !== "tf_crop_and_resize") return null;
  const roi = cx.constant(cx.node.inputs[1]);
  if (roi === null || roi.data.length !== 2 * axes) return refuse(cx, "its roi is known only at run time");
  return [Number(roi.data[i]), Number(roi.data[i + axes])];
}

/** The weights with which each output entry reads the input entries; none where it lies outside the cropped input. */
function interpolation(cx: GradientContext, mode: string, along: Along): number[][] {
  const { from, to, crop } = along;
  const transformation = getString(cx.node, "coordinate_transformation_mode", "half_pixel");
  return upTo(to).map((o) => {
    const at = position(cx, transformation, o, along);
    const row = Array.from({ length: from }, () => 0);
    if (crop !== null && (at < 0 || at > from - 1)) return row;
    for (const [i, weight] of weights(cx, mode, at, from)) row[Math.min(Math.max(i, 0), from - 1)]! += weight;
    return row;
  });
}

function weights(cx: GradientContext, mode: string, at: number, from: number): [number, number][] {
  const low = Math.floor(at);
  const t = at - low;
  switch (mode) {
    case "nearest":
      return [[roundBy(getString(cx.node, "nearest_mode", "round_prefer_floor"), at), 1]];
    case "linear":
      return [
        [low, 1 - t],
        [low + 1, t],
      ];
    case "cubic": {
      // Keys' kernel (1981, eq. 15) with parameter a.
      const a = getFloat(cx.node, "cubic_coeff_a", -0.75);
      const kernel = (d: number): number =>
        d <= 1 ? ((a + 2) * d - (a + 3)) * d * d + 1 : d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
      const list = [-1, 0, 1, 2].map((k): [number, number] => [low + k, kernel(Math.abs(k - t))]);
      if (getInt(cx.node, "exclude_outside", 0) === 0) return list;
      const inside = list.filter(([i]) => i >= 0 && i < from);
      const sum = inside.reduce((total, [, w]) => total + w, 0);
      return inside.map(([i, w]) => [i, w / sum]);
    }
    default:
      return refuse(cx, `mode ${JSON.stringify(mode)}`);
  }
}

function position(cx: GradientContext, how: string, o: number, { from, to, scale, crop }: Along): number {
  switch (how) {
    case "half_pixel":
      return (o + 0.5) / scale - 0.5;
    case "half_pixel_symmetric": {
      const exact = from * scale;
      return from / 2 - (exact / 2) * (to / exact / scale) + (o + 0.5) / scale - 0.5;
    }
    case "pytorch_half_pixel":
      return to > 1 ? (o + 0.5) / scale - 0.5 : 0;
    case "align_corners":
      return to > 1 ? (o * (from - 1)) / (to - 1) : 0;
    case "asymmetric":
      return o / scale;
    case "tf_crop_and_resize": {
      const [start, end] = crop!;
      return to > 1
        ? start * (from - 1) + (o * (end - start) * (from - 1)) / (to - 1)
        : 0.5 * (start + end) * (from - 1);
    }
    default:
      return refuse(cx, `coordinate_transformation_mode ${JSON.stringify(how)}`);
  }
}

function roundBy(how: string, at: number): number {
  switch (how) {
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
