import { create } from "@bufbuild/protobuf";
import { MarauderError } from "../errors.ts";
import { bitsPerElement, tensor, type DataOf, type DType, type Tensor } from "../tensor/index.ts";
import { TensorProtoSchema, TensorProto_DataLocation, type TensorProto } from "./proto/onnx_pb.ts";

/** Element types by their number in the ONNX specification (TensorProto.DataType). */
export const dtypeByCode: Readonly<Record<number, DType>> = {
  1: "float32",
  2: "uint8",
  3: "int8",
  4: "uint16",
  5: "int16",
  6: "int32",
  7: "int64",
  8: "string",
  9: "bool",
  10: "float16",
  11: "float64",
  12: "uint32",
  13: "uint64",
  14: "complex64",
  15: "complex128",
  16: "bfloat16",
  17: "float8e4m3fn",
  18: "float8e4m3fnuz",
  19: "float8e5m2",
  20: "float8e5m2fnuz",
  21: "uint4",
  22: "int4",
  23: "float4e2m1",
  24: "float8e8m0",
  25: "uint2",
  26: "int2",
};
export const codeOfDtype = Object.fromEntries(
  Object.entries(dtypeByCode).map(([code, name]) => [name, Number(code)]),
) as Record<DType, number>;

/** Reads external data: the bytes of `location` from `offset`, `length` bytes or to the end. */
export type ReadExternal = (location: string, offset: number, length: number | null) => Uint8Array;

/**
 * What the file said of a tensor that nobody has changed: written back as it was (typed fields or raw bytes, doc strings,
 * external location). A tensor that was made anew is written as raw bytes.
 */
const origin = new WeakMap<Tensor, TensorProto>();

/** Whether a tensor's content lies in a file beside the model. */
export const isExternal = (proto: TensorProto): boolean => proto.dataLocation === TensorProto_DataLocation.EXTERNAL;

const corrupt = (what: string): MarauderError => new MarauderError("MODEL_CORRUPT", what);

/** Bytes of a tensor's content, as raw_data has them. */
function byteLength(dtype: DType, elements: number): number {
  return Math.ceil((elements * bitsPerElement(dtype)) / 8);
}

function elementCount(dims: readonly bigint[], name: string): number {
  let n = 1n;
  for (const d of dims) {
    if (d < 0n) throw corrupt(`tensor '${name}' has the negative dimension ${d}; expected sizes from 0`);
    n *= d;
    if (n > 2n ** 40n) throw corrupt(`tensor '${name}' claims the shape [${dims.join(", ")}], over 2^40 elements`);
  }
  return Number(n);
}

/** Copies bytes where a typed array needs aligned memory. */
function aligned<T>(
  make: { new (buffer: ArrayBufferLike, offset: number, length: number): T; BYTES_PER_ELEMENT: number },
  bytes: Uint8Array,
): T {
  const size = make.BYTES_PER_ELEMENT;
  // A Buffer's own slice() is a view: a copy is wanted.
  const whole = bytes.byteOffset % size === 0 ? bytes : new Uint8Array(bytes);
  return new make(whole.buffer, whole.byteOffset, whole.byteLength / size);
}

function fromBytes(dtype: DType, bytes: Uint8Array): DataOf[Exclude<DType, "string">] {
  switch (dtype) {
    case "float32":
    case "complex64":
      return aligned(Float32Array, bytes);
    case "float64":
    case "complex128":
      return aligned(Float64Array, bytes);
    case "float16":
    case "bfloat16":
    case "uint16":
      return aligned(Uint16Array, bytes);
    case "int8":
      return aligned(Int8Array, bytes);
    case "int16":
      return aligned(Int16Array, bytes);
    case "int32":
      return aligned(Int32Array, bytes);
    case "int64":
      return aligned(BigInt64Array, bytes);
    case "uint32":
      return aligned(Uint32Array, bytes);
    case "uint64":
      return aligned(BigUint64Array, bytes);
    default:
      return bytes;
  }
}

