import { getFloats, getInt, getInts, getString, getTensor } from "../../ir/attributes.ts";
import { float32, int64, sizeOf } from "../../tensor/index.ts";
import {
  allocate,
  axisOf,
  broadcastDims,
  broadcastOffsets,
  fail,
  fromNumbers,
  fromTensor,
  intsOf,
  need,
  numbers,
  stridesOf,
  take,
  value,
  walkOffsets,
  type Kernel,
  type Value,
} from "./value.ts";

const ints = (values: readonly number[]): Value => fromNumbers("int64", [values.length], values);

export const Identity: Kernel = (inputs, node) => [need(inputs, 0, node)];
export const Constant: Kernel = (_, node) => {
  const t = getTensor(node, "value");
  if (t !== null) return [fromTensor(t)];
  const a = node.attributes["value_int"];
  if (a?.type === "int") return [fromTensor(int64([], [a.value]))];
  const many = getInts(node, "value_ints");
  if (many !== null) return [ints(many)];
  const f = node.attributes["value_float"];
  if (f?.type === "float") return [fromTensor(float32([], [f.value]))];
  const fs = getFloats(node, "value_floats");
  return fs === null ? fail(node, "this kind of constant") : [fromTensor(float32([fs.length], fs))];
};
export const Shape: Kernel = (inputs, node) => {
  const { dims } = need(inputs, 0, node);
  return [ints(dims.slice(getInt(node, "start", 0), getInt(node, "end", dims.length)))];
};
export const Size: Kernel = (inputs, node) => [fromNumbers("int64", [], [sizeOf(need(inputs, 0, node).dims)])];
export const ConstantOfShape: Kernel = (inputs, node) => {
  const dims = intsOf(need(inputs, 0, node))!;
  const filler = fromTensor(getTensor(node, "value") ?? float32([1], [0]));
  const data = allocate(filler.dtype, sizeOf(dims));
  (data as Float64Array).fill(filler.data[0] as number);
  return [value(filler.dtype, dims, data)];
};
export const Range: Kernel = (inputs, node) => {
  const [start, limit, delta] = [0, 1, 2].map((i) => Number(need(inputs, i, node).data[0])) as [number, number, number];
  const n = Math.max(0, Math.ceil((limit - start) / delta));
  allocate("bool", n === Infinity || Number.isNaN(n) ? Infinity : n);
  return [
    fromNumbers(
      inputs[0]!.dtype,
      [n],
      Array.from({ length: n }, (_, i) => start + i * delta),
    ),
  ];
};

