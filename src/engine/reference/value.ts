import { MarauderError } from "../../errors.ts";
import type { Node } from "../../ir/graph.ts";
import { isFloat, sizeOf, tensor, type DataOf, type DType, type Tensor } from "../../tensor/index.ts";

export type Data =
  | Float64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigUint64Array
  | string[];

/** A value inside the interpreter: floats of every declared width are held as float64. */
export interface Value {
  readonly dtype: DType;
  readonly dims: readonly number[];
  readonly data: Data;
}

/** One operator: what it reads (null where an optional input is omitted) to what it makes. */
export type Kernel = (inputs: readonly (Value | null)[], node: Node, opset: number) => readonly Value[];

const MAX_ELEMENTS = 2 ** 28;

/** Refuses a node. */
export function fail(node: Node, why: string): never {
  throw new MarauderError(
    "ENGINE_FAILED",
    `the reference engine cannot run ${node.op} (node ${JSON.stringify(node.name)}): ${why}`,
    { details: { op: node.op, node: node.name } },
  );
}

/** An array for `n` elements of a type; zeros. */
export function allocate(dtype: DType, n: number): Data {
  if (!(n >= 0 && n <= MAX_ELEMENTS)) {
    throw new MarauderError("ENGINE_FAILED", `a value of ${n} elements is too large for the reference engine`);
  }
  if (isFloat(dtype)) return new Float64Array(n);
  switch (dtype) {
    case "int64":
      return new BigInt64Array(n);
    case "uint64":
      return new BigUint64Array(n);
    case "int32":
      return new Int32Array(n);
    case "uint32":
      return new Uint32Array(n);
    case "int16":
      return new Int16Array(n);
    case "uint16":
      return new Uint16Array(n);
    case "int8":
      return new Int8Array(n);
    case "uint8":
    case "bool":
      return new Uint8Array(n);
    case "string":
      return Array.from({ length: n }, () => "");
    default:
      throw new MarauderError("ENGINE_FAILED", `the reference engine does not compute with ${dtype}`);
  }
}

export const value = (dtype: DType, dims: readonly number[], data: Data): Value => ({ dtype, dims, data });

/** The elements as numbers (64-bit integers beyond 2^53 lose digits). */
export function numbers(v: Value): ArrayLike<number> {
  if (v.data instanceof BigInt64Array || v.data instanceof BigUint64Array) return Float64Array.from(v.data, Number);
  return v.data as ArrayLike<number>;
}

/** Numbers in a type: whole types truncate and wrap, bool is "not 0". */
export function fromNumbers(dtype: DType, dims: readonly number[], source: ArrayLike<number>): Value {
  const data = allocate(dtype, source.length);
  if (dtype === "bool") for (let i = 0; i < source.length; i++) data[i] = source[i] !== 0 ? 1 : 0;
  else if (data instanceof BigInt64Array || data instanceof BigUint64Array) {
    for (let i = 0; i < source.length; i++) {
      const v = Math.trunc(source[i]!);
      data[i] = Number.isFinite(v) ? BigInt(v) : 0n;
    }
  } else for (let i = 0; i < source.length; i++) (data as Float64Array)[i] = source[i]!;
  return { dtype, dims, data };
}

export const floatsOf = (v: Value): Float64Array =>
  v.data instanceof Float64Array ? v.data : Float64Array.from(numbers(v));

/** An integer input as plain numbers; null where it is omitted. */
export const intsOf = (v: Value | null | undefined): number[] | null => (v == null ? null : Array.from(numbers(v)));

/** An input that must be there. */
export function need(inputs: readonly (Value | null)[], i: number, node: Node): Value {
  return inputs[i] ?? fail(node, `input ${i} is missing`);
}

export const axisOf = (axis: number, rank: number, node: Node): number => {
  const a = axis < 0 ? axis + rank : axis;
  return a >= 0 && (a < rank || (rank === 0 && a === 0))
    ? a
    : fail(node, `axis ${axis} is outside a value of rank ${rank}`);
};

/** Row-major strides. */
export function stridesOf(dims: readonly number[]): number[] {
  const out: number[] = [];
  let step = 1;
  for (let i = dims.length - 1; i >= 0; i--) {
    out[i] = step;
    step *= dims[i]!;
  }
  return out;
}

/** The value whose element i is element `from[i]` of `v`; zero where `from[i]` is negative. */
export function take(v: Value, dims: readonly number[], from: ArrayLike<number>): Value {
  const data = allocate(v.dtype, from.length);
  for (let i = 0; i < from.length; i++) if (from[i]! >= 0) data[i] = v.data[from[i]!]!;
  return { dtype: v.dtype, dims, data };
}

