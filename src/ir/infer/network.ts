import { getInt, getInts, getString } from "../attributes.ts";
import type { Dim } from "../graph.ts";
import { dtypeOfCode } from "./elementwise.ts";
import { axisOf, known, nothing, numbersOf, type InferRule, type Known, type Site } from "./types.ts";

const ones = (n: number): number[] => Array.from({ length: n }, () => 1);

interface Window {
  readonly kernel: readonly Dim[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly pads: readonly number[];
  readonly auto: string;
}

function windowOf(s: Site, kernel: readonly Dim[]): Window {
  const n = kernel.length;
  const list = (name: string, otherwise: number[]): number[] => getInts(s.node, name) ?? otherwise;
  return {
    kernel,
    strides: list("strides", ones(n)),
    dilations: list("dilations", ones(n)),
    pads: list(
      "pads",
      Array.from({ length: 2 * n }, () => 0),
    ),
    auto: getString(s.node, "auto_pad", "NOTSET"),
  };
}

/** Output size of a sliding window along axis `i` (ONNX Conv-11, MaxPool-12). */
function windowed(w: Window, i: number, size: Dim, ceil: boolean): Dim {
  const [stride, k] = [w.strides[i] ?? 1, w.kernel[i]];
  if (w.auto.startsWith("SAME"))
    return stride === 1 ? size : typeof size === "number" ? Math.ceil(size / stride) : null;
  if (typeof k !== "number") return null;
  const reach = (w.dilations[i] ?? 1) * (k - 1) + 1;
  const valid = w.auto === "VALID";
  const [before, after] = valid ? [0, 0] : [w.pads[i] ?? 0, w.pads[i + w.kernel.length] ?? 0];
  if (stride === 1 && before + after === reach - 1) return size; // "same", whatever the size
  if (typeof size !== "number") return null;
  const steps = (size + before + after - reach) / stride;
  let out = (ceil && !valid ? Math.ceil(steps) : Math.floor(steps)) + 1;
  // With ceil_mode a window that would start in the padding behind the input is left out.
  if (ceil && (out - 1) * stride >= size + before) out--;
  return out;
}

/** Kernel sizes: the attribute, else the trailing sizes of the weights. */
const kernelOf = (s: Site, weights: readonly Dim[] | null): readonly Dim[] | null =>
  getInts(s.node, "kernel_shape") ?? weights?.slice(2) ?? null;

const conv =
  (weightAt: number, dtype: (s: Site) => Known["dtype"]): InferRule =>
  (s) => {
    const [x, w] = [s.in(0).dims, s.in(weightAt).dims];
    const kernel = kernelOf(s, w);
    const rank = x?.length ?? w?.length ?? (kernel === null ? null : kernel.length + 2);
    if (rank === null || kernel === null || kernel.length !== rank - 2) return [known(dtype(s), null)];
    const win = windowOf(s, kernel);
    const space = kernel.map((_, i) => windowed(win, i, x?.[i + 2] ?? null, false));
    return [known(dtype(s), [x?.[0] ?? null, w?.[0] ?? null, ...space])];
  };

const convTranspose: InferRule = (s) => {
  const { dtype, dims: x } = s.in(0);
  const w = s.in(1).dims;
  const kernel = kernelOf(s, w);
  if (x === null || kernel === null || kernel.length !== x.length - 2) return [known(dtype, null)];
  const win = windowOf(s, kernel);
  const extra = getInts(s.node, "output_padding") ?? [];
  const fixed = getInts(s.node, "output_shape");
  const space = kernel.map((k, i): Dim => {
    if (fixed !== null) return fixed.at(i - kernel.length) ?? null;
    const size = x[i + 2]!;
    const stride = win.strides[i] ?? 1;
    if (win.auto.startsWith("SAME")) return stride === 1 ? size : typeof size === "number" ? size * stride : null;
    if (typeof size !== "number" || typeof k !== "number") return null;
    const pads = win.auto === "VALID" ? 0 : (win.pads[i] ?? 0) + (win.pads[i + kernel.length] ?? 0);
    return stride * (size - 1) + (extra[i] ?? 0) + (win.dilations[i] ?? 1) * (k - 1) + 1 - pads;
  });
  const each = w?.[1] ?? null;
  const channels = typeof each === "number" ? each * getInt(s.node, "group", 1) : null;
  return [known(dtype, [x[0]!, channels, ...space])];
};

const pool: InferRule = (s) => {
  const { dtype, dims: x } = s.in(0);
  const kernel = getInts(s.node, "kernel_shape");
  if (x === null || kernel === null || kernel.length !== x.length - 2)
    return [known(dtype, null), known("int64", null)];
  const win = windowOf(s, kernel);
  const ceil = getInt(s.node, "ceil_mode", 0) !== 0;
  const dims = [x[0]!, x[1]!, ...kernel.map((_, i) => windowed(win, i, x[i + 2]!, ceil))];
  return [known(dtype, dims), known("int64", dims)];
};

const globalPool: InferRule = (s) => {
  const { dtype, dims } = s.in(0);
  return [known(dtype, dims?.map((d, i) => (i < 2 ? d : 1)) ?? null)];
};

const maxUnpool: InferRule = (s) => {
  const { dtype, dims: x } = s.in(0);
  const kernel = getInts(s.node, "kernel_shape");
  const fixed = s.has(2) ? (s.in(2).content ?? null) : null;
  if (s.has(2) || x === null || kernel?.length !== x.length - 2) return [known(dtype, fixed)];
  const win = windowOf(s, kernel);
  const space = kernel.map((k, i): Dim => {
    const d = x[i + 2]!;
    const pads = (win.pads[i] ?? 0) + (win.pads[i + kernel.length] ?? 0);
    return typeof d === "number" ? (win.strides[i] ?? 1) * (d - 1) + k - pads : null;
  });
  return [known(dtype, [x[0]!, x[1]!, ...space])];
};

const batchNorm: InferRule = (s) => {
  const [x, mean] = [s.in(0), s.in(3)];
  const stats = known(mean.dtype ?? x.dtype, mean.dims);
  return [x, stats, stats, stats, stats].map(({ dtype, dims }) => ({ dtype, dims }));
};

const layerNorm: InferRule = (s) => {
  const { dtype, dims } = s.in(0);
  const axis = dims === null ? null : axisOf(getInt(s.node, "axis", -1), dims.length);
  const stash = dtypeOfCode(getInt(s.node, "stash_type", 1));
  const stats = known(stash, axis === null ? null : dims!.map((d, i) => (i < axis ? d : 1)));
  return [known(dtype, dims), stats, stats];
};

/** RNN, GRU, LSTM: Y [seq, directions, batch, hidden], Y_h and Y_c [directions, batch, hidden]; layout 1: batch first. */
const recurrent: InferRule = (s) => {
  const { dtype, dims: x } = s.in(0);
  const first = getInt(s.node, "layout", 0) === 1;
  const [seq, batch] = x?.length === 3 ? (first ? [x[1]!, x[0]!] : [x[0]!, x[1]!]) : [null, null];
  const ways = getString(s.node, "direction", "forward") === "bidirectional" ? 2 : 1;
  const size = getInt(s.node, "hidden_size", 0);
  const hidden: Dim = size > 0 ? size : (s.in(2).dims?.[2] ?? null);
  const last = known(dtype, first ? [batch, ways, hidden] : [ways, batch, hidden]);
  return [known(dtype, first ? [batch, seq, ways, hidden] : [seq, ways, batch, hidden]), last, last];
};

const gridSample: InferRule = (s) => {
  const [x, grid] = [s.in(0), s.in(1)];
  if (x.dims === null || grid.dims === null) return [known(x.dtype, null)];
  return [known(x.dtype, [x.dims[0] ?? null, x.dims[1] ?? null, ...grid.dims.slice(1, -1)])];
};

const affineGrid: InferRule = (s) => {
  const size = s.in(1).content ?? numbersOf(s, 1);
  if (size === null) return [known(s.in(0).dtype, null)];
  return [known(s.in(0).dtype, [size[0] ?? null, ...size.slice(2), size.length - 2])];
};

const regions: InferRule = (s) => {
  const { dtype, dims } = s.in(0);
  const pooled = getInts(s.node, "pooled_shape");
  const [h, w] = [pooled?.[0] ?? getInt(s.node, "output_height", 1), pooled?.[1] ?? getInt(s.node, "output_width", 1)];
  return [known(dtype, [s.in(1).dims?.[0] ?? null, dims?.[1] ?? null, h, w])];
};

/** Attention (opset 23): Y has the query's layout, with the value's head size. */
const attention: InferRule = (s) => {
  const [q, v] = [s.in(0), s.in(2)];
  if (q.dims?.length !== 4 || v.dims?.length !== 4)
    return [known(q.dtype, q.dims?.length === 3 ? [q.dims[0]!, q.dims[1]!, null] : null), nothing, nothing, nothing];
  return [known(q.dtype, [...q.dims.slice(0, 3), v.dims[3]!]), nothing, nothing, nothing];
};

export const networkRules: readonly (readonly [string, InferRule])[] = [
  ["Conv", conv(1, (s) => s.in(0).dtype ?? s.in(1).dtype)],
  ["ConvInteger", conv(1, () => "int32")],
  ["QLinearConv", conv(3, (s) => s.in(7).dtype)],
  ["ConvTranspose", convTranspose],
  ["MaxPool", pool],
  ["AveragePool", pool],
  ["LpPool", pool],
  ["GlobalAveragePool", globalPool],
  ["GlobalMaxPool", globalPool],
  ["GlobalLpPool", globalPool],
  ["MaxUnpool", maxUnpool],
  ["BatchNormalization", batchNorm],
  ["LayerNormalization", layerNorm],
  ["LSTM", recurrent],
  ["GRU", recurrent],
  ["RNN", recurrent],
  ["GridSample", gridSample],
  ["AffineGrid", affineGrid],
  ["RoiAlign", regions],
  ["MaxRoiPool", regions],
  ["Attention", attention],
];
