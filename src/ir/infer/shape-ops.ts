import { getFloats, getInt, getInts, getString, getTensor } from "../attributes.ts";
import type { Dim } from "../graph.ts";
import { dtypeAttribute, same } from "./elementwise.ts";
import {
  axesOf,
  axisOf,
  broadcast,
  known,
  MAX_CONTENT,
  MAX_RANK,
  nothing,
  numbersIn,
  numbersOf,
  productOf,
  quotientOf,
  type InferRule,
  type Site,
} from "./types.ts";

const unknowns = (rank: number): null[] => Array.from({ length: rank }, () => null);

/** Axes from an attribute (before opset 13) or from input `i`; undefined where neither is given. */
export function axesFrom(s: Site, i: number, name = "axes"): number[] | null | undefined {
  return getInts(s.node, name) ?? (s.has(i) ? numbersOf(s, i) : undefined);
}

/** A shape that is given as a value: its content, or unknown sizes of a known rank. */
function shapeValue(s: Site, i: number): readonly Dim[] | null {
  const { content, dims } = s.in(i);
  if (content !== undefined) return content;
  const n = dims?.length === 1 ? dims[0] : null;
  return typeof n === "number" && n <= MAX_RANK ? unknowns(n) : null;
}

const reshape: InferRule = (s) => {
  const x = s.in(0);
  const target = s.has(1) ? shapeValue(s, 1) : getInts(s.node, "shape");
  if (target === null) return [known(x.dtype, null)];
  const copies = getInt(s.node, "allowzero", 0) === 0;
  const dims: Dim[] = target.map((d, i) => (d === 0 && copies ? (x.dims?.[i] ?? null) : d));
  const at = dims.indexOf(-1);
  if (at >= 0) {
    const others = dims.filter((_, i) => i !== at);
    dims[at] = x.dims === null ? null : quotientOf(x.dims, others);
  }
  // A single size that the target leaves open follows from the number of elements; it cannot be -1 in a symbol.
  return [known(x.dtype, dims, x.content)];
};

const flatten: InferRule = (s) => {
  const { dtype, dims } = s.in(0);
  if (dims === null) return [known(dtype, unknowns(2))];
  const given = getInt(s.node, "axis", 1);
  const axis = given < 0 ? given + dims.length : given;
  return [known(dtype, [productOf(dims.slice(0, axis)), productOf(dims.slice(axis))])];
};

const squeeze: InferRule = (s) => {
  const { dtype, dims, content } = s.in(0);
  if (dims === null) return [known(dtype, null)];
  const axes = axesFrom(s, 1);
  if (axes === null || (axes === undefined && dims.some((d) => typeof d !== "number"))) return [known(dtype, null)];
  const gone = axes === undefined ? dims.flatMap((d, i) => (d === 1 ? [i] : [])) : axesOf(axes, dims.length);
  if (gone === null) return [known(dtype, null)];
  const kept = dims.filter((_, i) => !gone.includes(i));
  return [known(dtype, kept, content)];
};

const unsqueeze: InferRule = (s) => {
  const { dtype, dims, content } = s.in(0);
  const axes = axesFrom(s, 1);
  if (dims === null || axes === null || axes === undefined || dims.length + axes.length > MAX_RANK)
    return [known(dtype, null)];
  const rank = dims.length + axes.length;
  const added = axesOf(axes, rank);
  if (added === null || new Set(added).size !== axes.length) return [known(dtype, null)];
  let next = 0;
  const out = Array.from({ length: rank }, (_, i): Dim => (added.includes(i) ? 1 : dims[next++]!));
  return [known(dtype, out, content)];
};

const transpose: InferRule = (s) => {
  const { dtype, dims, content } = s.in(0);
  const perm = getInts(s.node, "perm");
  if (dims === null) return [known(dtype, perm === null || perm.length > MAX_RANK ? null : unknowns(perm.length))];
  if (perm === null) return [known(dtype, dims.toReversed(), dims.length < 2 ? content : undefined)];
  return [known(dtype, perm.length === dims.length ? perm.map((p) => dims[p] ?? null) : null)];
};