/** Content from the typed fields (float_data, int32_data, ...). */
function fromFields(dtype: DType, proto: TensorProto): { data: DataOf[DType]; count: number } {
  const { int32Data: i32 } = proto;
  const made = <D extends DataOf[DType]>(data: D): { data: D; count: number } => ({ data, count: data.length });
  switch (dtype) {
    case "float32":
    case "complex64":
      return made(Float32Array.from(proto.floatData));
    case "float64":
    case "complex128":
      return made(Float64Array.from(proto.doubleData));
    case "int64":
      return made(BigInt64Array.from(proto.int64Data));
    case "uint64":
      return made(BigUint64Array.from(proto.uint64Data));
    case "uint32":
      return made(Uint32Array.from(proto.uint64Data, Number));
    case "string":
      return made(proto.stringData.map((bytes) => new TextDecoder().decode(bytes)));
    case "int32":
      return made(Int32Array.from(i32));
    case "int16":
      return made(Int16Array.from(i32));
    case "int8":
      return made(Int8Array.from(i32));
    case "uint16":
    case "float16":
    case "bfloat16":
      return made(Uint16Array.from(i32));
    default:
      return made(Uint8Array.from(i32));
  }
}

export function decodeTensor(proto: TensorProto, readExternal: ReadExternal | null): Tensor {
  const { name } = proto;
  const dtype = Object.hasOwn(dtypeByCode, proto.dataType) ? dtypeByCode[proto.dataType]! : null;
  if (dtype === null) throw corrupt(`tensor '${name}' has the element type ${proto.dataType}; expected 1 to 26`);
  if (proto.segment !== undefined) {
    throw new MarauderError("MODEL_UNSUPPORTED", `tensor '${name}' is stored in segments, which no ONNX runtime reads`);
  }
  const elements = elementCount(proto.dims, name);
  const dims = proto.dims.map(Number);
  const stored = dtype === "complex64" || dtype === "complex128" ? 2 * elements : elements;
  const done = (data: DataOf[DType]): Tensor => {
    const made = tensor(dtype, dims, data as never);
    // What lay beside the file is written inside it, so that a model can be moved.
    if (!isExternal(proto)) origin.set(made, proto);
    return made;
  };
  const wrong = (got: string, expected: string): MarauderError =>
    corrupt(`tensor '${name}' of type ${dtype} and shape [${dims.join(", ")}] has ${got}; expected ${expected}`);
  if (isExternal(proto)) {
    if (dtype === "string") throw wrong("external data", "strings inside the file");
    return done(fromBytes(dtype, externalBytes(proto, byteLength(dtype, elements), readExternal)));
  }
  if (proto.rawData.length > 0 && dtype !== "string") {
    const expected = byteLength(dtype, elements);
    if (proto.rawData.length !== expected) throw wrong(`${proto.rawData.length} bytes`, `${expected}`);
    return done(fromBytes(dtype, proto.rawData));
  }
  const { data, count } = fromFields(dtype, proto);
  const packed = bitsPerElement(dtype) < 8 ? byteLength(dtype, elements) : stored;
  if (count !== packed) throw wrong(`${count} elements`, `${packed}`);
  return done(data);
}

function externalBytes(proto: TensorProto, expected: number, readExternal: ReadExternal | null): Uint8Array {
  const entries = new Map(proto.externalData.map((e) => [e.key, e.value]));
  const location = entries.get("location");
  if (location === undefined || location === "")
    throw corrupt(`tensor '${proto.name}' is external but names no location`);
  if (readExternal === null) {
    throw new MarauderError(
      "MODEL_UNSUPPORTED",
      `tensor '${proto.name}' lies outside the model, in ${JSON.stringify(location)}; open the model by its path, so that the file beside it can be read`,
    );
  }
  const whole = (key: string, otherwise: number): number => {
    const text = entries.get(key);
    if (text === undefined || text === "") return otherwise;
    const value = Number(text);
    if (!Number.isSafeInteger(value) || value < 0)
      throw corrupt(
        `tensor '${proto.name}' has the external ${key} ${JSON.stringify(text)}; expected a whole number from 0`,
      );
    return value;
  };
  const length = whole("length", expected);
  if (length !== expected)
    throw corrupt(
      `tensor '${proto.name}' says that its external data have ${length} bytes; expected ${expected} for its shape`,
    );
  return readExternal(location, whole("offset", 0), length);
}

export function encodeTensor(value: Tensor, name: string): TensorProto {
  const known = origin.get(value);
  if (known !== undefined) {
    return known.name === name
      ? known
      : Object.assign(Object.create(Object.getPrototypeOf(known) as object) as TensorProto, known, { name });
  }
  const proto = create(TensorProtoSchema, { name, dims: value.dims.map(BigInt), dataType: codeOfDtype[value.dtype] });
  if (value.dtype === "string")
    proto.stringData = (value.data as string[]).map((text) => new TextEncoder().encode(text));
  else {
    const data = value.data as Uint8Array;
    proto.rawData = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  }
  return proto;
}
