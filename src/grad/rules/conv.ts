import { int, ints } from "../../ir/attributes.ts";
import type { GraphBuilder } from "../../ir/builder.ts";
import type { GradientContext, GradientRule } from "../context.ts";
import { floatConstant, knownSizes, refuse, upTo } from "../context.ts";
import { all, groupOf, kernelOf, readWindow, type Window } from "./window.ts";
import { sizeOf } from "../../tensor/index.ts";
import { getInts, getString } from "../../ir/attributes.ts";

export const convAttributes = (w: Window, group: number) => ({
  kernel_shape: ints(w.kernel),
  strides: ints(w.strides),
  dilations: ints(w.dilations),
  pads: ints([...w.begins, ...w.ends]),
  group: int(group),
});

// Y = W * X + b      dX = Wᵀ * dY (transposed)      dW = Σ_batch dY · im2col(X)ᵀ      db = Σ dY
export const Conv: GradientRule = (cx, dys) => {
  const { wants, node } = cx;
  const [x, w] = node.inputs as [string, string];
  const dy = dys[0]!;
  const window = readWindow(cx, kernelOf(cx, w), x);
  const group = groupOf(cx);
  return [
    wants(0) ? convInputGradient(cx, dy, w, x, window, group) : null,
    wants(1) ? convWeightGradient(cx, x, dy, w, window, group) : null,
    wants(2) ? channelSum(cx, dy, window.kernel.length) : null,
  ];
};

// Y = Wᵀ * X + b     dX = W * dY      dW = Σ_batch X · im2col(dY)ᵀ      db = Σ dY
export const ConvTranspose: GradientRule = (cx, dys) => {
  const { b, wants, node } = cx;
  const [x, w] = node.inputs as [string, string];
  const dy = dys[0]!;
  const window = transposedWindow(cx, x, kernelOf(cx, w));
  const group = groupOf(cx);
  return [
    wants(0) ? b.op("Conv", [dy, w], convAttributes(window, group)) : null,
    wants(1) ? convWeightGradient(cx, dy, x, w, window, group) : null,
    wants(2) ? channelSum(cx, dy, window.kernel.length) : null,
  ];
};

/** The window of a transposed convolution, with `auto_pad` and `output_shape` turned into pads. */
function transposedWindow(cx: GradientContext, x: string, kernel: readonly number[]): Window {
  const auto = getString(cx.node, "auto_pad", "NOTSET");
  const shape = getInts(cx.node, "output_shape");
  if (shape === null && (auto === "NOTSET" || auto === "VALID" || auto === "")) return readWindow(cx, kernel, x);
  const plain = readWindow({ ...cx, node: { ...cx.node, attributes: withoutAutoPad(cx) } }, kernel, x);
  const sizes = knownSizes(cx, x, 2);
  if (sizes === null) return refuse(cx, "output_shape and auto_pad need the spatial sizes declared");
  const extra = getInts(cx.node, "output_padding") ?? kernel.map(() => 0);
  const out = shape === null ? sizes.map((s, i) => s * plain.strides[i]!) : shape.slice(-kernel.length);
  const totals = kernel.map(
    (k, i) => plain.strides[i]! * (sizes[i]! - 1) + extra[i]! + (k - 1) * plain.dilations[i]! + 1 - out[i]!,
  );
  if (totals.some((t) => t < 0)) return refuse(cx, "an output_shape larger than the kernel reaches");
  const half = totals.map((t) => Math.floor(t / 2));
  const rest = totals.map((t, i) => t - half[i]!);
  return auto === "SAME_UPPER" ? { ...plain, begins: half, ends: rest } : { ...plain, begins: rest, ends: half };
}

function withoutAutoPad(cx: GradientContext) {
  const { auto_pad: _auto, pads: _pads, ...rest } = cx.node.attributes;
  return rest;
}

/** Sum over every axis but the channel axis. */
export const channelSum = (cx: GradientContext, dy: string, spatial: number): string =>
  cx.b.reduceSum(dy, [0, ...upTo(spatial + 2, 2)], false);

