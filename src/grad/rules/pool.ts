import { float, getInt, getInts, int, ints, string } from "../../ir/attributes.ts";
import { float32, sizeOf } from "../../tensor/index.ts";
import type { GradientContext, GradientRule } from "../context.ts";
import {
  asFloat,
  cast,
  constantInts,
  floatConstant,
  floatType,
  knownSizes,
  num,
  rankOf,
  refuse,
  scatterAdd,
  upTo,
} from "../context.ts";
import { STEEP } from "./activation.ts";
import { convInputGradient, patches } from "./conv.ts";
import { all, kernelOf, readWindow, type Window } from "./window.ts";

/** True where windows tile the input: no overlap, no padding, nothing left over. */
function tiles(cx: GradientContext, window: Window, x: string): boolean {
  const sizes = knownSizes(cx, x, 2);
  return (
    window.kernel.length === 2 &&
    floatType(cx) === "float32" &&
    window.kernel.every((k, i) => k === window.strides[i]) &&
    all(window.dilations, 1) &&
    all(window.begins, 0) &&
    all(window.ends, 0) &&
    sizes !== null &&
    sizes.every((s, i) => s % (window.kernel[i] ?? 1) === 0)
  );
}

/** Repeats each entry over its window. */
export const spread = (cx: GradientContext, value: string, kernel: readonly number[]): string =>
  cx.b.op("Resize", [value, "", cx.b.constant(float32([4], [1, 1, ...kernel]))], {
    mode: string("nearest"),
    coordinate_transformation_mode: string("asymmetric"),
    nearest_mode: string("floor"),
  });

/** The sum over each window, for windows that tile. */
export const windowSum = (cx: GradientContext, value: string, kernel: readonly number[]): string =>
  cx.b.mul(
    cx.b.op("AveragePool", [value], { kernel_shape: ints(kernel), strides: ints(kernel) }),
    num(cx, sizeOf(kernel)),
  );

// y = max over window      dx = dy at the maximum.
// Ties: shared equally where windows tile, all to the first (row-major) where they overlap.
export const MaxPool: GradientRule = (cx, [dy]) => {
  const { b, node } = cx;
  const x = node.inputs[0]!;
  const window = readWindow(cx, kernelOf(cx, undefined), x);
  if (getInt(node, "storage_order", 0) === 0 && tiles(cx, window, x)) {
    // A window of nothing but -∞ has no maximum that anything flows to; without the bounds it would make NaN.
    const top = b.op("Clip", [node.outputs[0]!, num(cx, -STEEP)]);
    const below = b.add(x, spread(cx, b.neg(top), window.kernel));
    const hits = b.op("HardSigmoid", [below], { alpha: float(STEEP), beta: float(1) });
    const share = b.div(dy!, b.op("Clip", [windowSum(cx, hits, window.kernel), num(cx, 0.5)]));
    return [b.mul(hits, spread(cx, share, window.kernel))];
  }
  const { storage_order: _, ...attributes } = node.attributes;
  const [, positions] = b.opN("MaxPool", [x], 2, attributes);
  const flat = scatterAdd(cx, b.reshape(b.op("Size", [x]), [1]), b.reshape(positions!, [-1]), b.reshape(dy!, [-1]), 0);
  return [b.reshapeLike(flat, x)];
};

// y = Σ window / n         dx = Σ over the windows that hold x of dy / n
export const AveragePool: GradientRule = (cx, [dy]) => {
  const { b, node } = cx;
  const x = node.inputs[0]!;
  const kernel = kernelOf(cx, undefined);
  const window = readWindow(cx, kernel, x);
  const ceil = getInt(node, "ceil_mode", 0) !== 0;
  if (tiles(cx, window, x)) return [spread(cx, b.mul(dy!, num(cx, 1 / sizeOf(kernel))), kernel)];
  const padded = getInt(node, "count_include_pad", 0) !== 0;
  const whole = !ceil && (padded || (all(window.begins, 0) && all(window.ends, 0)));
  const part = whole ? b.mul(dy!, num(cx, 1 / sizeOf(kernel))) : b.div(dy!, windowCounts(cx, x, window, padded, ceil));
  return [spreadOverWindows(cx, part, x, ceil ? withLastWindow(cx, x, window) : window)];
};

