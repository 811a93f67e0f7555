import { getInt, getString } from "../../ir/attributes.ts";
import { sizeOf } from "../../tensor/index.ts";
import {
  allocate,
  axisOf,
  fail,
  fromNumbers,
  need,
  numbers,
  stridesOf,
  take,
  value,
  type Kernel,
  type Value,
} from "./value.ts";
import type { Node } from "../../ir/graph.ts";

/** An index that may count from the end. */
const within = (i: number, size: number, node: Node): number => {
  const at = i < 0 ? i + size : i;
  return at >= 0 && at < size ? at : fail(node, `index ${i} is outside an axis of size ${size}`);
};

export const Gather: Kernel = (inputs, node) => {
  const [x, indices] = [need(inputs, 0, node), need(inputs, 1, node)];
  const axis = axisOf(getInt(node, "axis", 0), x.dims.length, node);
  const at = Array.from(numbers(indices), (i) => within(i, x.dims[axis]!, node));
  const inner = sizeOf(x.dims.slice(axis + 1));
  const outer = sizeOf(x.dims.slice(0, axis));
  const from = new Float64Array(outer * at.length * inner);
  let to = 0;
  for (let o = 0; o < outer; o++) {
    for (const i of at) for (let k = 0; k < inner; k++) from[to++] = (o * x.dims[axis]! + i) * inner + k;
  }
  return [take(x, [...x.dims.slice(0, axis), ...indices.dims, ...x.dims.slice(axis + 1)], from)];
};

/** For each entry of `indices`, the flat position in a value of shape `dims`. */
function elementPositions(dims: readonly number[], indices: Value, axis: number, node: Node): Float64Array {
  const own = stridesOf(dims);
  const strides = stridesOf(indices.dims);
  const source = numbers(indices);
  return Float64Array.from({ length: source.length }, (_, i) => {
    let at = 0;
    for (let d = 0; d < dims.length; d++) {
      const here = d === axis ? within(source[i]!, dims[d]!, node) : Math.floor(i / strides[d]!) % indices.dims[d]!;
      at += here * own[d]!;
    }
    return at;
  });
}
export const GatherElements: Kernel = (inputs, node) => {
  const [x, indices] = [need(inputs, 0, node), need(inputs, 1, node)];
  const axis = axisOf(getInt(node, "axis", 0), x.dims.length, node);
  return [take(x, indices.dims, elementPositions(x.dims, indices, axis, node))];
};

function combine(node: Node, x: Value, updates: Value, positions: ArrayLike<number>): Value {
  const how = getString(node, "reduction", "none");
  const out = x.data.slice() as Float64Array;
  const add = updates.data as Float64Array;
  for (let i = 0; i < positions.length; i++) {
    const at = positions[i]!;
    if (how === "none") out[at] = add[i]!;
    else if (how === "add") out[at]! += add[i]!;
    else if (how === "mul") out[at]! *= add[i]!;
    else if (how === "max") out[at] = add[i]! > out[at]! ? add[i]! : out[at]!;
    else out[at] = add[i]! < out[at]! ? add[i]! : out[at]!;
  }
  return value(x.dtype, x.dims, out);
}
export const ScatterElements: Kernel = (inputs, node) => {
  const [x, indices, updates] = [need(inputs, 0, node), need(inputs, 1, node), need(inputs, 2, node)];
  const axis = axisOf(getInt(node, "axis", 0), x.dims.length, node);
  return [combine(node, x, updates, elementPositions(x.dims, indices, axis, node))];
};

/** For each index tuple, the flat positions of the slice that it names. */
function tuplePositions(x: Value, indices: Value, batch: number, node: Node): { from: Float64Array; dims: number[] } {
  const width = indices.dims.at(-1)!;
  const tuples = numbers(indices);
  const own = stridesOf(x.dims);
  const rest = x.dims.slice(batch + width);
  const inner = sizeOf(rest);
  const n = indices.data.length / Math.max(width, 1);
  const perBatch = n / sizeOf(x.dims.slice(0, batch));
  const block = sizeOf(x.dims.slice(batch));
  const from = new Float64Array(n * inner);
  for (let t = 0; t < n; t++) {
    let at = batch === 0 ? 0 : Math.floor(t / perBatch) * block;
    for (let d = 0; d < width; d++) at += within(tuples[t * width + d]!, x.dims[batch + d]!, node) * own[batch + d]!;
    for (let k = 0; k < inner; k++) from[t * inner + k] = at + k;
  }
  return { from, dims: [...indices.dims.slice(0, -1), ...rest] };
}
export const GatherND: Kernel = (inputs, node) => {
  const x = need(inputs, 0, node);
  const { from, dims } = tuplePositions(x, need(inputs, 1, node), getInt(node, "batch_dims", 0), node);
  return [take(x, dims, from)];
};
export const ScatterND: Kernel = (inputs, node) => {
  const x = need(inputs, 0, node);
  return [combine(node, x, need(inputs, 2, node), tuplePositions(x, need(inputs, 1, node), 0, node).from)];
};