/** Visits all positions of `dims` in row-major order, with a running offset along `strides`. */
export function walkOffsets(dims: readonly number[], strides: readonly number[], start = 0): Int32Array {
  const n = sizeOf(dims);
  if (n > MAX_ELEMENTS)
    throw new MarauderError("ENGINE_FAILED", `a value of ${n} elements is too large for the reference engine`);
  const out = new Int32Array(n);
  if (n === 0) return out;
  const at = Array.from({ length: dims.length }, () => 0);
  let offset = start;
  for (let i = 0; i < n; i++) {
    out[i] = offset;
    for (let d = dims.length - 1; d >= 0; d--) {
      offset += strides[d]!;
      if (++at[d]! < dims[d]!) break;
      offset -= strides[d]! * dims[d]!;
      at[d] = 0;
    }
  }
  return out;
}

export function broadcastDims(node: Node, ...shapes: (readonly number[])[]): number[] {
  const rank = Math.max(0, ...shapes.map((s) => s.length));
  return Array.from({ length: rank }, (_, i) => {
    let size = 1;
    for (const s of shapes) {
      const d = s[i - (rank - s.length)] ?? 1;
      if (d !== 1 && size !== 1 && d !== size)
        fail(node, `shapes ${shapes.map((x) => `[${x}]`).join(" and ")} do not broadcast`);
      if (d !== 1) size = d;
    }
    return size;
  });
}

/** For each element of `to`, where it is read from in a value of shape `from`. Null where the shapes are equal. */
export function broadcastOffsets(from: readonly number[], to: readonly number[]): Int32Array | null {
  if (from.length === to.length && from.every((d, i) => d === to[i])) return null;
  const own = stridesOf(from);
  const added = to.length - from.length;
  const strides = to.map((_, i) => (i < added || from[i - added] === 1 ? 0 : own[i - added]!));
  return walkOffsets(to, strides);
}

/** From the tensor of a feed or constant. */
export function fromTensor(t: Tensor): Value {
  if (t.dtype === "float16" || t.dtype === "bfloat16") {
    const decode = t.dtype === "float16" ? fromHalf : fromBrain;
    return { dtype: t.dtype, dims: t.dims, data: Float64Array.from(t.data as Uint16Array, decode) };
  }
  if (t.dtype === "float32") return { dtype: t.dtype, dims: t.dims, data: Float64Array.from(t.data as Float32Array) };
  allocate(t.dtype, 0); // refuses types the interpreter does not know
  return { dtype: t.dtype, dims: t.dims, data: t.data as Data };
}

/** To a tensor of the declared type, or with floats left in float64. Always fresh memory. */
export function toTensor(v: Value, keepFloat64: boolean): Tensor {
  if (isFloat(v.dtype)) {
    const data = v.data as Float64Array;
    if (keepFloat64 || v.dtype === "float64") return tensor("float64", v.dims, data.slice());
    if (v.dtype === "float32") return tensor("float32", v.dims, Float32Array.from(data));
    return tensor(v.dtype as "float16", v.dims, Uint16Array.from(data, v.dtype === "float16" ? toHalf : toBrain));
  }
  return tensor(v.dtype as "int64", v.dims, v.data.slice() as DataOf["int64"]);
}

export function fromHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
}

/** Rounds to the nearest half-precision number, ties to even. */
export function toHalf(x: number): number {
  if (Number.isNaN(x)) return 0x7e00;
  const sign = x < 0 || Object.is(x, -0) ? 0x8000 : 0;
  const a = Math.abs(x);
  if (a >= 65520) return sign | 0x7c00;
  const exponent = a < 2 ** -14 ? -14 : Math.floor(Math.log2(a));
  const e = a >= 2 ** (exponent + 1) ? exponent + 1 : a < 2 ** exponent && exponent > -14 ? exponent - 1 : exponent;
  const units = evenRound(a / 2 ** (e - 10));
  return sign | (a < 2 ** -14 ? units : ((e + 15) << 10) + (units - 1024));
}

const view = new DataView(new ArrayBuffer(4));
export function fromBrain(bits: number): number {
  view.setUint32(0, bits << 16);
  return view.getFloat32(0);
}
export function toBrain(x: number): number {
  view.setFloat32(0, x);
  const bits = view.getUint32(0);
  if (Number.isNaN(x)) return 0x7fc0;
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

/** To the nearest whole number, halves to even. */
export function evenRound(x: number): number {
  const low = Math.floor(x);
  const rest = x - low;
  return rest > 0.5 || (rest === 0.5 && low % 2 !== 0) ? low + 1 : low;
}