const concat: InferRule = (s) => {
  const parts = s.node.inputs.map((_, i) => s.in(i));
  const dtype = parts.find((p) => p.dtype !== null)?.dtype ?? null;
  const ranked = parts.find((p) => p.dims !== null)?.dims;
  if (ranked === undefined || ranked === null) return [known(dtype, null)];
  const axis = axisOf(getInt(s.node, "axis", 1), ranked.length);
  if (axis === null || parts.some((p) => p.dims !== null && p.dims.length !== ranked.length))
    return [known(dtype, null)];
  const dims = ranked.map((_, i): Dim => {
    const sizes = parts.map((p) => p.dims?.[i] ?? null);
    if (i !== axis) return sizes.find((d) => typeof d === "number") ?? sizes.find((d) => d !== null) ?? null;
    const filled = sizes.filter((d) => d !== 0);
    if (filled.length === 1) return filled[0]!;
    return filled.every((d) => typeof d === "number") ? filled.reduce((a, b) => a + b, 0) : null;
  });
  const content =
    ranked.length === 1 && parts.every((p) => p.content !== undefined) ? parts.flatMap((p) => p.content!) : undefined;
  return [known(dtype, dims, content)];
};

const unique: InferRule = (s) => {
  const { dtype, dims } = s.in(0);
  const axis =
    s.node.attributes["axis"] === undefined || dims === null ? null : axisOf(getInt(s.node, "axis", 0), dims.length);
  const flat = s.node.attributes["axis"] === undefined;
  const places = known("int64", [null]);
  return [known(dtype, flat ? [null] : (dims?.map((d, i) => (i === axis ? null : d)) ?? null)), places, places, places];
};

const split: InferRule = (s) => {
  const { dtype, dims, content } = s.in(0);
  const n = s.node.outputs.length;
  const each = (d: readonly Dim[] | null): ReturnType<InferRule> => s.node.outputs.map(() => known(dtype, d));
  if (dims === null) return each(null);
  const axis = axisOf(getInt(s.node, "axis", 0), dims.length);
  if (axis === null) return each(null);
  const sizes = getInts(s.node, "split") ?? (s.has(1) ? numbersOf(s, 1) : undefined);
  const total = dims[axis]!;
  let at = 0;
  return s.node.outputs.map((_, i) => {
    let size: Dim = null;
    if (sizes !== undefined) size = sizes?.[i] ?? null;
    else if (typeof total === "number") {
      const chunk = Math.ceil(total / n);
      size = Math.max(0, Math.min(chunk, total - i * chunk));
    }
    const from = at;
    if (typeof size === "number") at += size;
    else at = NaN;
    const piece =
      content !== undefined && dims.length === 1 && typeof size === "number" && !Number.isNaN(from)
        ? content.slice(from, from + size)
        : undefined;
    return known(
      dtype,
      dims.map((d, k) => (k === axis ? size : d)),
      piece,
    );
  });
};

/** How many elements Slice takes from an axis, and its clamped start (ONNX Slice-13). */
function sliceRange(size: number, start: number, end: number, step: number): { from: number; count: number } {
  const clamp = (v: number, low: number, high: number): number => Math.min(Math.max(v < 0 ? v + size : v, low), high);
  const from = step > 0 ? clamp(start, 0, size) : clamp(start, 0, size - 1);
  const to = step > 0 ? clamp(end, 0, size) : clamp(end, -1, size - 1);
  return { from, count: Math.max(0, Math.ceil((to - from) / step)) };
}

const slice: InferRule = (s) => {
  const { dtype, dims, content } = s.in(0);
  if (dims === null) return [known(dtype, null)];
  const starts = axesFrom(s, 1, "starts");
  const ends = axesFrom(s, 2, "ends");
  const axesGiven = axesFrom(s, 3);
  const stepsGiven = s.has(4) ? numbersOf(s, 4) : undefined;
  const count = starts?.length ?? ends?.length ?? axesGiven?.length;
  const axes =
    axesGiven === undefined
      ? count === undefined
        ? null
        : Array.from({ length: Math.min(count, dims.length) }, (_, i) => i)
      : axesGiven && axesOf(axesGiven, dims.length);
  if (axes === null) return [known(dtype, unknowns(dims.length))];
  const out: Dim[] = [...dims];
  let piece: Dim[] | undefined;
  axes.forEach((axis, i) => {
    const [size, start, end] = [dims[axis]!, starts?.[i], ends?.[i]];
    const step = stepsGiven === undefined ? 1 : stepsGiven?.[i];
    if (start === undefined || end === undefined || step === undefined || step === 0) out[axis] = null;
    else if (typeof size === "number") {
      const range = sliceRange(size, start, end, step);
      out[axis] = range.count;
      if (content !== undefined && dims.length === 1)
        piece = Array.from({ length: range.count }, (_, k) => content[range.from + k * step] ?? null);
    } else if (
      !(
        Math.abs(step) === 1 &&
        ((step > 0 && start === 0 && end >= 2 ** 31 - 1) || (step < 0 && start === -1 && end < -(2 ** 31) + 2))
      )
    ) {
      out[axis] = null;
    }
  });
  return [known(dtype, out, piece ?? (axes.length === 0 ? content : undefined))];
};

