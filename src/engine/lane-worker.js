// A lane: a thread that runs copies of models for the thread that made it (lanes.ts). In JavaScript, since a thread starts
// from a file as it is, in tests from the sources too.
// Asked: {ask, kind: "load", session, bytes, settings} | {ask, kind: "run", session, runs: [{feeds, fetches}]} | {ask, kind:
// "close", session}. Answered: {ask, answers} or {ask, error}. `counts` says how often either was.
import { receiveMessageOnPort, workerData } from "node:worker_threads";
import ort from "onnxruntime-node";

/** @type {{ port: import("node:worker_threads").MessagePort, counts: Int32Array, lookMs: number }} */
const { port, counts, lookMs } = workerData;

/** @type {Map<number, import("onnxruntime-node").InferenceSession>} */
const sessions = new Map();

/** @type {(wanted: any) => Promise<any>} */
async function answer({ kind, session: id, bytes, settings, runs }) {
  if (kind === "load") {
    sessions.set(id, await ort.InferenceSession.create(bytes, settings));
    return [];
  }
  const session = /** @type {import("onnxruntime-node").InferenceSession} */ (sessions.get(id));
  if (kind === "close") {
    sessions.delete(id);
    await session.release();
    return [];
  }
  const answers = [];
  for (const { feeds, fetches } of runs) {
    /** @type {Record<string, any>} */
    const given = {};
    for (const [name, { type, data, dims }] of Object.entries(feeds)) given[name] = new ort.Tensor(type, data, dims);
    const made = Object.entries(await session.run(given, fetches));
    answers.push(Object.fromEntries(made.map(([name, { type, data, dims }]) => [name, { type, data, dims }])));
  }
  return answers;
}

/** @type {(message: any) => Promise<void>} */
async function take({ ask, ...wanted }) {
  try {
    const answers = await answer(wanted);
    const memory = new Set(answers.flatMap((/** @type {any} */ made) => Object.values(made).map((v) => v.data.buffer)));
    memory.delete(undefined); // of strings
    port.postMessage({ ask, answers }, [...memory]);
  } catch (error) {
    port.postMessage({ ask, error: error instanceof Error ? error.message : String(error) });
  }
  Atomics.add(counts, 1, 1);
  Atomics.notify(counts, 1);
}

let busy = false;
port.on("message", async (first) => {
  if (busy) return await take(first);
  busy = true;
  for (let message = first; message !== undefined;) {
    const seen = Atomics.load(counts, 0);
    await take(message);
    const until = performance.now() + lookMs;
    while (Atomics.load(counts, 0) === seen && performance.now() < until);
    message = receiveMessageOnPort(port)?.message;
  }
  busy = false;
});
