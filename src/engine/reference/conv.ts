import { getInt, getInts, getString } from "../../ir/attributes.ts";
import type { Node } from "../../ir/graph.ts";
import { sizeOf } from "../../tensor/index.ts";
import { fail, floatsOf, fromNumbers, need, stridesOf, type Kernel, type Value } from "./value.ts";

export interface Window {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly begins: readonly number[];
  readonly ends: readonly number[];
  readonly out: readonly number[];
}

/** The window of a node over spatial sizes `sizes`, with automatic padding and output sizes worked out. */
export function windowOf(node: Node, sizes: readonly number[], kernel: readonly number[]): Window {
  const n = kernel.length;
  const strides = getInts(node, "strides") ?? kernel.map(() => 1);
  const dilations = getInts(node, "dilations") ?? kernel.map(() => 1);
  const pads = getInts(node, "pads") ?? Array.from({ length: 2 * n }, () => 0);
  const auto = getString(node, "auto_pad", "NOTSET");
  const ceil = getInt(node, "ceil_mode", 0) !== 0;
  if (sizes.length !== n || strides.length !== n || dilations.length !== n || pads.length !== 2 * n) {
    return fail(node, "kernel, strides, dilations and pads do not fit the input's rank");
  }
  const begins: number[] = [];
  const ends: number[] = [];
  const out: number[] = [];
  for (let i = 0; i < n; i++) {
    const span = (kernel[i]! - 1) * dilations[i]! + 1;
    const s = strides[i]!;
    if (auto === "SAME_UPPER" || auto === "SAME_LOWER") {
      out[i] = Math.ceil(sizes[i]! / s);
      const total = Math.max(0, (out[i]! - 1) * s + span - sizes[i]!);
      begins[i] = auto === "SAME_UPPER" ? Math.floor(total / 2) : Math.ceil(total / 2);
      ends[i] = total - begins[i]!;
      continue;
    }
    begins[i] = auto === "VALID" ? 0 : pads[i]!;
    ends[i] = auto === "VALID" ? 0 : pads[i + n]!;
    const room = (sizes[i]! + begins[i]! + ends[i]! - span) / s;
    out[i] = (ceil ? Math.ceil(room) : Math.floor(room)) + 1;
    if (ceil && (out[i]! - 1) * s >= sizes[i]! + begins[i]!) out[i]!--;
  }
  return { kernel, strides, dilations, begins, ends, out };
}

/**
 * Visits every (output position, kernel tap) whose input lies inside: flat indices of output, tap and input. Loops the
 * spatial axes one by one, so that nothing is stored.
 */
export function visit(w: Window, sizes: readonly number[], f: (out: number, tap: number, input: number) => void): void {
  const n = w.kernel.length;
  const [os, ks, is] = [stridesOf(w.out), stridesOf(w.kernel), stridesOf(sizes)];
  const descend = (d: number, o: number, t: number, i: number): void => {
    if (d === n) return f(o, t, i);
    for (let a = 0; a < w.out[d]!; a++) {
      for (let k = 0; k < w.kernel[d]!; k++) {
        const at = a * w.strides[d]! - w.begins[d]! + k * w.dilations[d]!;
        if (at >= 0 && at < sizes[d]!) descend(d + 1, o + a * os[d]!, t + k * ks[d]!, i + at * is[d]!);
      }
    }
  };
  descend(0, 0, 0, 0);
}

/** The list of all (output, tap, input) triples, computed once and used for every channel. */
function triples(w: Window, sizes: readonly number[]): Int32Array {
  const list: number[] = [];
  visit(w, sizes, (o, t, i) => list.push(o, t, i));
  return Int32Array.from(list);
}

