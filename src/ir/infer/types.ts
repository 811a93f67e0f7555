import type { DType, Tensor } from "../../tensor/index.ts";
import { toNumber } from "../attributes.ts";
import type { Dim, Node } from "../graph.ts";

/**
 * What inference knows of one value. `content` holds the elements of a small integer tensor, flat, where they are known
 * or stand for a size: this is how Shape -> Gather -> Concat -> Reshape keeps a symbolic batch.
 */
export interface Known {
  readonly dtype: DType | null;
  readonly dims: readonly Dim[] | null;
  readonly content?: readonly Dim[];
}

export const nothing: Known = Object.freeze({ dtype: null, dims: null });

/** What a rule sees of its node. */
export interface Site {
  readonly node: Node;
  readonly opset: number;
  /** Input `i`; `nothing` where it is omitted. */
  in(i: number): Known;
  has(i: number): boolean;
  /** The value of a constant input, else null. */
  constant(i: number): Tensor | null;
}

/** One answer per output. A rule never throws for odd input: it answers `nothing`. */
export type InferRule = (s: Site) => readonly Known[];

/** Longest content that is followed. */
export const MAX_CONTENT = 256;
/** Highest rank that is followed; runtimes stop far below. */
export const MAX_RANK = 64;

export const known = (dtype: DType | null, dims: readonly Dim[] | null, content?: readonly Dim[]): Known =>
  content === undefined || content.length > MAX_CONTENT ? { dtype, dims } : { dtype, dims, content };

/** Product of sizes: known, or one symbol times ones; else null. */
export function productOf(dims: readonly Dim[]): Dim {
  let n = 1;
  let symbol: string | null = null;
  let unknown = false;
  for (const d of dims) {
    if (d === 0) return 0;
    if (typeof d === "number") n *= d;
    else if (d === null || symbol !== null) unknown = true;
    else symbol = d;
  }
  if (unknown || !Number.isSafeInteger(n)) return null;
  return symbol === null ? n : n === 1 ? symbol : null;
}

/** `above` / `below` as products of sizes, where symbols cancel; null where that is not provable. */
export function quotientOf(above: readonly Dim[], below: readonly Dim[]): Dim {
  const left: Dim[] = [...above];
  let n = 1;
  for (const d of below) {
    if (typeof d === "number") {
      n *= d;
      continue;
    }
    const at = d === null ? -1 : left.indexOf(d);
    if (at < 0) return null;
    left.splice(at, 1);
  }
  if (n === 0) return null;
  let m = 1;
  const symbols: string[] = [];
  for (const d of left) {
    if (d === null) return null;
    if (typeof d === "number") m *= d;
    else symbols.push(d);
  }
  if (!Number.isSafeInteger(m) || !Number.isSafeInteger(n)) return null;
  if (symbols.length === 0) return m % n === 0 ? m / n : null;
  return symbols.length === 1 && m === n ? symbols[0]! : null;
}

/** One axis of NumPy broadcasting. */
export function broadcastDim(a: Dim, b: Dim): Dim {
  if (a === b) return a;
  if (a === 1) return b;
  if (b === 1) return a;
  // A size other than 1 wins over what is unknown: the other one is either equal or 1.
  if (typeof a === "number") return typeof b === "number" ? null : a;
  return typeof b === "number" ? b : null;
}

export function broadcast(shapes: readonly (readonly Dim[] | null)[]): readonly Dim[] | null {
  let out: Dim[] = [];
  for (const shape of shapes) {
    if (shape === null) return null;
    const rank = Math.max(out.length, shape.length);
    const at = (dims: readonly Dim[], i: number): Dim => {
      const k = i - (rank - dims.length);
      return k < 0 ? 1 : dims[k]!;
    };
    const before = out;
    out = Array.from({ length: rank }, (_, i) => broadcastDim(at(before, i), at(shape, i)));
  }
  return out;
}

/** What two branches agree on. */
export function agree(a: Known, b: Known): Known {
  const dims =
    a.dims === null || b.dims === null || a.dims.length !== b.dims.length
      ? null
      : a.dims.map((d, i) => (d === b.dims![i] ? d : null));
  return { dtype: a.dtype === b.dtype ? a.dtype : null, dims };
}

/** An axis counted from the front; null where it is out of range. */
export function axisOf(axis: number, rank: number): number | null {
  const k = axis < 0 ? axis + rank : axis;
  return Number.isInteger(k) && k >= 0 && k < rank ? k : null;
}

/** Axes counted from the front; null where one is out of range. */
export function axesOf(axes: readonly number[], rank: number): number[] | null {
  const out = axes.map((a) => axisOf(a, rank));
  return out.every((a) => a !== null) ? (out as number[]) : null;
}

/** The numbers of an input that is a constant or known content; null where one of them is unknown. */
export function numbersOf(s: Site, i: number): number[] | null {
  const content = s.in(i).content;
  if (content !== undefined) return content.every((d) => typeof d === "number") ? (content as number[]) : null;
  const value = s.constant(i);
  return value === null || value.dtype === "string" || value.data.length > 4096 ? null : numbersIn(value);
}

export const numbersIn = (value: Tensor): number[] =>
  Array.from(value.data as ArrayLike<number | bigint>, (v) => (typeof v === "bigint" ? toNumber(v) : v));

export const integerTypes: ReadonlySet<DType | null> = new Set<DType | null>([
  "int64",
  "int32",
  "int16",
  "int8",
  "uint8",
  "uint16",
  "uint32",
  "uint64",
  "bool",
]);
