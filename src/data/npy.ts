import { MarauderError } from "../errors.ts";
import { checkedSize, type NumberArray } from "./arrays.ts";

const MAGIC = "\x93NUMPY";

const read: Readonly<
  Record<string, readonly [dtype: string, bytes: number, at: (v: DataView, o: number, l: boolean) => number | bigint]>
> = {
  b1: ["bool", 1, (v, o) => v.getUint8(o)],
  u1: ["uint8", 1, (v, o) => v.getUint8(o)],
  i1: ["int8", 1, (v, o) => v.getInt8(o)],
  u2: ["uint16", 2, (v, o, l) => v.getUint16(o, l)],
  i2: ["int16", 2, (v, o, l) => v.getInt16(o, l)],
  u4: ["uint32", 4, (v, o, l) => v.getUint32(o, l)],
  i4: ["int32", 4, (v, o, l) => v.getInt32(o, l)],
  u8: ["uint64", 8, (v, o, l) => v.getBigUint64(o, l)],
  i8: ["int64", 8, (v, o, l) => v.getBigInt64(o, l)],
  f2: ["float16", 2, (v, o, l) => half(v.getUint16(o, l))],
  f4: ["float32", 4, (v, o, l) => v.getFloat32(o, l)],
  f8: ["float64", 8, (v, o, l) => v.getFloat64(o, l)],
};

const makers: Readonly<Record<string, (n: number) => NumberArray["data"]>> = {
  bool: (n) => new Uint8Array(n),
  uint8: (n) => new Uint8Array(n),
  int8: (n) => new Int8Array(n),
  uint16: (n) => new Uint16Array(n),
  int16: (n) => new Int16Array(n),
  uint32: (n) => new Uint32Array(n),
  int32: (n) => new Int32Array(n),
  uint64: (n) => new BigUint64Array(n),
  int64: (n) => new BigInt64Array(n),
  float16: (n) => new Float32Array(n),
  float32: (n) => new Float32Array(n),
  float64: (n) => new Float64Array(n),
};

/** Text of a NumPy array of fixed-width Unicode or byte strings, such as class names. */
export interface TextArray {
  readonly dims: readonly number[];
  readonly dtype: "text";
  readonly data: readonly string[];
}

/**
 * Parses a .npy file, versions 1 to 3, C or Fortran order, either byte order. Object arrays are refused: they are
 * pickles, which are programs. Throws DATA_CORRUPT and DATA_INVALID.
 */
export function parseNpy(bytes: Uint8Array, path: string): NumberArray | TextArray {
  const { descr, fortran, dims, start } = header(bytes, path);
  const order = descr[0]!;
  const kind = descr.slice(1);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (/^[US]\d+$/.test(kind)) return text(view, start, dims, kind, order !== ">", fortran, path);
  const type = Object.hasOwn(read, kind) && "<>|=".includes(order) ? read[kind] : undefined;
  if (type === undefined) {
    const why = kind.startsWith("O") ? "an object array, which is a pickle and may run code" : `of type ${descr}`;
    throw new MarauderError(
      "DATA_INVALID",
      `${path} is ${why}; expected booleans, integers or real numbers: save it as such with numpy.save`,
    );
  }
  const [dtype, width, at] = type;
  const size = checkedSize(dims, width, bytes.length - start, path);
  const data = makers[dtype]!(size);
  const little = order !== ">";
  if (width === 1 && !fortran) (data as Uint8Array).set(bytes.subarray(start, start + size));
  else {
    const from = fortran ? fortranPositions(dims) : null;
    for (let i = 0; i < size; i++) data[i] = at(view, start + width * (from === null ? i : from(i)), little) as never;
  }
  return { dims, dtype, data };
}