/** Below this many channels ONNX Runtime has no blocked convolution. */
const FEW = 8;

/**
 * The gradient of a convolution's input. With stride 1 a convolution with the flipped kernel (in ONNX Runtime a third
 * to a half faster than ConvTranspose, but three to ten times slower where it makes the one or three channels of a first
 * layer); otherwise a transposed convolution, padded to the input's size, which with strides is at least twice as fast
 * as any form that spreads dY out first. Measured in bench/results/gradient-forms.md.
 */
export function convInputGradient(
  cx: GradientContext,
  dy: string,
  w: string,
  x: string,
  window: Window,
  group: number,
): string {
  const { kernel, strides, dilations, begins, ends } = window;
  const span = kernel.map((k, i) => (k - 1) * dilations[i]!);
  const [many, few] = knownSizes(cx, w) ?? [];
  if (all(strides, 1) && group === 1 && many !== undefined && few! < FEW && 4 * few! <= many) {
    return cx.b.op("ConvTranspose", [dy, w], convAttributes(window, group));
  }
  if (all(strides, 1) && span.every((s, i) => begins[i]! <= s && ends[i]! <= s)) {
    const flipped = flipKernel(cx, w, kernel, group);
    if (flipped !== null) {
      const full = { ...window, begins: span.map((s, i) => s - begins[i]!), ends: span.map((s, i) => s - ends[i]!) };
      return cx.b.op("Conv", [dy, flipped], convAttributes(full, group));
    }
  }
  const sizes = knownSizes(cx, x, 2);
  if (sizes !== null) {
    const lost = sizes.map((size, i) => (size + begins[i]! + ends[i]! - span[i]! - 1) % strides[i]!);
    return cx.b.op("ConvTranspose", [dy, w], { ...convAttributes(window, group), output_padding: ints(lost) });
  }
  return cropToInput(cx, cx.b.op("ConvTranspose", [dy, w], convAttributes(unpadded(window), group)), x, begins);
}

const unpadded = (w: Window): Window => ({ ...w, begins: w.kernel.map(() => 0), ends: w.kernel.map(() => 0) });

/** Cuts the padding off (or adds what the last window did not reach) when the sizes are known only at run time. */
function cropToInput(cx: GradientContext, full: string, x: string, begins: readonly number[]): string {
  const { b } = cx;
  const spatial = (value: string): string =>
    b.op("Slice", [b.shapeOf(value), b.indices([2]), b.indices([begins.length + 2])]);
  const low = begins.map((p) => -p);
  const high = b.sub(b.sub(spatial(x), spatial(full)), b.indices(low));
  // Every axis, and no input that says which: ONNX Runtime 1.30 moves a Transpose through a Pad without turning the axes.
  const pads = b.op("Concat", [b.indices([0, 0, ...low, 0, 0]), high], { axis: int(0) });
  return b.op("Pad", [full, pads]);
}

/** [M, C/g, k] -> [C, M/g, k], flipped along the spatial axes; null where the sizes are not known. */
function flipKernel(cx: GradientContext, w: string, kernel: readonly number[], group: number): string | null {
  const { b } = cx;
  const n = kernel.length;
  const dims = knownSizes(cx, w);
  let swapped: string;
  if (group === 1) swapped = b.transpose(w, [1, 0, ...upTo(n + 2, 2)]);
  else {
    if (dims === null) return null;
    const [m, c] = [dims[0]! / group, dims[1]!];
    const split = b.reshape(w, [group, m, c, ...kernel]);
    swapped = b.reshape(b.transpose(split, [0, 2, 1, ...upTo(n + 3, 3)]), [group * c, m, ...kernel]);
  }
  if (all(kernel, 1)) return swapped;
  const lowest = -(2 ** 31);
  return b.op("Slice", [
    swapped,
    b.indices(kernel.map(() => -1)),
    b.indices(kernel.map(() => lowest)),
    b.indices(upTo(n + 2, 2)),
    b.indices(kernel.map(() => -1)),
  ]);
}

