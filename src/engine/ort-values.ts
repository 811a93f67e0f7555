import { excerpt, MarauderError } from "../errors.ts";
import { numberTypes } from "../tensor/index.ts";
import type { DataOf, DType, Tensor } from "../tensor/index.ts";

/** Element types that cross the boundary between JavaScript and ONNX Runtime. */
const crossing: ReadonlySet<DType> = new Set<DType>([...numberTypes, "float16", "string"]);

/** The signature of a C++ function, with parameters that may hold signatures themselves. */
const SIGNATURE =
  /(?:(?:static|virtual|const|void) )*[\w:<>,*&~ ]*::[\w~]+\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)(?: const)?(?: \[with [^\]]*\])? /g;

/** The library's words without the source files and functions of its own build. */
export function wordsOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return excerpt(
    text
      .replace(/\/onnxruntime_src\/\S+\s/g, "")
      .replace(SIGNATURE, "")
      .replace(/[.\s]+$/, ""),
    700,
  );
}

/** A tensor in the terms of the binding: what its constructor takes, what its answers have, and what threads send each other. */
export interface Plain {
  readonly type: string;
  readonly data: unknown;
  readonly dims: readonly number[];
}

/** A run in those terms. */
export interface PlainRun {
  readonly feeds: Readonly<Record<string, Plain>>;
  readonly fetches: readonly string[];
}

/** Throws ENGINE_FAILED for a type that does not cross. `name` is for the message. */
export function toPlain(name: string, value: Tensor): Plain {
  checkCrossing(name, value.dtype);
  let data: unknown = value.data;
  // The binding refuses shared memory; and where the platform has Float16Array, it wants float16 bits as one.
  if (!Array.isArray(data) && value.data instanceof Object && "buffer" in value.data) {
    if (value.data.buffer instanceof SharedArrayBuffer) data = value.data.slice();
    if (value.dtype === "float16") data = asFloat16(data as Uint16Array);
  }
  return { type: value.dtype, data, dims: value.dims };
}

type Float16Maker = new (buffer: ArrayBufferLike, offset: number, length: number) => ArrayBufferView;

function asFloat16(bits: Uint16Array): ArrayBufferView {
  const make = (globalThis as { Float16Array?: Float16Maker }).Float16Array;
  return make === undefined ? bits : new make(bits.buffer, bits.byteOffset, bits.length);
}

/** The outputs of a run by name. */
export function tensorsOf(answer: Readonly<Record<string, Plain>>, fetches: readonly string[]): Record<string, Tensor> {
  const out: Record<string, Tensor> = {};
  for (const name of fetches) {
    const value = answer[name];
    if (value === undefined) {
      throw new MarauderError("ENGINE_FAILED", `ONNX Runtime gave no value for output ${excerpt(name)}`);
    }
    out[name] = fromPlain(name, value);
  }
  return out;
}

function fromPlain(name: string, value: Plain): Tensor {
  const dtype = value.type as DType;
  checkCrossing(name, dtype);
  let data = value.data as DataOf[DType];
  if (dtype === "float16" && !(data instanceof Uint16Array)) {
    const view = data as unknown as Float32Array;
    data = new Uint16Array(view.buffer, view.byteOffset, view.length);
  }
  return Object.freeze({ dtype, dims: Object.freeze([...value.dims]), data }) as Tensor;
}

export const failedRun = (cause: unknown, feeds: Readonly<Record<string, Tensor>>): MarauderError =>
  new MarauderError("ENGINE_FAILED", `ONNX Runtime failed while running the model: ${wordsOf(cause)}`, {
    details: { feeds: Object.fromEntries(Object.entries(feeds).map(([k, v]) => [k, `${v.dtype}[${v.dims}]`])) },
    cause,
  });

/** Throws ENGINE_FAILED where tensors of the type do not cross the boundary. */
export function checkCrossing(name: string, dtype: DType): void {
  if (crossing.has(dtype)) return;
  throw new MarauderError(
    "ENGINE_FAILED",
    `ONNX Runtime cannot exchange ${dtype} tensors with JavaScript (value ${excerpt(name)}); ` +
      `expected one of ${[...crossing].join(", ")}; put a Cast before it`,
  );
}
