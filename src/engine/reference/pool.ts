import { getFloat, getInt, getInts } from "../../ir/attributes.ts";
import type { Node } from "../../ir/graph.ts";
import { sizeOf } from "../../tensor/index.ts";
import { visit, windowOf } from "./conv.ts";
import { fail, fromNumbers, need, numbers, type Kernel } from "./value.ts";

export const MaxPool: Kernel = (inputs, node) => {
  const x = need(inputs, 0, node);
  const sizes = x.dims.slice(2);
  const w = windowOf(node, sizes, getInts(node, "kernel_shape") ?? fail(node, "kernel_shape is missing"));
  const [inSize, outSize] = [sizeOf(sizes), sizeOf(w.out)];
  const channels = x.dims[0]! * x.dims[1]!;
  const source = numbers(x);
  const out = new Float64Array(channels * outSize).fill(-Infinity);
  const where = new Float64Array(channels * outSize).fill(-1);
  for (let c = 0; c < channels; c++) {
    visit(w, sizes, (o, _, i) => {
      const v = source[c * inSize + i]!;
      if (v > out[c * outSize + o]! || where[c * outSize + o] === -1) {
        out[c * outSize + o] = v;
        where[c * outSize + o] = c * inSize + i;
      }
    });
  }
  if (getInt(node, "storage_order", 0) !== 0) {
    const [h, wide] = sizes as [number, number];
    if (sizes.length !== 2) fail(node, "storage_order 1 with other than two spatial axes");
    for (let i = 0; i < where.length; i++) {
      const base = Math.floor(where[i]! / inSize) * inSize;
      const at = where[i]! - base;
      where[i] = base + (at % wide) * h + Math.floor(at / wide);
    }
  }
  const dims = [x.dims[0]!, x.dims[1]!, ...w.out];
  return [fromNumbers(x.dtype, dims, out), fromNumbers("int64", dims, where)];
};

export const AveragePool: Kernel = (inputs, node) => {
  const x = need(inputs, 0, node);
  const sizes = x.dims.slice(2);
  const w = windowOf(node, sizes, getInts(node, "kernel_shape") ?? fail(node, "kernel_shape is missing"));
  const padded = getInt(node, "count_include_pad", 0) !== 0;
  const [inSize, outSize] = [sizeOf(sizes), sizeOf(w.out)];
  const channels = x.dims[0]! * x.dims[1]!;
  const source = numbers(x);
  const counts = new Float64Array(outSize);
  // Padding counts as part of the input, but what a last window in ceil_mode reaches beyond it does not.
  const shifted = { ...w, begins: w.begins.map(() => 0) };
  if (padded)
    visit(
      shifted,
      sizes.map((s, i) => s + w.begins[i]! + w.ends[i]!),
      (o) => counts[o]!++,
    );
  else visit(w, sizes, (o) => counts[o]!++);
  const out = new Float64Array(channels * outSize);
  for (let c = 0; c < channels; c++) {
    visit(w, sizes, (o, _, i) => {
      out[c * outSize + o]! += source[c * inSize + i]! / counts[o]!;
    });
  }
  return [fromNumbers(x.dtype, [x.dims[0]!, x.dims[1]!, ...w.out], out)];
};

export const LpPool: Kernel = (inputs, node) => {
  const x = need(inputs, 0, node);
  const sizes = x.dims.slice(2);
  const w = windowOf(node, sizes, getInts(node, "kernel_shape") ?? fail(node, "kernel_shape is missing"));
  const p = getInt(node, "p", 2);
  const [inSize, outSize] = [sizeOf(sizes), sizeOf(w.out)];
  const channels = x.dims[0]! * x.dims[1]!;
  const source = numbers(x);
  const out = new Float64Array(channels * outSize);
  for (let c = 0; c < channels; c++) {
    visit(w, sizes, (o, _, i) => {
      out[c * outSize + o]! += Math.abs(source[c * inSize + i]!) ** p;
    });
  }
  const dims = [x.dims[0]!, x.dims[1]!, ...w.out];
  return [
    fromNumbers(
      x.dtype,
      dims,
      out.map((v) => v ** (1 / p)),
    ),
  ];
};

/** Each entry put at its flat index; the rest is 0. */
export const MaxUnpool: Kernel = (inputs, node) => {
  const [x, indices] = [need(inputs, 0, node), need(inputs, 1, node)];
  const kernel = getInts(node, "kernel_shape") ?? fail(node, "kernel_shape is missing");
  const strides = getInts(node, "strides") ?? kernel.map(() => 1);
  const pads = getInts(node, "pads") ?? kernel.flatMap(() => [0, 0]);
  const natural = x.dims
    .slice(2)
    .map((d, i) => (d - 1) * strides[i]! + kernel[i]! - pads[i]! - pads[i + kernel.length]!);
  const dims = [x.dims[0]!, x.dims[1]!, ...natural];
  if (inputs[2] != null) fail(node, "output_shape");
  const out = new Float64Array(sizeOf(dims));
  const [source, at] = [numbers(x), numbers(indices)];
  for (let i = 0; i < source.length; i++) out[at[i]!] = source[i]!;
  return [fromNumbers(x.dtype, dims, out)];
};

const global =
  (f: (values: ArrayLike<number>, start: number, n: number, node: Node) => number): Kernel =>
  (inputs, node) => {
    const x = need(inputs, 0, node);
    const n = sizeOf(x.dims.slice(2));
    const source = numbers(x);
    const channels = x.dims[0]! * x.dims[1]!;
    const out = Float64Array.from({ length: channels }, (_, c) => f(source, c * n, n, node));
    return [fromNumbers(x.dtype, [x.dims[0]!, x.dims[1]!, ...x.dims.slice(2).map(() => 1)], out)];
  };
export const GlobalAveragePool = global((v, start, n) => {
  let sum = 0;
  for (let i = start; i < start + n; i++) sum += v[i]!;
  return sum / n;
});
export const GlobalMaxPool = global((v, start, n) => {
  let top = -Infinity;
  for (let i = start; i < start + n; i++) top = Math.max(top, v[i]!);
  return top;
});

export const GlobalLpPool = global((v, start, n, node) => {
  const p = getInt(node, "p", 2);
  let sum = 0;
  for (let i = start; i < start + n; i++) sum += Math.abs(v[i]!) ** p;
  return sum ** (1 / p);
});

export const LRN: Kernel = (inputs, node) => {
  const x = need(inputs, 0, node);
  const [size, alpha] = [getInt(node, "size", 1), getFloat(node, "alpha", 1e-4)];
  const [beta, bias] = [getFloat(node, "beta", 0.75), getFloat(node, "bias", 1)];
  const [n, c] = x.dims as [number, number];
  const inner = sizeOf(x.dims.slice(2));
  const source = numbers(x);
  const out = new Float64Array(source.length);
  for (let b = 0; b < n; b++) {
    for (let k = 0; k < c; k++) {
      const low = Math.max(0, k - Math.floor((size - 1) / 2));
      const high = Math.min(c - 1, k + Math.ceil((size - 1) / 2));
      for (let i = 0; i < inner; i++) {
        let sum = 0;
        for (let j = low; j <= high; j++) sum += source[(b * c + j) * inner + i]! ** 2;
        const at = (b * c + k) * inner + i;
        out[at] = source[at]! / (bias + (alpha / size) * sum) ** beta;
      }
    }
  }
  return [fromNumbers(x.dtype, x.dims, out)];
};