/** The adjoint of an unweighted sum over windows, channel by channel. */
function spreadOverWindows(cx: GradientContext, dy: string, x: string, window: Window): string {
  const { b } = cx;
  const rank = window.kernel.length + 2;
  const sizes = knownSizes(cx, x, 2);
  const ones = floatConstant(cx, [1, 1, ...window.kernel], new Float32Array(sizeOf(window.kernel)).fill(1));
  const alone = (value: string): string => {
    const spatial = b.op("Slice", [b.shapeOf(value), b.indices([2]), b.indices([rank])]);
    return b.op("Reshape", [value, b.op("Concat", [b.indices([-1, 1]), spatial], { axis: int(0) })]);
  };
  const channelwise: GradientContext = {
    ...cx,
    shape: (name) => (name === x && sizes !== null ? [null, 1, ...sizes] : cx.shape(name)),
  };
  const shapeSource = sizes === null ? alone(x) : x;
  const known: GradientContext =
    sizes === null ? { ...cx, shape: (name) => (name === shapeSource ? null : cx.shape(name)) } : channelwise;
  return b.reshapeLike(convInputGradient(known, alone(dy), ones, shapeSource, window, 1), x);
}

/** Output sizes of a pooling; those of the input must be known. */
function pooledSizes(cx: GradientContext, x: string, w: Window, ceil: boolean): { sizes: number[]; out: number[] } {
  const sizes = knownSizes(cx, x, 2);
  if (sizes === null) return refuse(cx, "padding or ceil_mode needs the spatial sizes declared");
  const out = sizes.map((size, i) => {
    const room = size + w.begins[i]! + w.ends[i]! - (w.kernel[i]! - 1) * w.dilations[i]! - 1;
    const steps = ceil ? Math.ceil(room / w.strides[i]!) : Math.floor(room / w.strides[i]!);
    // A last window that would begin in the padding behind the input is left out.
    return ceil && steps * w.strides[i]! >= size + w.begins[i]! ? steps : steps + 1;
  });
  return { sizes, out };
}

/** The window with as much padding behind as `ceil_mode` in effect adds. */
function withLastWindow(cx: GradientContext, x: string, w: Window): Window {
  const { sizes, out } = pooledSizes(cx, x, w, true);
  const ends = out.map(
    (o, i) => (o - 1) * w.strides[i]! + (w.kernel[i]! - 1) * w.dilations[i]! + 1 - sizes[i]! - w.begins[i]!,
  );
  return { ...w, ends };
}

/** How many entries each window averages: [1, 1, out]. */
function windowCounts(cx: GradientContext, x: string, w: Window, padded: boolean, ceil: boolean): string {
  const { sizes, out } = pooledSizes(cx, x, w, ceil);
  if (sizeOf(out) * sizeOf(w.kernel) > 2 ** 28) return refuse(cx, `a window of that size (${w.kernel.join("x")})`);
  const along = out.map((o, i) =>
    Array.from({ length: o }, (_, j) => {
      let n = 0;
      for (let t = 0; t < w.kernel[i]!; t++) {
        const at = j * w.strides[i]! - w.begins[i]! + t * w.dilations[i]!;
        const inside = padded ? at < sizes[i]! + w.ends[i]! : at >= 0 && at < sizes[i]!;
        if (inside) n++;
      }
      return n;
    }),
  );
  let counts = [1];
  for (const axis of along) counts = counts.flatMap((c) => axis.map((n) => c * n));
  return floatConstant(cx, [1, 1, ...out], counts);
}

