import { getInt, getInts } from "../../ir/attributes.ts";
import { sizeOf } from "../../tensor/index.ts";
import { axisOf, fromNumbers, intsOf, need, numbers, stridesOf, walkOffsets, type Kernel } from "./value.ts";

/** A reduction from a function of the entries that fall together. */
const reduction =
  (f: (values: Float64Array) => number): Kernel =>
  (inputs, node) => {
    const x = need(inputs, 0, node);
    const given = intsOf(inputs[1]) ?? getInts(node, "axes"); // an attribute before opset 18
    const rank = x.dims.length;
    const none = given === null || given.length === 0;
    const idle = none && getInt(node, "noop_with_empty_axes", 0) !== 0;
    const axes = idle ? [] : none ? x.dims.map((_, i) => i) : given.map((a) => axisOf(a, rank, node));
    const strides = stridesOf(x.dims);
    const kept = x.dims.map((_, i) => i).filter((i) => !axes.includes(i));
    const starts = walkOffsets(
      kept.map((i) => x.dims[i]!),
      kept.map((i) => strides[i]!),
    );
    const reduced = [...axes].sort((a, b) => a - b);
    const offsets = walkOffsets(
      reduced.map((i) => x.dims[i]!),
      reduced.map((i) => strides[i]!),
    );
    const source = numbers(x);
    const group = new Float64Array(offsets.length);
    const out = new Float64Array(starts.length);
    for (let i = 0; i < out.length; i++) {
      for (let j = 0; j < group.length; j++) group[j] = source[starts[i]! + offsets[j]!]!;
      out[i] = f(group);
    }
    const keep = getInt(node, "keepdims", 1) !== 0;
    const dims = x.dims.flatMap((d, i) => (!axes.includes(i) ? [d] : keep ? [1] : []));
    return [fromNumbers(x.dtype, dims, out)];
  };

const sum = (values: Float64Array, f: (v: number) => number = (v) => v): number => {
  let total = 0;
  for (const v of values) total += f(v);
  return total;
};
const maximum = (values: Float64Array): number =>
  values.reduce((a, v) => (v > a || Number.isNaN(v) ? v : a), -Infinity);

export const ReduceSum = reduction((v) => sum(v));
export const ReduceMean = reduction((v) => sum(v) / v.length);
export const ReduceMax = reduction(maximum);
export const ReduceMin = reduction((v) => v.reduce((a, x) => (x < a || Number.isNaN(x) ? x : a), Infinity));
export const ReduceProd = reduction((v) => v.reduce((a, x) => a * x, 1));
export const ReduceL1 = reduction((v) => sum(v, Math.abs));
export const ReduceL2 = reduction((v) => Math.sqrt(sum(v, (x) => x * x)));
export const ReduceSumSquare = reduction((v) => sum(v, (x) => x * x));
export const ReduceLogSum = reduction((v) => Math.log(sum(v)));
export const ReduceLogSumExp = reduction((v) => {
  const top = maximum(v);
  return Number.isFinite(top) ? top + Math.log(sum(v, (x) => Math.exp(x - top))) : top;
});

/** Softmax and its logarithm along one axis. */
const soft =
  (log: boolean): Kernel =>
  (inputs, node) => {
    const x = need(inputs, 0, node);
    const axis = axisOf(getInt(node, "axis", -1), x.dims.length, node);
    const size = x.dims[axis]!;
    const inner = sizeOf(x.dims.slice(axis + 1));
    const source = numbers(x);
    const out = new Float64Array(source.length);
    for (let i = 0; i < source.length; i++) {
      if (Math.floor(i / inner) % size !== 0) continue;
      let top = -Infinity;
      for (let j = 0; j < size; j++) top = Math.max(top, source[i + j * inner]!);
      let total = 0;
      for (let j = 0; j < size; j++) total += Math.exp(source[i + j * inner]! - top);
      for (let j = 0; j < size; j++) {
        const shifted = source[i + j * inner]! - top;
        out[i + j * inner] = log ? shifted - Math.log(total) : Math.exp(shifted) / total;
      }
    }
    return [fromNumbers(x.dtype, x.dims, out)];
  };
export const Softmax = soft(false);
export const LogSoftmax = soft(true);
