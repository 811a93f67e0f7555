import { availableParallelism } from "node:os";
import type { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { excerpt, MarauderError } from "../errors.ts";
import { encodeApart } from "../ir/index.ts";
import type { Model } from "../ir/index.ts";
import type { DataOf, DType, Tensor } from "../tensor/index.ts";
import { inTurn } from "./engine.ts";
import type { Engine, Session, SessionOptions } from "./engine.ts";

type Ort = typeof import("onnxruntime-node");

/** Element types that cross the boundary between JavaScript and ONNX Runtime. */
const crossing: ReadonlySet<DType> = new Set<DType>([
  "float32",
  "float64",
  "float16",
  "int8",
  "int16",
  "int32",
  "int64",
  "uint8",
  "uint16",
  "uint32",
  "uint64",
  "bool",
  "string",
]);

let loading: Promise<Ort> | undefined;

/** Loads the native library on first use: commands that run no model start without it. */
function loadOrt(): Promise<Ort> {
  loading ??= import("onnxruntime-node").then(
    (module) => {
      const ort = (module as { default?: Ort }).default ?? module;
      // One environment for the whole process, made with the first session: the level must be set before.
      ort.env.logLevel = "fatal";
      return ort;
    },
    (cause: unknown) => {
      loading = undefined;
      throw new MarauderError(
        "ENGINE_FAILED",
        `ONNX Runtime could not be loaded: ${wordsOf(cause)}; ` +
          "reinstall with ONNXRUNTIME_NODE_INSTALL=skip npm install onnxruntime-node",
        { cause },
      );
    },
  );
  return loading;
}

/** The binding refuses shared memory. */
const unshared = (bytes: Uint8Array): Uint8Array => (bytes.buffer instanceof SharedArrayBuffer ? bytes.slice() : bytes);

/** The signature of a C++ function, with parameters that may hold signatures themselves. */
const SIGNATURE =
  /(?:(?:static|virtual|const|void) )*[\w:<>,*&~ ]*::[\w~]+\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)(?: const)?(?: \[with [^\]]*\])? /g;

/** The library's words without the source files and functions of its own build. */
function wordsOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return excerpt(
    text
      .replace(/\/onnxruntime_src\/\S+\s/g, "")
      .replace(SIGNATURE, "")
      .replace(/[.\s]+$/, ""),
    700,
  );
}

/** ONNX Runtime's native CPU build. A run blocks the event loop, so long work belongs in a child process. */
export const ortEngine: Engine = Object.freeze({
  id: "onnxruntime",
  ...(process.arch === "x64" && { channelBlock: 16 }),
  load,
});

/** Constants from this size on, in bytes, go to ONNX Runtime from where they lie: two copies of a large model less. */
const LEAST_APART = 2 ** 16;

/**
 * Whether a plan of all values in memory pays. It is kept beside the memory of the first run, twice the peak, and saves the
 * search for a place at each node: nothing for large values; 7 % of the time and some 20 MB for an LSTM step by step.
 */
const manySmall = ({ graph: { nodes } }: Model): boolean =>
  nodes.length > 2000 && !nodes.some(({ op }) => op === "Conv");

async function load(model: Model, options: SessionOptions = {}): Promise<Session> {
  const { bytes, apart } = encodeApart(model, LEAST_APART);
  const ort = await loadOrt();
  let session: InferenceSession;
  try {
    session = await ort.InferenceSession.create(bytes, {
      executionProviders: ["cpu"],
      intraOpNumThreads: options.threads ?? availableParallelism(),
      interOpNumThreads: 1,
      externalData: Array.from(apart, ([path, data]) => ({ path, data: unshared(data) })),
      enableMemPattern: manySmall(model),
      logSeverityLevel: 4, // errors come back as exceptions
      // Threads that wait for work spin for a moment: a fifth faster for small models. Spinning without end would make
      // runs three times slower on a busy machine.
      extra: { session: { intra_op: { allow_spinning: "1", spin_duration_us: "50" } } },
    });
  } catch (cause) {
    throw new MarauderError("ENGINE_FAILED", `ONNX Runtime refused the model: ${wordsOf(cause)}`, { cause });
  }
  let open = true;
  const types = new Map(model.graph.outputs.map((v) => [v.name, v.dtype]));
  const run: Session["run"] = async (feeds, fetches, into) => {
    if (!open) throw new MarauderError("ENGINE_FAILED", "internal: a model was run after it was closed");
    const wanted = fetches ?? session.outputNames;
    // The binding takes the process down over a result of a type that it does not know.
    for (const name of wanted) {
      const dtype = types.get(name) ?? null;
      if (dtype !== null && !crossing.has(dtype)) throw cannotCross(name, dtype);
    }
    return await runSession(ort, session, feeds, wanted, into ?? {});
  };
  return {
    inputs: Object.freeze([...session.inputNames]),
    outputs: Object.freeze([...session.outputNames]),
    lanes: 1,
    run,
    runAll: (runs) => inTurn(run, runs),
    async close() {
      if (!open) return;
      open = false;
      await session.release();
    },
  };
}

