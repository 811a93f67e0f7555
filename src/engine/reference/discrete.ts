import { getInt, toNumber } from "../../ir/attributes.ts";
import { getString } from "../../ir/attributes.ts";
import type { Node } from "../../ir/graph.ts";
import { dtypeByCode } from "../../ir/tensor-codec.ts";
import { sizeOf } from "../../tensor/index.ts";
import {
  allocate,
  axisOf,
  broadcastDims,
  broadcastOffsets,
  fail,
  floatsOf,
  fromNumbers,
  need,
  numbers,
  stridesOf,
  take,
  value,
  type Kernel,
} from "./value.ts";

/** An operator on the bits of two whole numbers, which broadcast. */
const bits =
  (f: (a: bigint, b: bigint, node: Node) => bigint): Kernel =>
  (inputs, node) => {
    const [a, b] = [need(inputs, 0, node), need(inputs, 1, node)];
    const dims = broadcastDims(node, a.dims, b.dims);
    const [oa, ob] = [broadcastOffsets(a.dims, dims), broadcastOffsets(b.dims, dims)];
    const out = allocate(a.dtype, sizeOf(dims));
    for (let i = 0; i < out.length; i++) {
      const whole = f(BigInt(a.data[oa?.[i] ?? i] as number), BigInt(b.data[ob?.[i] ?? i] as number), node);
      out[i] = typeof out[i] === "bigint" ? whole : Number(whole);
    }
    return [value(a.dtype, dims, out)];
  };
export const BitwiseAnd: Kernel = bits((a, b) => a & b);
export const BitwiseOr: Kernel = bits((a, b) => a | b);
export const BitwiseXor: Kernel = bits((a, b) => a ^ b);
export const BitShift: Kernel = bits((a, b, node) => (getString(node, "direction", "") === "LEFT" ? a << b : a >> b));
export const BitwiseNot: Kernel = (inputs, node) => {
  const x = need(inputs, 0, node);
  const out = allocate(x.dtype, x.data.length);
  for (let i = 0; i < out.length; i++) {
    const whole = ~BigInt(x.data[i] as number);
    out[i] = typeof out[i] === "bigint" ? whole : Number(whole);
  }
  return [value(x.dtype, x.dims, out)];
};

export const EyeLike: Kernel = (inputs, node) => {
  const x = need(inputs, 0, node);
  const asked = node.attributes["dtype"];
  const dtype = asked?.type === "int" ? dtypeByCode[toNumber(asked.value)] : x.dtype;
  if (dtype == null || x.dims.length !== 2) return fail(node, `a value of shape [${x.dims}]; expected two axes`);
  const [columns, k] = [x.dims[1]!, getInt(node, "k", 0)];
  const out = Float64Array.from({ length: sizeOf(x.dims) }, (_, i) =>
    i % columns === Math.floor(i / columns) + k ? 1 : 0,
  );
  return [fromNumbers(dtype, x.dims, out)];
};

/** 1 at the first largest entry along an axis. */
export const Hardmax: Kernel = (inputs, node) => {
  const x = need(inputs, 0, node);
  const axis = axisOf(getInt(node, "axis", -1), x.dims.length, node);
  const values = floatsOf(x);
  const out = new Float64Array(values.length);
  const [step, size] = [stridesOf(x.dims)[axis]!, x.dims[axis]!];
  for (let k = 0; k < values.length; k++) {
    if (Math.floor(k / step) % size !== 0) continue;
    let best = k;
    for (let j = 1; j < size; j++) if (values[k + j * step]! > values[best]!) best = k + j * step;
    out[best] = 1;
  }
  return [fromNumbers(x.dtype, x.dims, out)];
};

/** The entries (or slices) that differ, with where each was first, which one each is, and how often each occurs. */
export const Unique: Kernel = (inputs, node) => {
  const x = need(inputs, 0, node);
  const given = node.attributes["axis"];
  const axis = given?.type === "int" ? axisOf(toNumber(given.value), x.dims.length, node) : null;
  const count = axis === null ? x.data.length : x.dims[axis]!;
  const inner = axis === null ? 1 : sizeOf(x.dims.slice(axis + 1));
  const outer = axis === null ? 1 : sizeOf(x.dims.slice(0, axis));
  const slice = (i: number): number[] =>
    Array.from({ length: outer * inner }, (_, k) => (Math.floor(k / inner) * count + i) * inner + (k % inner));
  const compare = (i: number, j: number): number => {
    const b = slice(j);
    for (const [k, p] of slice(i).entries()) {
      const [v, w] = [x.data[p]!, x.data[b[k]!]!];
      if (v !== w) return v < w ? -1 : 1;
    }
    return 0;
  };
  const firsts: number[] = [];
  const which: number[] = [];
  for (let i = 0; i < count; i++) {
    const known = firsts.findIndex((f) => compare(f, i) === 0);
    which.push(known < 0 ? firsts.push(i) - 1 : known);
  }
  const order = firsts.map((_, i) => i);
  if (getInt(node, "sorted", 1) !== 0) order.sort((a, b) => compare(firsts[a]!, firsts[b]!));
  const rank = order.map((_, i) => order.indexOf(i));
  const chosen = order.map((i) => firsts[i]!);
  const dims = axis === null ? [chosen.length] : x.dims.map((d, a) => (a === axis ? chosen.length : d));
  const from: number[] = [];
  for (let o = 0; o < outer; o++)
    for (const i of chosen) for (let k = 0; k < inner; k++) from.push((o * count + i) * inner + k);
  const list = (v: readonly number[]) => fromNumbers("int64", [v.length], v);
  const counts = order.map((i) => which.filter((w) => w === i).length);
  return [take(x, dims, from), list(chosen), list(which.map((w) => rank[w]!)), list(counts)];
};

/** The determinant of each matrix, by elimination with pivots. */
export const Det: Kernel = (inputs, node) => {
  const x = need(inputs, 0, node);
  const n = x.dims.at(-1)!;
  if (x.dims.length < 2 || x.dims.at(-2) !== n)
    return fail(node, `matrices of shape [${x.dims}]; expected square ones`);
  const values = numbers(x);
  const batch = x.dims.slice(0, -2);
  const out = Float64Array.from({ length: sizeOf(batch) }, (_, b) => {
    const m = Array.from({ length: n }, (_v, i) =>
      Float64Array.from({ length: n }, (_w, j) => values[(b * n + i) * n + j]!),
    );
    let det = 1;
    for (let i = 0; i < n; i++) {
      const pivot = m.reduce((best, row, r) => (r >= i && Math.abs(row[i]!) > Math.abs(m[best]![i]!) ? r : best), i);
      if (m[pivot]![i] === 0) return 0;
      if (pivot !== i) {
        [m[i], m[pivot]] = [m[pivot]!, m[i]!];
        det = -det;
      }
      det *= m[i]![i]!;
      for (let r = i + 1; r < n; r++) {
        const f = m[r]![i]! / m[i]![i]!;
        for (let j = i; j < n; j++) m[r]![j]! -= f * m[i]![j]!;
      }
    }
    return det;
  });
  return [fromNumbers(x.dtype, batch, out)];
};
