import { getFloat, getInt, getInts } from "../../ir/attributes.ts";
import { sizeOf } from "../../tensor/index.ts";
import {
  axisOf,
  broadcastOffsets,
  fail,
  floatsOf,
  fromNumbers,
  need,
  numbers,
  stridesOf,
  type Kernel,
} from "./value.ts";

export const BatchNormalization: Kernel = (inputs, node) => {
  if (getInt(node, "training_mode", 0) !== 0) return fail(node, "training mode");
  const [x, scale, bias, mean, variance] = [0, 1, 2, 3, 4].map((i) => need(inputs, i, node));
  const eps = getFloat(node, "epsilon", 1e-5);
  const inner = sizeOf(x!.dims.slice(2));
  const c = x!.dims[1] ?? 1;
  const [s, b, m, v] = [scale, bias, mean, variance].map((p) => floatsOf(p!)) as Float64Array[];
  const out = Float64Array.from(numbers(x!), (value, i) => {
    const k = Math.floor(i / inner) % c;
    return (s![k]! * (value - m![k]!)) / Math.sqrt(v![k]! + eps) + b![k]!;
  });
  return [fromNumbers(x!.dtype, x!.dims, out)];
};

/** Mean and 1/√(variance + eps) of consecutive runs of `n` entries. */
function moments(source: ArrayLike<number>, n: number, eps: number): { mean: Float64Array; inverse: Float64Array } {
  const runs = n === 0 ? 0 : source.length / n;
  const mean = new Float64Array(runs);
  const inverse = new Float64Array(runs);
  for (let r = 0; r < runs; r++) {
    let sum = 0;
    for (let i = 0; i < n; i++) sum += source[r * n + i]!;
    mean[r] = sum / n;
    let square = 0;
    for (let i = 0; i < n; i++) square += (source[r * n + i]! - mean[r]!) ** 2;
    inverse[r] = 1 / Math.sqrt(square / n + eps);
  }
  return { mean, inverse };
}

export const LayerNormalization: Kernel = (inputs, node) => {
  const [x, scale] = [need(inputs, 0, node), need(inputs, 1, node)];
  const axis = axisOf(getInt(node, "axis", -1), x.dims.length, node);
  const n = sizeOf(x.dims.slice(axis));
  const source = numbers(x);
  const { mean, inverse } = moments(source, n, getFloat(node, "epsilon", 1e-5));
  const s = floatsOf(scale);
  const so = broadcastOffsets(scale.dims, x.dims);
  const b = inputs[2] == null ? null : floatsOf(inputs[2]);
  const bo = inputs[2] == null ? null : broadcastOffsets(inputs[2].dims, x.dims);
  const out = Float64Array.from(source, (v, i) => {
    const r = Math.floor(i / n);
    return (v - mean[r]!) * inverse[r]! * s[so ? so[i]! : i]! + (b === null ? 0 : b[bo ? bo[i]! : i]!);
  });
  const dims = x.dims.map((d, i) => (i < axis ? d : 1));
  return [fromNumbers(x.dtype, x.dims, out), fromNumbers("float32", dims, mean), fromNumbers("float32", dims, inverse)];
};

export const InstanceNormalization: Kernel = (inputs, node) => {
  const [x, scale, bias] = [need(inputs, 0, node), need(inputs, 1, node), need(inputs, 2, node)];
  const n = sizeOf(x.dims.slice(2));
  const source = numbers(x);
  const { mean, inverse } = moments(source, n, getFloat(node, "epsilon", 1e-5));
  const [s, b] = [floatsOf(scale), floatsOf(bias)];
  const out = Float64Array.from(source, (v, i) => {
    const r = Math.floor(i / n);
    const c = r % x.dims[1]!;
    return (v - mean[r]!) * inverse[r]! * s[c]! + b[c]!;
  });
  return [fromNumbers(x.dtype, x.dims, out)];
};