const gather: InferRule = (s) => {
  const [x, index] = [s.in(0), s.in(1)];
  if (x.dims === null || index.dims === null) return [known(x.dtype, null)];
  const axis = axisOf(getInt(s.node, "axis", 0), x.dims.length);
  if (axis === null) return [known(x.dtype, null)];
  const dims = [...x.dims.slice(0, axis), ...index.dims, ...x.dims.slice(axis + 1)];
  const n = x.content?.length ?? 0;
  const content =
    x.content !== undefined && x.dims.length === 1 && index.content !== undefined
      ? index.content.map((k) => (typeof k === "number" ? (x.content![k < 0 ? k + n : k] ?? null) : null))
      : undefined;
  return [known(x.dtype, dims, content)];
};

const gatherND: InferRule = (s) => {
  const [x, index] = [s.in(0), s.in(1)];
  const depth = index.dims?.at(-1);
  if (x.dims === null || index.dims === null || typeof depth !== "number") return [known(x.dtype, null)];
  return [known(x.dtype, [...index.dims.slice(0, -1), ...x.dims.slice(getInt(s.node, "batch_dims", 0) + depth)])];
};

const pad: InferRule = (s) => {
  const { dtype, dims } = s.in(0);
  if (dims === null) return [known(dtype, null)];
  const pads = axesFrom(s, 1, "pads");
  const axes = s.has(3) ? numbersOf(s, 3) : dims.map((_, i) => i);
  const at = axes && axesOf(axes, dims.length);
  if (!pads || !at || pads.length !== 2 * at.length) return [known(dtype, unknowns(dims.length))];
  const out = [...dims];
  at.forEach((axis, i) => {
    const [d, extra] = [dims[axis]!, pads[i]! + pads[i + at.length]!];
    out[axis] = extra === 0 ? d : typeof d === "number" ? d + extra : null;
  });
  return [known(dtype, out)];
};

const expand: InferRule = (s) => {
  const x = s.in(0);
  const target = shapeValue(s, 1);
  const one = x.content?.length === 1 && target?.length === 1 ? target[0] : null;
  const content =
    typeof one === "number" && one >= 1 && one <= MAX_CONTENT
      ? Array.from({ length: one }, () => x.content![0]!)
      : undefined;
  return [known(x.dtype, broadcast([x.dims, target]), content)];
};

const tile: InferRule = (s) => {
  const { dtype, dims } = s.in(0);
  const repeats = shapeValue(s, 1);
  return [known(dtype, dims?.map((d, i) => productOf([d, repeats?.[i] ?? null])) ?? null)];
};

const shape: InferRule = (s) => {
  const { dims } = s.in(0);
  if (dims === null) return [known("int64", [null])];
  const clamp = (v: number): number => Math.min(Math.max(v < 0 ? v + dims.length : v, 0), dims.length);
  const part = dims.slice(clamp(getInt(s.node, "start", 0)), clamp(getInt(s.node, "end", dims.length)));
  return [known("int64", [part.length], part)];
};

const size: InferRule = (s) => {
  const { dims } = s.in(0);
  return [known("int64", [], dims === null ? undefined : [productOf(dims)])];
};

const constantOfShape: InferRule = (s) => {
  const value = getTensor(s.node, "value");
  const dims = shapeValue(s, 0);
  const n = dims !== null && dims.length <= 1 ? (dims[0] ?? 1) : null;
  const fill = value === null ? 0 : value.dtype === "string" ? null : numbersIn(value)[0];
  const content =
    typeof n === "number" && n >= 0 && n <= MAX_CONTENT && typeof fill === "number"
      ? Array.from({ length: n }, () => fill)
      : undefined;
  return [known(value?.dtype ?? "float32", dims, content)];
};

const range: InferRule = (s) => {
  const [a, b, step] = [numbersOf(s, 0)?.[0], numbersOf(s, 1)?.[0], numbersOf(s, 2)?.[0]];
  const { dtype } = s.in(0);
  if (a === undefined || b === undefined || step === undefined || step === 0) {
    // Range(0, n, 1) has n elements.
    const n = s.in(1).content?.[0];
    return [known(dtype, [a === 0 && step === 1 && typeof n === "string" ? n : null])];
  }
  const n = Math.max(0, Math.ceil((b - a) / step));
  return [known(dtype, [n], n <= MAX_CONTENT ? Array.from({ length: n }, (_, i) => a + i * step) : undefined)];
};

