import { getInt, getInts, getString } from "../../ir/attributes.ts";
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
  if (mode !== "nearest" && mode !== "linear") return refuse(cx, `mode ${JSON.stringify(mode)}`);
  const axes = getInts(node, "axes")?.map((a) => (a < 0 ? a + from.length : a)) ?? upTo(from.length);
  const scales = cx.constant(node.inputs[2]);
  let out = dy!;
  for (const [i, axis] of axes.entries()) {
    const scale = scales !== null && scales.data.length > 0 ? Number(scales.data[i]) : to[axis]! / from[axis]!;
    if (scale === 1 && from[axis] === to[axis]) continue;
    if (from[axis]! * to[axis]! > 2 ** 24) return refuse(cx, `an axis of ${from[axis]} resized to ${to[axis]}`);
    out = alongAxis(cx, out, axis, from.length, interpolation(cx, mode, from[axis]!, to[axis]!, scale));
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

/** The weights with which each output entry reads the input entries. */
function interpolation(cx: GradientContext, mode: string, from: number, to: number, scale: number): number[][] {
  const transformation = getString(cx.node, "coordinate_transformation_mode", "half_pixel");
  const nearest = getString(cx.node, "nearest_mode", "round_prefer_floor");
  return upTo(to).map((o) => {
    const at = position(cx, transformation, o, from, to, scale);
    const row = Array.from({ length: from }, () => 0);
    const clamp = (i: number): number => Math.min(Math.max(i, 0), from - 1);
    if (mode === "nearest") row[clamp(roundBy(nearest, at))] = 1;
    else {
      const low = Math.floor(at);
      row[clamp(low)]! += 1 - (at - low);
      row[clamp(low + 1)]! += at - low;
    }
    return row;
  });
}

function position(cx: GradientContext, how: string, o: number, from: number, to: number, scale: number): number {
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