function header(bytes: Uint8Array, path: string) {
  const corrupt = (why: string): MarauderError =>
    new MarauderError("DATA_CORRUPT", `${path} is not a sound .npy file: ${why}; write it again with numpy.save`);
  const magic = Buffer.from(bytes.subarray(0, 6)).toString("latin1");
  if (magic !== MAGIC || bytes.length < 12) throw corrupt("it does not start with \\x93NUMPY and a header");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const old = bytes[6] === 1;
  const start = old ? 10 + view.getUint16(8, true) : 12 + view.getUint32(8, true);
  if (start > bytes.length || start > 1_000_000) throw corrupt("its header is cut off");
  const line = Buffer.from(bytes.subarray(old ? 10 : 12, start)).toString("utf8");
  const descr = /'descr'\s*:\s*'([^']{2,12})'/.exec(line)?.[1];
  const fortran = /'fortran_order'\s*:\s*(True|False)/.exec(line)?.[1];
  const shape = /'shape'\s*:\s*\(([\d\s,]*)\)/.exec(line)?.[1];
  if (/'descr'\s*:\s*\[/.test(line)) throw corrupt("it is a record array, expected one element type");
  if (descr === undefined || fortran === undefined || shape === undefined)
    throw corrupt(`its header is ${line.trim()}`);
  const dims = shape
    .split(",")
    .map((d) => d.trim())
    .filter((d) => d !== "")
    .map(Number);
  return { descr, fortran: fortran === "True", dims, start };
}

/** Where the element at row-major position i lies in a column-major file. */
function fortranPositions(dims: readonly number[]): (i: number) => number {
  return (i) => {
    let at = 0;
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      const index = i % dims[axis]!;
      i = (i - index) / dims[axis]!;
      at += index * strideOf(dims, axis);
    }
    return at;
  };
}

function strideOf(dims: readonly number[], axis: number): number {
  let stride = 1;
  for (let i = 0; i < axis; i++) stride *= dims[i]!;
  return stride;
}

function text(
  view: DataView,
  start: number,
  dims: readonly number[],
  kind: string,
  little: boolean,
  fortran: boolean,
  path: string,
): TextArray {
  const letters = Number(kind.slice(1));
  const each = kind[0] === "U" ? 4 : 1;
  const size = checkedSize(dims, Math.max(1, letters * each), view.byteLength - start, path);
  const from = fortran ? fortranPositions(dims) : (i: number) => i;
  const data = Array.from({ length: size }, (_, i) => {
    let s = "";
    for (let k = 0; k < letters; k++) {
      const o = start + (from(i) * letters + k) * each;
      const point = each === 4 ? view.getUint32(o, little) : view.getUint8(o);
      if (point === 0 || point > 0x10ffff) break;
      s += String.fromCodePoint(point);
    }
    return s;
  });
  return { dims, dtype: "text", data };
}

/** IEEE half precision to double. */
function half(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
}

const codes: Readonly<Record<string, string>> = {
  Uint8Array: "|u1",
  Int8Array: "|i1",
  Uint16Array: "<u2",
  Int16Array: "<i2",
  Uint32Array: "<u4",
  Int32Array: "<i4",
  BigUint64Array: "<u8",
  BigInt64Array: "<i8",
  Float32Array: "<f4",
  Float64Array: "<f8",
};

/** Bytes of a .npy file, version 1, little-endian, C order. Arrays of text become fixed-width Unicode. */
export function npyBytes(dims: readonly number[], data: NumberArray["data"] | readonly string[]): Uint8Array {
  const isText = Array.isArray(data);
  const points = isText ? (data as readonly string[]).map((s) => Array.from(s, (c) => c.codePointAt(0)!)) : [];
  const width = Math.max(
    1,
    points.reduce((most, p) => Math.max(most, p.length), 1),
  );
  const descr = isText ? `<U${width}` : codes[data.constructor.name]!;
  const shape = dims.length === 1 ? `${dims[0]},` : dims.join(", ");
  const dict = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${shape}), }`;
  const padding = 63 - ((10 + dict.length) % 64);
  const head = Buffer.from(`${dict}${" ".repeat(padding)}\n`, "latin1");
  let body: Uint8Array;
  if (isText) {
    const words = new Uint32Array(points.length * width);
    points.forEach((p, i) => words.set(p, i * width));
    body = new Uint8Array(words.buffer);
  } else {
    const array = data as NumberArray["data"];
    body = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  }
  const out = new Uint8Array(10 + head.length + body.length);
  out.set(Buffer.from(`${MAGIC}\x01\x00`, "latin1"));
  new DataView(out.buffer).setUint16(8, head.length, true);
  out.set(head, 10);
  out.set(body, 10 + head.length);
  return out;
}
