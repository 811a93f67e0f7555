import { getInt, getInts, getString } from "../../ir/attributes.ts";
import { knownSizes, refuse, type GradientContext } from "../context.ts";

/** The sliding window of a convolution or pooling: one entry per spatial axis. */
export interface Window {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly begins: readonly number[];
  readonly ends: readonly number[];
}

/**
 * Reads the window of a node that slides over `x`, with automatic padding worked out (which needs the sizes of `x`,
 * but for stride 1).
 */
export function readWindow(cx: GradientContext, kernel: readonly number[], x: string): Window {
  const { node } = cx;
  const n = kernel.length;
  const strides = getInts(node, "strides") ?? kernel.map(() => 1);
  const dilations = getInts(node, "dilations") ?? kernel.map(() => 1);
  const auto = getString(node, "auto_pad", "NOTSET");
  const pads = getInts(node, "pads") ?? Array.from({ length: 2 * n }, () => 0);
  if (strides.length !== n || dilations.length !== n || pads.length !== 2 * n) {
    return refuse(cx, `strides, dilations and pads must fit the ${n} axes of the kernel`);
  }
  if (auto === "VALID") return { kernel, strides, dilations, begins: kernel.map(() => 0), ends: kernel.map(() => 0) };
  if (auto === "NOTSET" || auto === "") {
    return { kernel, strides, dilations, begins: pads.slice(0, n), ends: pads.slice(n) };
  }
  const sizes = knownSizes(cx, x, 2);
  const totals = kernel.map((k, i) => {
    const span = (k - 1) * dilations[i]!;
    if (strides[i] === 1) return span;
    if (sizes === null) return refuse(cx, `auto_pad ${auto} with strides needs the spatial sizes declared`);
    const out = Math.ceil(sizes[i]! / strides[i]!);
    return Math.max(0, (out - 1) * strides[i]! + span + 1 - sizes[i]!);
  });
  const small = totals.map((t) => Math.floor(t / 2));
  const large = totals.map((t, i) => t - small[i]!);
  return auto === "SAME_UPPER"
    ? { kernel, strides, dilations, begins: small, ends: large }
    : { kernel, strides, dilations, begins: large, ends: small };
}

/** The kernel's spatial sizes, from the attribute or from the weights. */
export function kernelOf(cx: GradientContext, weights: string | undefined): number[] {
  const known = getInts(cx.node, "kernel_shape") ?? (weights === undefined ? null : knownSizes(cx, weights, 2));
  return known ?? refuse(cx, "the kernel's shape is not known before the run");
}

export const groupOf = (cx: GradientContext): number => getInt(cx.node, "group", 1);

export const all = (values: readonly number[], value: number): boolean => values.every((v) => v === value);
