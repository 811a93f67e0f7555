import { getInt, getInts, toNumber } from "../../ir/attributes.ts";
import { sizeOf } from "../../tensor/index.ts";
import { visit, windowOf } from "./conv.ts";
import { axisOf, fail, floatsOf, fromNumbers, intsOf, need, numbers, stridesOf, take, type Kernel } from "./value.ts";

export const ReverseSequence: Kernel = (inputs, node) => {
  const x = need(inputs, 0, node);
  const lengths = intsOf(need(inputs, 1, node))!;
  const [batch, time] = [getInt(node, "batch_axis", 1), getInt(node, "time_axis", 0)];
  const strides = stridesOf(x.dims);
  const from = Float64Array.from({ length: x.data.length }, (_, i) => {
    const t = Math.floor(i / strides[time]!) % x.dims[time]!;
    const n = lengths[Math.floor(i / strides[batch]!) % x.dims[batch]!]!;
    return t < n ? i + (n - 1 - 2 * t) * strides[time]! : i;
  });
  return [take(x, x.dims, from)];
};

export const Compress: Kernel = (inputs, node) => {
  const [x, condition] = [need(inputs, 0, node), need(inputs, 1, node)];
  const chosen = Array.from(numbers(condition), (v, i) => (v !== 0 ? i : -1)).filter((i) => i >= 0);
  const given = node.attributes["axis"];
  if (given?.type !== "int") return [take(x, [chosen.length], chosen)];
  const axis = axisOf(toNumber(given.value), x.dims.length, node);
  const inner = sizeOf(x.dims.slice(axis + 1));
  const from: number[] = [];
  for (let o = 0; o < sizeOf(x.dims.slice(0, axis)); o++) {
    for (const i of chosen) for (let k = 0; k < inner; k++) from.push((o * x.dims[axis]! + i) * inner + k);
  }
  return [
    take(
      x,
      x.dims.map((d, i) => (i === axis ? chosen.length : d)),
      from,
    ),
  ];
};

/** Cut or padded with zeros around the centre; where that is uneven, the beginning gets less. */
export const CenterCropPad: Kernel = (inputs, node) => {
  const x = need(inputs, 0, node);
  const sizes = intsOf(need(inputs, 1, node))!;
  const axes = (getInts(node, "axes") ?? x.dims.map((_, i) => i)).map((a) => axisOf(a, x.dims.length, node));
  const dims = [...x.dims];
  const start = x.dims.map(() => 0);
  for (const [i, a] of axes.entries()) {
    dims[a] = sizes[i]!;
    const more = x.dims[a]! - sizes[i]!;
    start[a] = more >= 0 ? Math.floor(more / 2) : -Math.floor(-more / 2);
  }
  const [own, made] = [stridesOf(x.dims), stridesOf(dims)];
  const from = Float64Array.from({ length: sizeOf(dims) }, (_, i) => {
    let at = 0;
    for (let a = 0; a < dims.length; a++) {
      const here = (Math.floor(i / made[a]!) % dims[a]!) + start[a]!;
      if (here < 0 || here >= x.dims[a]!) return -1;
      at += here * own[a]!;
    }
    return at;
  });
  return [take(x, dims, from)];
};

/** Columns [N, C·K, L] added up into images [N, C, …]. */
export const Col2Im: Kernel = (inputs, node) => {
  const x = need(inputs, 0, node);
  const image = intsOf(need(inputs, 1, node))!;
  const block = intsOf(need(inputs, 2, node))!;
  const w = windowOf(node, image, block);
  const taps = sizeOf(block);
  const [n, rows, length] = x.dims as [number, number, number];
  if (rows % taps !== 0 || sizeOf(w.out) !== length) fail(node, "its columns do not fit the blocks");
  const channels = rows / taps;
  const inside = sizeOf(image);
  const source = floatsOf(x);
  const out = new Float64Array(n * channels * inside);
  for (let c = 0; c < n * channels; c++) {
    visit(w, image, (o, tap, i) => {
      out[c * inside + i]! += source[(c * taps + tap) * length + o]!;
    });
  }
  return [fromNumbers(x.dtype, [n, channels, ...image], out)];
};