/**
 * The gradient of a convolution's weights [M, C/g, k]: every patch of `x` is brought into a column by a grouped
 * convolution with one-hot kernels, then one matrix product for each example and group, then the sum over examples.
 */
export function convWeightGradient(
  cx: GradientContext,
  x: string,
  dy: string,
  w: string,
  window: Window,
  group: number,
): string {
  const { b } = cx;
  const dims = knownSizes(cx, w);
  if (dims === null) return refuse(cx, `the shape of the weights ${JSON.stringify(w)} is not known before the run`);
  const [m, c] = [dims[0]!, dims[1]!];
  const taps = sizeOf(window.kernel);
  if (c * group * taps * taps > MOST_ONE_HOT) return wideKernelGradient(cx, x, dy, dims, window, group);
  const columns = patches(cx, x, c * group, window);
  const positions = knownSizes(cx, cx.node.outputs[0]!, 2);
  if (group === 1 && positions !== null && joins(sizeOf(positions), m, c * taps)) {
    return b.reshape(
      overExamples(b, b.reshape(dy, [0, m, -1]), b.reshape(columns, [0, c * taps, -1]), m, c * taps),
      dims,
    );
  }
  if (group === 1) {
    const product = b.matmul(b.reshape(dy, [0, m, -1]), b.transpose(b.reshape(columns, [0, c * taps, -1]), [0, 2, 1]));
    return b.reshape(b.reduceSum(product, [0], false), dims);
  }
  const left = b.reshape(dy, [0, group, m / group, -1]);
  const right = b.transpose(b.reshape(columns, [0, group, c * taps, -1]), [0, 1, 3, 2]);
  return b.reshape(b.reduceSum(b.matmul(left, right), [0], false), dims);
}

/**
 * Whether one product over all examples is cheaper than one for each and their sum: it moves both operands into rows over
 * examples and places, the other writes every example's product.
 */
const joins = (positions: number, m: number, entries: number): boolean => m * entries > 2 * positions * (m + entries);

/** Sum over examples of A_n·C_nᵀ as one matrix product. a [N, m, P], c [N, k, P] -> [m, k]. */
export function overExamples(b: GraphBuilder, a: string, c: string, m: number, k: number): string {
  const rows = (value: string, size: number): string => b.reshape(b.transpose(value, [1, 0, 2]), [size, -1]);
  return b.matmul(rows(a, m), b.transpose(rows(c, k), [1, 0]));
}

/** Entries of the one-hot kernels beyond which they cost more than they save. */
const MOST_ONE_HOT = 2 ** 24;

/** For very large kernels: a convolution of the input with dY, examples as channels; what is left over is cut off. */
function wideKernelGradient(
  cx: GradientContext,
  x: string,
  dy: string,
  dims: readonly number[],
  window: Window,
  group: number,
): string {
  const { b } = cx;
  if (group !== 1) return refuse(cx, "a grouped kernel of that size");
  const axes = upTo(window.kernel.length + 2, 2);
  const swap = (value: string): string => b.transpose(value, [1, 0, ...axes]);
  const { kernel_shape: _, ...attributes } = convAttributes(
    { ...window, strides: window.dilations, dilations: window.strides },
    1,
  );
  const product = swap(b.op("Conv", [swap(x), swap(dy)], attributes));
  return b.op("Slice", [product, b.indices(axes.map(() => 0)), b.indices(dims.slice(2)), b.indices(axes)]);
}

/** [N, C, in] -> [N, C·K, out]: the K entries under the window, channel by channel. */
export function patches(cx: GradientContext, x: string, channels: number, window: Window): string {
  const taps = sizeOf(window.kernel);
  if (taps === 1 && all(window.strides, 1) && all(window.begins, 0) && all(window.ends, 0)) return x;
  const hot = new Float32Array(channels * taps * taps);
  for (let i = 0; i < channels * taps; i++) hot[i * taps + (i % taps)] = 1;
  const kernels = floatConstant(cx, [channels * taps, 1, ...window.kernel], hot);
  return cx.b.op("Conv", [x, kernels], convAttributes(window, channels));
}
