import { MarauderError } from "../errors.ts";

/** Element types, named as in the ONNX specification (lower case). */
export type DType =
  | "float32"
  | "float64"
  | "float16"
  | "bfloat16"
  | "int8"
  | "int16"
  | "int32"
  | "int64"
  | "uint8"
  | "uint16"
  | "uint32"
  | "uint64"
  | "bool"
  | "string"
  | "complex64"
  | "complex128"
  | "float8e4m3fn"
  | "float8e4m3fnuz"
  | "float8e5m2"
  | "float8e5m2fnuz"
  | "float4e2m1"
  | "float8e8m0"
  | "int4"
  | "uint4"
  | "int2"
  | "uint2";

/**
 * Storage of each element type. float16 and bfloat16 hold raw bits (Uint16Array); bool, float8 and the packed
 * sub-byte types hold bytes; complex types hold interleaved pairs.
 */
export interface DataOf {
  float32: Float32Array;
  float64: Float64Array;
  float16: Uint16Array;
  bfloat16: Uint16Array;
  int8: Int8Array;
  int16: Int16Array;
  int32: Int32Array;
  int64: BigInt64Array;
  uint8: Uint8Array;
  uint16: Uint16Array;
  uint32: Uint32Array;
  uint64: BigUint64Array;
  bool: Uint8Array;
  string: string[];
  complex64: Float32Array;
  complex128: Float64Array;
  float8e4m3fn: Uint8Array;
  float8e4m3fnuz: Uint8Array;
  float8e5m2: Uint8Array;
  float8e5m2fnuz: Uint8Array;
  float4e2m1: Uint8Array;
  float8e8m0: Uint8Array;
  int4: Uint8Array;
  uint4: Uint8Array;
  int2: Uint8Array;
  uint2: Uint8Array;
}

/** A dense row-major array. A value: nobody writes into `data` of a tensor that they did not make. */
export interface Tensor<T extends DType = DType> {
  readonly dtype: T;
  readonly dims: readonly number[];
  readonly data: DataOf[T];
}

/** Product of dims; 1 for a scalar. */
export function sizeOf(dims: readonly number[]): number {
  let n = 1;
  for (const d of dims) n *= d;
  return n;
}

/** Makes a tensor. Throws SHAPE_MISMATCH when the data does not have as many elements as `dims` says. */
export function tensor<T extends DType>(dtype: T, dims: readonly number[], data: DataOf[T]): Tensor<T> {
  const perElement = dtype === "complex64" || dtype === "complex128" ? 2 : 1;
  if (bitsPerElement(dtype) >= 8 && data.length !== sizeOf(dims) * perElement) {
    throw new MarauderError(
      "SHAPE_MISMATCH",
      `a ${dtype} tensor of shape [${dims.join(", ")}] needs ${sizeOf(dims) * perElement} elements, got ${data.length}`,
    );
  }
  return Object.freeze({ dtype, dims: Object.freeze([...dims]), data }) as Tensor<T>;
}

export function float32(dims: readonly number[], data?: Float32Array | readonly number[]): Tensor<"float32"> {
  const values =
    data === undefined ? new Float32Array(sizeOf(dims)) : data instanceof Float32Array ? data : Float32Array.from(data);
  return tensor("float32", dims, values);
}

export function int64(dims: readonly number[], data: readonly (number | bigint)[]): Tensor<"int64"> {
  return tensor(
    "int64",
    dims,
    BigInt64Array.from(data, (v) => BigInt(v)),
  );
}

export function bitsPerElement(dtype: DType): number {
  switch (dtype) {
    case "complex128":
      return 128;
    case "float64":
    case "int64":
    case "uint64":
    case "complex64":
      return 64;
    case "float32":
    case "int32":
    case "uint32":
      return 32;
    case "float16":
    case "bfloat16":
    case "int16":
    case "uint16":
      return 16;
    case "int4":
    case "uint4":
    case "float4e2m1":
      return 4;
    case "int2":
    case "uint2":
      return 2;
    default:
      return 8;
  }
}

export const floatTypes: readonly DType[] = ["float32", "float64", "float16", "bfloat16"];
/** Types whose stored elements are the numbers themselves (bool: 0 or 1), not bits of another format. */
export const numberTypes: readonly DType[] = [
  "float32",
  "float64",
  "int8",
  "int16",
  "int32",
  "int64",
  "uint8",
  "uint16",
  "uint32",
  "uint64",
  "bool",
];
export const isFloat = (dtype: DType): boolean => floatTypes.includes(dtype);