export const LpNormalization: Kernel = (inputs, node) => {
  const x = need(inputs, 0, node);
  const axis = axisOf(getInt(node, "axis", -1), x.dims.length, node);
  const inner = sizeOf(x.dims.slice(axis + 1));
  const size = x.dims[axis]!;
  const p = getInt(node, "p", 2);
  const source = numbers(x);
  const out = new Float64Array(source.length);
  for (let i = 0; i < source.length; i++) {
    if (Math.floor(i / inner) % size !== 0) continue;
    let sum = 0;
    for (let j = 0; j < size; j++) sum += Math.abs(source[i + j * inner]!) ** p;
    const norm = sum ** (1 / p);
    for (let j = 0; j < size; j++) out[i + j * inner] = norm === 0 ? 0 : source[i + j * inner]! / norm;
  }
  return [fromNumbers(x.dtype, x.dims, out)];
};

export const GroupNormalization: Kernel = (inputs, node, opset) => {
  const [x, scale, bias] = [need(inputs, 0, node), need(inputs, 1, node), need(inputs, 2, node)];
  const groups = getInt(node, "num_groups", 1);
  const n = x.data.length / (x.dims[0]! * groups);
  const { mean, inverse } = moments(numbers(x), n, getFloat(node, "epsilon", 1e-5));
  const [s, b] = [floatsOf(scale), floatsOf(bias)];
  const [channels, inner] = [x.dims[1]!, sizeOf(x.dims.slice(2))];
  const out = Float64Array.from(numbers(x), (v, i) => {
    const r = Math.floor(i / n);
    const c = opset < 21 ? r % groups : Math.floor(i / inner) % channels;
    return (v - mean[r]!) * inverse[r]! * s[c]! + b[c]!;
  });
  return [fromNumbers(x.dtype, x.dims, out)];
};

export const RMSNormalization: Kernel = (inputs, node) => {
  const [x, scale] = [need(inputs, 0, node), need(inputs, 1, node)];
  const n = sizeOf(x.dims.slice(axisOf(getInt(node, "axis", -1), x.dims.length, node)));
  const source = numbers(x);
  const offsets = broadcastOffsets(scale.dims, x.dims);
  const s = floatsOf(scale);
  const eps = getFloat(node, "epsilon", 1e-5);
  const norms = Float64Array.from({ length: source.length / n }, (_, r) => {
    let sum = 0;
    for (let i = 0; i < n; i++) sum += source[r * n + i]! ** 2;
    return Math.sqrt(sum / n + eps);
  });
  const out = Float64Array.from(source, (v, i) => (v / norms[Math.floor(i / n)]!) * s[offsets ? offsets[i]! : i]!);
  return [fromNumbers(x.dtype, x.dims, out)];
};

export const MeanVarianceNormalization: Kernel = (inputs, node) => {
  const x = need(inputs, 0, node);
  const axes = (getInts(node, "axes") ?? [0, 2, 3]).map((a) => axisOf(a, x.dims.length, node));
  const source = numbers(x);
  const strides = stridesOf(x.dims);
  const groupOf = (i: number): string =>
    x.dims.map((d, a) => (axes.includes(a) ? 0 : Math.floor(i / strides[a]!) % d)).join();
  const sums = new Map<string, { n: number; sum: number; square: number }>();
  for (let i = 0; i < source.length; i++) {
    const key = groupOf(i);
    const s = sums.get(key) ?? { n: 0, sum: 0, square: 0 };
    sums.set(key, { n: s.n + 1, sum: s.sum + source[i]!, square: s.square + source[i]! ** 2 });
  }
  const out = Float64Array.from(source, (v, i) => {
    const { n, sum, square } = sums.get(groupOf(i))!;
    return (v - sum / n) / (Math.sqrt(Math.max(0, square / n - (sum / n) ** 2)) + 1e-9);
  });
  return [fromNumbers(x.dtype, x.dims, out)];
};