export const Reshape: Kernel = (inputs, node) => {
  const x = need(inputs, 0, node);
  const asked = intsOf(need(inputs, 1, node))!;
  const keepZero = getInt(node, "allowzero", 0) !== 0;
  const dims = asked.map((d, i) => (d === 0 && !keepZero ? (x.dims[i] ?? fail(node, "0 beyond the input's rank")) : d));
  const open = dims.indexOf(-1);
  if (open >= 0) {
    const rest = dims.reduce((p, d, i) => (i === open ? p : p * d), 1);
    dims[open] = rest === 0 ? 0 : sizeOf(x.dims) / rest;
  }
  if (sizeOf(dims) !== sizeOf(x.dims)) fail(node, `shape [${x.dims}] does not become [${asked}]`);
  return [value(x.dtype, dims, x.data)];
};
export const Flatten: Kernel = (inputs, node) => {
  const x = need(inputs, 0, node);
  const axis = getInt(node, "axis", 1);
  const at = axis < 0 ? axis + x.dims.length : axis;
  return [value(x.dtype, [sizeOf(x.dims.slice(0, at)), sizeOf(x.dims.slice(at))], x.data)];
};
export const Squeeze: Kernel = (inputs, node) => {
  const x = need(inputs, 0, node);
  const axes = intsOf(inputs[1])?.map((a) => axisOf(a, x.dims.length, node));
  return [
    value(
      x.dtype,
      x.dims.filter((d, i) => (axes === undefined ? d !== 1 : !axes.includes(i))),
      x.data,
    ),
  ];
};
export const Unsqueeze: Kernel = (inputs, node) => {
  const x = need(inputs, 0, node);
  const given = intsOf(need(inputs, 1, node))!;
  const rank = x.dims.length + given.length;
  const axes = given.map((a) => axisOf(a, rank, node));
  const rest = [...x.dims];
  return [
    value(
      x.dtype,
      Array.from({ length: rank }, (_, i) => (axes.includes(i) ? 1 : rest.shift()!)),
      x.data,
    ),
  ];
};
export const Transpose: Kernel = (inputs, node) => {
  const x = need(inputs, 0, node);
  const perm = getInts(node, "perm") ?? x.dims.map((_, i) => x.dims.length - 1 - i);
  const strides = stridesOf(x.dims);
  const dims = perm.map((p) => x.dims[p]!);
  return [
    take(
      x,
      dims,
      walkOffsets(
        dims,
        perm.map((p) => strides[p]!),
      ),
    ),
  ];
};
export const Concat: Kernel = (inputs, node) => {
  const parts = inputs.map((_, i) => need(inputs, i, node));
  const axis = axisOf(getInt(node, "axis", 0), parts[0]!.dims.length, node);
  const total = parts.reduce((n, p) => n + p.dims[axis]!, 0);
  const dims = parts[0]!.dims.map((d, i) => (i === axis ? total : d));
  const outer = sizeOf(dims.slice(0, axis));
  const data = allocate(parts[0]!.dtype, sizeOf(dims));
  let to = 0;
  for (let o = 0; o < outer; o++) {
    for (const p of parts) {
      const n = sizeOf(p.dims.slice(axis));
      for (let i = 0; i < n; i++) data[to++] = p.data[o * n + i]!;
    }
  }
  return [value(parts[0]!.dtype, dims, data)];
};
export const Split: Kernel = (inputs, node) => {
  const x = need(inputs, 0, node);
  const axis = axisOf(getInt(node, "axis", 0), x.dims.length, node);
  const n = getInt(node, "num_outputs", node.outputs.length);
  const size = x.dims[axis]!;
  const each = Math.ceil(size / n);
  const sizes = intsOf(inputs[1]) ?? Array.from({ length: n }, (_, i) => Math.min(each, size - each * i));
  const strides = stridesOf(x.dims);
  let start = 0;
  return sizes.map((s) => {
    const dims = x.dims.map((d, i) => (i === axis ? s : d));
    const part = take(x, dims, walkOffsets(dims, strides, start * strides[axis]!));
    start += s;
    return part;
  });
};
export const Slice: Kernel = (inputs, node) => {
  const x = need(inputs, 0, node);
  const starts = intsOf(need(inputs, 1, node))!;
  const ends = intsOf(need(inputs, 2, node))!;
  const axes = intsOf(inputs[3]) ?? starts.map((_, i) => i);
  const steps = intsOf(inputs[4]) ?? starts.map(() => 1);
  const own = stridesOf(x.dims);
  const dims = [...x.dims];
  const strides = [...own];
  let offset = 0;
  for (const [i, a] of axes.entries()) {
    const axis = axisOf(a, dims.length, node);
    const size = x.dims[axis]!;
    const step = steps[i]!;
    if (step === 0) fail(node, "a step of 0");
    const [low, high] = step > 0 ? [0, size] : [-1, size - 1];
    const bound = (v: number, least: number): number => Math.min(Math.max(v < 0 ? v + size : v, least), high);
    const start = bound(starts[i]!, step > 0 ? 0 : 0);
    const end = bound(ends[i]!, low);
    dims[axis] = Math.max(0, Math.ceil((end - start) / step));
    strides[axis] = own[axis]! * step;
    offset += start * own[axis]!;
  }
  return [take(x, dims, walkOffsets(dims, strides, offset))];
};
export const Pad: Kernel = (inputs, node) => {
  const x = need(inputs, 0, node);
  const pads = intsOf(need(inputs, 1, node))!;
  const axes = (intsOf(inputs[3]) ?? x.dims.map((_, i) => i)).map((a) => axisOf(a, x.dims.length, node));
  const mode = getString(node, "mode", "constant");
  const filler = inputs[2]?.data[0] ?? null;
  const before = x.dims.map(() => 0);
  const dims = [...x.dims];
  for (const [i, a] of axes.entries()) {
    before[a] = pads[i]!;
    dims[a] = x.dims[a]! + pads[i]! + pads[i + axes.length]!;
    if (dims[a] < 0) fail(node, "more is cut off than there is");
  }
  const strides = stridesOf(x.dims);
  const source = (at: number, size: number): number => {
    if (at >= 0 && at < size) return at;
    if (mode === "edge") return at < 0 ? 0 : size - 1;
    if (mode === "wrap") return ((at % size) + size) % size;
    if (mode !== "reflect") return -1;
    if (size === 1) return 0;
    const period = 2 * (size - 1);
    const m = ((at % period) + period) % period;
    return m < size ? m : period - m;
  };
  const tables = dims.map((d, a) =>
    Array.from({ length: d }, (_, i) => {
      const s = source(i - before[a]!, x.dims[a]!);
      return s < 0 ? -1 : s * strides[a]!;
    }),
  );
  let from = [0];
  for (const table of tables) from = from.flatMap((f) => table.map((t) => (f < 0 || t < 0 ? -1 : f + t)));
  const out = take(x, dims, from);
  if (mode === "constant" && filler !== null) for (const [i, f] of from.entries()) if (f < 0) out.data[i] = filler;
  return [out];
};
export const Expand: Kernel = (inputs, node) => {
  const x = need(inputs, 0, node);
  const dims = broadcastDims(node, x.dims, intsOf(need(inputs, 1, node))!);
  const offsets = broadcastOffsets(x.dims, dims);
  return [offsets === null ? x : take(x, dims, offsets)];
};
export const Tile: Kernel = (inputs, node) => {
  const x = need(inputs, 0, node);
  const repeats = intsOf(need(inputs, 1, node))!;
  const strides = stridesOf(x.dims);
  const dims = x.dims.map((d, i) => d * repeats[i]!);
  const wide = x.dims.flatMap((d, i) => [repeats[i]!, d]);
  return [
    take(
      x,
      dims,
      walkOffsets(
        wide,
        strides.flatMap((s) => [0, s]),
      ),
    ),
  ];
};