// y = Σ spatial / n        dx = dy/n
export const GlobalAveragePool: GradientRule = (cx, [dy]) => {
  const { b, node } = cx;
  const x = node.inputs[0]!;
  const sizes = knownSizes(cx, x, 2);
  const n =
    sizes !== null
      ? num(cx, sizeOf(sizes))
      : cast(cx, b.div(b.op("Size", [x]), b.op("Size", [node.outputs[0]!])), floatType(cx));
  return [b.op("Expand", [b.div(dy!, n), b.shapeOf(x)])];
};

// y = max over space       dx = dy·[x = y] / Σ [x = y]   (ties share equally)
export const GlobalMaxPool: GradientRule = (cx, [dy]) => {
  const { b, node } = cx;
  const x = node.inputs[0]!;
  const hits = asFloat(cx, b.op("Equal", [x, node.outputs[0]!]));
  return [b.mul(hits, b.div(dy!, b.reduceSum(hits, upTo(rankOf(cx, x), 2), true)))];
};

/** sign x·|x|^(p-1)·s, where s brings dy·y^(1-p) to the shape of x; 0 where y is 0. */
function normGradient(cx: GradientContext, dy: string, bring: (value: string) => string): string {
  const { b, node } = cx;
  const [x, y] = [node.inputs[0]!, node.outputs[0]!];
  const p = getInt(node, "p", 2);
  if (p < 1) return refuse(cx, `p = ${p}`);
  if (p === 1) return b.mul(b.op("Sign", [x]), bring(dy));
  const safe = b.op("Where", [b.op("Equal", [y, num(cx, 0)]), num(cx, 1), y]);
  if (p === 2) return b.mul(x, bring(b.div(dy, safe)));
  const power = b.mul(x, b.op("Pow", [b.op("Abs", [x]), num(cx, p - 2)]));
  return b.mul(power, bring(b.mul(dy, b.op("Pow", [safe, num(cx, 1 - p)]))));
}

// y = (Σ |x|^p)^(1/p) over window      dx = sign x·|x|^(p-1)·Σ over the windows that hold x of dy·y^(1-p)
export const LpPool: GradientRule = (cx, [dy]) => {
  const x = cx.node.inputs[0]!;
  const window = readWindow(cx, kernelOf(cx, undefined), x);
  const ceil = getInt(cx.node, "ceil_mode", 0) !== 0;
  const reached = ceil ? withLastWindow(cx, x, window) : window;
  return [normGradient(cx, dy!, (value) => spreadOverWindows(cx, value, x, reached))];
};

// y = (Σ |x|^p)^(1/p) over space
export const GlobalLpPool: GradientRule = (cx, [dy]) => [normGradient(cx, dy!, (value) => value)];

// y = Σ of the columns that cover each pixel      dx = the patches of dy
export const Col2Im: GradientRule = (cx, [dy]) => {
  const { b, node } = cx;
  const x = node.inputs[0]!;
  const kernel = constantInts(cx, node.inputs[2]) ?? refuse(cx, "its block_shape is known only at run time");
  const columns = cx.shape(x)?.[1];
  if (typeof columns !== "number") return refuse(cx, "needs the number of channels declared");
  return [b.reshapeLike(patches(cx, dy!, columns / sizeOf(kernel), readWindow(cx, kernel, x)), x)];
};

/** Whether a Resize repeats each entry a whole number of times: the form that `spread` emits. */
export function repeats(cx: GradientContext): number[] | null {
  const { node } = cx;
  const scales = cx.constant(node.inputs[2]);
  if (scales === null || scales.dtype !== "float32" || scales.data.length !== 4 || getInts(node, "axes") !== null)
    return null;
  const [n, c, ...kernel] = Array.from(scales.data as Float32Array);
  return n === 1 && c === 1 && kernel.every((k) => Number.isInteger(k) && k >= 1) ? kernel : null;
}
