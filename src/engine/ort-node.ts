import { availableParallelism } from "node:os";
import type { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { MarauderError } from "../errors.ts";
import { encodeApart } from "../ir/index.ts";
import type { Model } from "../ir/index.ts";
import { inTurn } from "./engine.ts";
import type { Engine, Run, Session, SessionOptions } from "./engine.ts";
import { laned } from "./laned.ts";
import { isRefusal, withRefusal } from "./refusal.ts";
import { checkCrossing, failedRun, tensorsOf, toPlain, wordsOf, type Plain, type PlainRun } from "./ort-values.ts";

type Ort = typeof import("onnxruntime-node");

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

/** Bytes of outputs from which on their copies take longer than the exception in their place, 45 us. */
const LEAST_COPIES = 2 ** 17;

/** Each lane holds a copy of the model and the values of a run: further threads go inside the operators of these. */
const MOST_LANES = 8;

async function load(model: Model, options: SessionOptions = {}): Promise<Session> {
  const silent = options.places === true ? withRefusal(model) : null;
  const { bytes, apart } = encodeApart(silent?.model ?? model, LEAST_APART);
  const ort = await loadOrt();
  const threads = options.threads ?? availableParallelism();
  const lanes = options.lanes === true ? Math.min(threads, MOST_LANES) : 1;
  const settings: InferenceSession.SessionOptions = {
    executionProviders: ["cpu"],
    intraOpNumThreads: Math.floor(threads / lanes),
    interOpNumThreads: 1,
    externalData: Array.from(apart, ([path, data]) => ({ path, data: unshared(data) })),
    enableMemPattern: manySmall(model),
    logSeverityLevel: 4, // errors come back as exceptions
    // Threads that wait for work spin for a moment: a fifth faster for small models. Spinning without end would make
    // runs three times slower on a busy machine.
    extra: { session: { intra_op: { allow_spinning: "1", spin_duration_us: "50" } } },
  };
  let native: InferenceSession;
  try {
    native = await ort.InferenceSession.create(bytes, settings);
  } catch (cause) {
    throw new MarauderError("ENGINE_FAILED", `ONNX Runtime refused the model: ${wordsOf(cause)}`, { cause });
  }
  let open = true;
  const types = new Map(model.graph.outputs.map((v) => [v.name, v.dtype]));
  const outputs = native.outputNames.filter((name) => name !== silent?.refused);
  const checked = ({ feeds, fetches }: Run): PlainRun => {
    if (!open) throw new MarauderError("ENGINE_FAILED", "internal: a model was run after it was closed");
    const wanted = fetches ?? outputs;
    // The binding takes the process down over a result of a type that it does not know.
    for (const name of wanted) {
      const dtype = types.get(name) ?? null;
      if (dtype !== null) checkCrossing(name, dtype);
    }
    const plain = Object.entries(feeds).map(([name, value]) => [name, toPlain(name, value)]);
    return { feeds: Object.fromEntries(plain) as Record<string, Plain>, fetches: wanted };
  };
  const run: Session["run"] = async (feeds, fetches, into = {}) => {
    const plain = checked({ feeds, fetches });
    const given: Record<string, OrtTensor> = {};
    for (const [name, value] of Object.entries(plain.feeds)) given[name] = toOrt(ort, value);
    const places: Record<string, OrtTensor | null> = {};
    for (const name of plain.fetches) {
      places[name] = into[name] === undefined ? null : toOrt(ort, toPlain(name, into[name]));
    }
    // Shared memory is no place: the binding gets a copy of it.
    const placed = plain.fetches.filter((name) => into[name] !== undefined && places[name]!.data === into[name].data);
    const written = Object.fromEntries(placed.map((name) => [name, into[name]!]));
    const bytes = placed.reduce((sum, name) => sum + (into[name]!.data as Float32Array).byteLength, 0);
    // A run that asks for nothing asks for the refusal: the binding takes no names for all names.
    const all = silent !== null && placed.length === plain.fetches.length && (bytes === 0 || bytes >= LEAST_COPIES);
    if (all) places[silent.refused] = null;
    let answer: InferenceSession.ReturnType;
    try {
      answer = await native.run(given, places);
    } catch (cause) {
      if (all && isRefusal(cause)) return written;
      throw failedRun(cause, feeds);
    }
    return { ...tensorsOf(answer, plain.fetches), ...written };
  };
  const session: Session = {
    inputs: Object.freeze([...native.inputNames]),
    outputs: Object.freeze(outputs),
    lanes: 1,
    run,
    runAll: (runs) => inTurn(run, runs),
    async close() {
      if (!open) return;
      open = false;
      await native.release();
    },
  };
  return lanes === 1 ? session : laned(session, lanes, checked, { bytes, settings });
}

const toOrt = (ort: Ort, { type, data, dims }: Plain): OrtTensor =>
  new (ort.Tensor as new (type: string, data: unknown, dims: readonly number[]) => OrtTensor)(type, data, dims);