/** A value seen as `split` sizes, transposed, seen as `dims`. */
function regroup(x: Value, split: readonly number[], perm: readonly number[], dims: readonly number[]): Value {
  const strides = stridesOf(split);
  return take(
    x,
    dims,
    walkOffsets(
      perm.map((p) => split[p]!),
      perm.map((p) => strides[p]!),
    ),
  );
}
export const DepthToSpace: Kernel = (inputs, node) => {
  const x = need(inputs, 0, node);
  const [n, c, h, w] = x.dims as [number, number, number, number];
  const b = getInt(node, "blocksize", 1);
  const out = [n, c / (b * b), h * b, w * b];
  return getString(node, "mode", "DCR") === "CRD"
    ? [regroup(x, [n, out[1]!, b, b, h, w], [0, 1, 4, 2, 5, 3], out)]
    : [regroup(x, [n, b, b, out[1]!, h, w], [0, 3, 4, 1, 5, 2], out)];
};
export const SpaceToDepth: Kernel = (inputs, node) => {
  const x = need(inputs, 0, node);
  const [n, c, h, w] = x.dims as [number, number, number, number];
  const b = getInt(node, "blocksize", 1);
  return [regroup(x, [n, c, h / b, b, w / b, b], [0, 3, 5, 1, 2, 4], [n, c * b * b, h / b, w / b])];
};
export const Trilu: Kernel = (inputs, node) => {
  const x = need(inputs, 0, node);
  const k = Number(inputs[1]?.data[0] ?? 0);
  const upper = getInt(node, "upper", 1) !== 0;
  const [rows, columns] = x.dims.slice(-2) as [number, number];
  const from = Float64Array.from({ length: x.data.length }, (_, i) => {
    const row = Math.floor(i / columns) % rows;
    const beyond = (i % columns) - row - k;
    return (upper ? beyond >= 0 : beyond <= 0) ? i : -1;
  });
  return [take(x, x.dims, from)];
};
export const CumSum: Kernel = (inputs, node) => {
  const x = need(inputs, 0, node);
  const axis = axisOf(Number(need(inputs, 1, node).data[0]), x.dims.length, node);
  const source = numbers(x);
  const out = new Float64Array(source.length);
  const step = stridesOf(x.dims)[axis]!;
  const size = x.dims[axis]!;
  const exclusive = getInt(node, "exclusive", 0) !== 0;
  const reverse = getInt(node, "reverse", 0) !== 0;
  for (let i = 0; i < source.length; i++) {
    if (Math.floor(i / step) % size !== 0) continue;
    let sum = 0;
    for (let j = 0; j < size; j++) {
      const at = i + (reverse ? size - 1 - j : j) * step;
      if (exclusive) out[at] = sum;
      sum += source[at]!;
      if (!exclusive) out[at] = sum;
    }
  }
  return [fromNumbers(x.dtype, x.dims, out)];
};