export const NonZero: Kernel = (inputs, node) => {
  const x = need(inputs, 0, node);
  const dims = x.dims.length === 0 ? [1] : x.dims;
  const hits = Array.from(numbers(x), (v, i) => (v !== 0 ? i : -1)).filter((i) => i >= 0);
  const strides = stridesOf(dims);
  return [
    fromNumbers(
      "int64",
      [dims.length, hits.length],
      strides.flatMap((s, d) => hits.map((h) => Math.floor(h / s) % dims[d]!)),
    ),
  ];
};

export const OneHot: Kernel = (inputs, node) => {
  const [indices, depthInput, pair] = [need(inputs, 0, node), need(inputs, 1, node), need(inputs, 2, node)];
  const depth = Number(depthInput.data[0]);
  const axis = axisOf(getInt(node, "axis", -1), indices.dims.length + 1, node);
  const dims = [...indices.dims.slice(0, axis), depth, ...indices.dims.slice(axis)];
  const inner = sizeOf(indices.dims.slice(axis));
  const data = allocate(pair.dtype, sizeOf(dims));
  for (let i = 0; i < data.length; i++) data[i] = pair.data[0]!;
  for (const [i, v] of Array.from(numbers(indices)).entries()) {
    const at = v < 0 ? v + depth : v;
    if (at >= 0 && at < depth) data[(Math.floor(i / inner) * depth + at) * inner + (i % inner)] = pair.data[1]!;
  }
  return [value(pair.dtype, dims, data)];
};

const argExtreme =
  (better: (a: number, b: number) => boolean): Kernel =>
  (inputs, node) => {
    const x = need(inputs, 0, node);
    const axis = axisOf(getInt(node, "axis", 0), x.dims.length, node);
    const source = numbers(x);
    const size = x.dims[axis]!;
    const inner = sizeOf(x.dims.slice(axis + 1));
    const last = getInt(node, "select_last_index", 0) !== 0;
    const out: number[] = [];
    for (let o = 0; o < sizeOf(x.dims.slice(0, axis)); o++) {
      for (let k = 0; k < inner; k++) {
        let best = 0;
        const at = (j: number): number => source[(o * size + j) * inner + k]!;
        for (let j = 1; j < size; j++) if (better(at(j), at(best)) || (last && at(j) === at(best))) best = j;
        out.push(best);
      }
    }
    const keep = getInt(node, "keepdims", 1) !== 0;
    return [
      fromNumbers(
        "int64",
        x.dims.flatMap((d, i) => (i !== axis ? [d] : keep ? [1] : [])),
        out,
      ),
    ];
  };
export const ArgMax = argExtreme((a, b) => a > b);
export const ArgMin = argExtreme((a, b) => a < b);

/** The k largest or smallest along an axis; equal ones by their position. */
export const TopK: Kernel = (inputs, node) => {
  const x = need(inputs, 0, node);
  const k = Number(need(inputs, 1, node).data[0]);
  const axis = axisOf(getInt(node, "axis", -1), x.dims.length, node);
  const sign = getInt(node, "largest", 1) !== 0 ? -1 : 1;
  const size = x.dims[axis]!;
  if (k < 0 || k > size) fail(node, `k = ${k} of an axis of size ${size}`);
  const inner = sizeOf(x.dims.slice(axis + 1));
  const source = numbers(x);
  const dims = x.dims.map((d, i) => (i === axis ? k : d));
  const from = new Float64Array(sizeOf(dims));
  for (let o = 0; o < sizeOf(x.dims.slice(0, axis)); o++) {
    for (let c = 0; c < inner; c++) {
      const at = (j: number): number => (o * size + j) * inner + c;
      const order = Array.from({ length: size }, (_, j) => j).toSorted(
        (a, b) => sign * (source[at(a)]! - source[at(b)]!) || a - b,
      );
      for (let j = 0; j < k; j++) from[(o * k + j) * inner + c] = at(order[j]!);
    }
  }
  const indices = from.map((f) => Math.floor(f / inner) % size);
  return [take(x, dims, from), fromNumbers("int64", dims, indices)];
};