export const Conv: Kernel = (inputs, node) => {
  const [x, w] = [need(inputs, 0, node), need(inputs, 1, node)];
  const group = getInt(node, "group", 1);
  const [n, c] = x.dims as [number, number];
  const [m, cg] = w.dims as [number, number];
  if (cg * group !== c) fail(node, `weights of shape [${w.dims}] do not fit an input of shape [${x.dims}]`);
  const sizes = x.dims.slice(2);
  const window = windowOf(node, sizes, w.dims.slice(2));
  const [inSize, outSize, taps] = [sizeOf(sizes), sizeOf(window.out), sizeOf(window.kernel)];
  const steps = triples(window, sizes);
  const [xs, ws, bias] = [floatsOf(x), floatsOf(w), inputs[2] == null ? null : floatsOf(inputs[2])];
  const out = new Float64Array(n * m * outSize);
  for (let b = 0; b < n; b++) {
    for (let k = 0; k < m; k++) {
      const to = (b * m + k) * outSize;
      if (bias !== null) out.fill(bias[k]!, to, to + outSize);
      const first = Math.floor(k / (m / group)) * cg;
      for (let l = 0; l < cg; l++) {
        const from = (b * c + first + l) * inSize;
        const kernel = (k * cg + l) * taps;
        for (let s = 0; s < steps.length; s += 3) {
          out[to + steps[s]!]! += ws[kernel + steps[s + 1]!]! * xs[from + steps[s + 2]!]!;
        }
      }
    }
  }
  return [fromNumbers(x.dtype, [n, m, ...window.out], out)];
};

/** Sizes of a transposed convolution: the window slides over its output. */
function transposedWindow(node: Node, x: Value, kernel: readonly number[]): { window: Window; sizes: number[] } {
  const input = x.dims.slice(2);
  const n = kernel.length;
  const strides = getInts(node, "strides") ?? kernel.map(() => 1);
  const dilations = getInts(node, "dilations") ?? kernel.map(() => 1);
  const extra = getInts(node, "output_padding") ?? kernel.map(() => 0);
  const pads = getInts(node, "pads") ?? Array.from({ length: 2 * n }, () => 0);
  const auto = getString(node, "auto_pad", "NOTSET");
  const full = input.map((s, i) => strides[i]! * (s - 1) + extra[i]! + (kernel[i]! - 1) * dilations[i]! + 1);
  const asked =
    getInts(node, "output_shape")?.slice(-n) ?? (auto.startsWith("SAME") ? input.map((s, i) => s * strides[i]!) : null);
  const begins = pads.slice(0, n);
  const ends = pads.slice(n);
  if (asked !== null) {
    for (let i = 0; i < n; i++) {
      const total = full[i]! - asked[i]!;
      begins[i] = auto === "SAME_UPPER" ? Math.floor(total / 2) : total - Math.floor(total / 2);
      ends[i] = total - begins[i]!;
    }
  }
  const sizes = full.map((f, i) => f - begins[i]! - ends[i]!);
  return { window: { kernel, strides, dilations, begins, ends, out: input }, sizes };
}

export const ConvTranspose: Kernel = (inputs, node) => {
  const [x, w] = [need(inputs, 0, node), need(inputs, 1, node)];
  const group = getInt(node, "group", 1);
  const [n, c] = x.dims as [number, number];
  const mg = w.dims[1]!;
  const m = mg * group;
  const { window, sizes } = transposedWindow(node, x, w.dims.slice(2));
  const [inSize, outSize, taps] = [sizeOf(window.out), sizeOf(sizes), sizeOf(window.kernel)];
  const steps = triples(window, sizes);
  const [xs, ws, bias] = [floatsOf(x), floatsOf(w), inputs[2] == null ? null : floatsOf(inputs[2])];
  const out = new Float64Array(n * m * outSize);
  for (let b = 0; b < n; b++) {
    if (bias !== null) for (let k = 0; k < m; k++) out.fill(bias[k]!, (b * m + k) * outSize, (b * m + k + 1) * outSize);
    for (let l = 0; l < c; l++) {
      const from = (b * c + l) * inSize;
      const first = Math.floor(l / (c / group)) * mg;
      for (let k = 0; k < mg; k++) {
        const to = (b * m + first + k) * outSize;
        const kernel = (l * mg + k) * taps;
        for (let s = 0; s < steps.length; s += 3) {
          out[to + steps[s + 2]!]! += ws[kernel + steps[s + 1]!]! * xs[from + steps[s]!]!;
        }
      }
    }
  }
  return [fromNumbers(x.dtype, [n, m, ...sizes], out)];
};