async function runSession(
  ort: Ort,
  session: InferenceSession,
  feeds: Readonly<Record<string, Tensor>>,
  fetches: readonly string[],
  into: Readonly<Record<string, Tensor>>,
): Promise<Record<string, Tensor>> {
  const given: Record<string, OrtTensor> = {};
  for (const [name, value] of Object.entries(feeds)) given[name] = toOrt(ort, name, value);
  let answer: InferenceSession.ReturnType;
  try {
    const wanted: Record<string, OrtTensor | null> = {};
    for (const name of fetches) wanted[name] = into[name] === undefined ? null : toOrt(ort, name, into[name]);
    answer = await session.run(given, wanted);
  } catch (cause) {
    throw new MarauderError("ENGINE_FAILED", `ONNX Runtime failed while running the model: ${wordsOf(cause)}`, {
      details: { feeds: Object.fromEntries(Object.entries(feeds).map(([k, v]) => [k, `${v.dtype}[${v.dims}]`])) },
      cause,
    });
  }
  const out: Record<string, Tensor> = {};
  for (const name of fetches) {
    const value = answer[name];
    if (value === undefined) {
      throw new MarauderError("ENGINE_FAILED", `ONNX Runtime gave no value for output ${excerpt(name)}`);
    }
    out[name] = fromOrt(name, value);
  }
  return out;
}

function toOrt(ort: Ort, name: string, value: Tensor): OrtTensor {
  if (!crossing.has(value.dtype)) throw cannotCross(name, value.dtype);
  let data: unknown = value.data;
  // The binding refuses shared memory; and where the platform has Float16Array, it wants float16 bits as one.
  if (!Array.isArray(data) && value.data instanceof Object && "buffer" in value.data) {
    if (value.data.buffer instanceof SharedArrayBuffer) data = value.data.slice();
    if (value.dtype === "float16") data = asFloat16(data as Uint16Array);
  }
  return new (ort.Tensor as new (type: string, data: unknown, dims: readonly number[]) => OrtTensor)(
    value.dtype,
    data,
    value.dims,
  );
}

type Float16Maker = new (buffer: ArrayBufferLike, offset: number, length: number) => ArrayBufferView;

function asFloat16(bits: Uint16Array): ArrayBufferView {
  const make = (globalThis as { Float16Array?: Float16Maker }).Float16Array;
  return make === undefined ? bits : new make(bits.buffer, bits.byteOffset, bits.length);
}

function fromOrt(name: string, value: OrtTensor): Tensor {
  const dtype = value.type as DType;
  if (!crossing.has(dtype)) throw cannotCross(name, dtype);
  let data = value.data as DataOf[DType];
  if (dtype === "float16" && !(data instanceof Uint16Array)) {
    const view = data as unknown as Float32Array;
    data = new Uint16Array(view.buffer, view.byteOffset, view.length);
  }
  return Object.freeze({ dtype, dims: Object.freeze([...value.dims]), data }) as Tensor;
}

const cannotCross = (name: string, dtype: string): MarauderError =>
  new MarauderError(
    "ENGINE_FAILED",
    `ONNX Runtime cannot exchange ${dtype} tensors with JavaScript (value ${excerpt(name)}); ` +
      `expected one of ${[...crossing].join(", ")}; put a Cast before it`,
  );