/** Sizes after Resize, Upsample: from explicit sizes, or floor(size * scale). */
const resize: InferRule = (s) => {
  const { dtype, dims } = s.in(0);
  if (dims === null) return [known(dtype, null)];
  const upsample = s.node.op === "Upsample" || s.opset < 11;
  const scaleAt = upsample ? 1 : 2;
  const scales = getFloats(s.node, "scales") ?? (s.has(scaleAt) ? s.constant(scaleAt) : null);
  const factors = scales === null ? null : "data" in scales ? numbersIn(scales) : scales;
  const sizes = !upsample && s.has(3) ? s.in(3).content : undefined;
  const axes = axesOf(getInts(s.node, "axes") ?? dims.map((_, i) => i), dims.length);
  if (axes === null) return [known(dtype, unknowns(dims.length))];
  const plain = getString(s.node, "keep_aspect_ratio_policy", "stretch") === "stretch";
  const out = [...dims];
  axes.forEach((axis, i) => {
    const [d, f] = [dims[axis]!, factors?.[i]];
    if (sizes !== undefined) out[axis] = plain ? (sizes[i] ?? null) : null;
    else if (f === 1) out[axis] = d;
    else out[axis] = f !== undefined && f > 0 && typeof d === "number" ? Math.floor(d * f) : null;
  });
  return [known(dtype, out)];
};

const blocks =
  (toDepth: boolean): InferRule =>
  (s) => {
    const { dtype, dims } = s.in(0);
    const b = getInt(s.node, "blocksize", 1);
    if (dims?.length !== 4) return [known(dtype, unknowns(4))];
    const scaled = (d: Dim, up: number, down: number): Dim => (typeof d === "number" ? (d * up) / down : null);
    const [n, c, h, w] = dims as [Dim, Dim, Dim, Dim];
    const [up, down] = toDepth ? [b, 1] : [1, b];
    return [known(dtype, [n, scaled(c, up * up, down * down), scaled(h, down, up), scaled(w, down, up)])];
  };

const oneHot: InferRule = (s) => {
  const { dims } = s.in(0);
  const depth = s.in(1).content?.[0] ?? numbersOf(s, 1)?.[0] ?? null;
  if (dims === null) return [known(s.in(2).dtype, null)];
  const axis = axisOf(getInt(s.node, "axis", -1), dims.length + 1);
  return [known(s.in(2).dtype, axis === null ? null : dims.toSpliced(axis, 0, depth))];
};

export const shapeRules: readonly (readonly [string, InferRule])[] = [
  ["Reshape", reshape],
  ["Flatten", flatten],
  ["Squeeze", squeeze],
  ["Unsqueeze", unsqueeze],
  ["Transpose", transpose],
  ["Concat", concat],
  ["Split", split],
  ["Slice", slice],
  ["Gather", gather],
  ["GatherElements", (s) => [known(s.in(0).dtype, s.in(1).dims)]],
  ["GatherND", gatherND],
  ["Pad", pad],
  ["Expand", expand],
  ["Tile", tile],
  ["Shape", shape],
  ["Size", size],
  ["ConstantOfShape", constantOfShape],
  ["Range", range],
  ["Resize", resize],
  ["Upsample", resize],
  ["DepthToSpace", blocks(false)],
  ["SpaceToDepth", blocks(true)],
  ["OneHot", oneHot],
  ["NonZero", (s) => [known("int64", [s.in(0).dims?.length ?? null, null])]],
  [
    "Compress",
    (s) => [
      known(
        s.in(0).dtype,
        s.node.attributes["axis"] === undefined
          ? [null]
          : (s.in(0).dims?.map((d, i) => (i === axisOf(getInt(s.node, "axis", 0), s.in(0).dims!.length) ? null : d)) ??
              null),
      ),
    ],
  ],
  ["Unique", unique],
  ["NonMaxSuppression", () => [known("int64", [null, 3])]],
  [
    "Multinomial",
    (s) => [known(dtypeAttribute(s, "dtype", "int32"), [s.in(0).dims?.[0] ?? null, getInt(s.node, "sample_size", 1)])],
  ],
  ["ReverseSequence", same],
  ["SequenceEmpty", () => [nothing]],
];
