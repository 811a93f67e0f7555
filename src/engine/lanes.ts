import { MessageChannel, receiveMessageOnPort, Worker } from "node:worker_threads";
import type { Plain, PlainRun } from "./ort-values.ts";

type Answers = readonly Readonly<Record<string, Plain>>[];

/** A thread that holds copies of models and runs them, one run after the other. Other threads go on meanwhile. */
interface Lane {
  ask(what: object, transferred?: readonly ArrayBufferLike[]): Promise<Answers>;
  /** Looks for answers for a moment, so that this thread need not fall asleep for the rest of a run. */
  look(): void;
}

/** A model in a lane. */
export interface LaneSession {
  run(runs: readonly PlainRun[]): Promise<Answers>;
  look(): void;
  close(): Promise<void>;
}

const lanes: Lane[] = [];
let sessions = 0;

/** Loads a copy of a model into the lane of that number; rejects with the engine's own words. */
export async function loadInLane(number: number, bytes: Uint8Array, settings: object): Promise<LaneSession> {
  const lane = (lanes[number] ??= startLane(number));
  const session = sessions++;
  await lane.ask({ kind: "load", session, bytes, settings });
  return {
    run: async (runs) => {
      const { sent, memory } = packed(runs);
      return await lane.ask({ kind: "run", session, runs: sent }, memory);
    },
    look: lane.look,
    // A lane that has ended holds nothing any more.
    close: async () => void (lanes[number] === lane && (await lane.ask({ kind: "close", session }))),
  };
}

/** The runs with feeds in memory of their own, that goes over to the lane; what several runs are fed goes once. */
function packed(runs: readonly PlainRun[]): { sent: readonly PlainRun[]; memory: readonly ArrayBufferLike[] } {
  const copies = new Map<unknown, ArrayBufferView>();
  const own = (data: unknown): unknown => {
    if (!ArrayBuffer.isView(data)) return data;
    const copy = copies.get(data) ?? (data as Uint8Array).slice();
    copies.set(data, copy);
    return copy;
  };
  const sent = runs.map(({ feeds, fetches }) => ({
    feeds: Object.fromEntries(Object.entries(feeds).map(([name, v]) => [name, { ...v, data: own(v.data) }])),
    fetches,
  }));
  return { sent, memory: [...copies.values()].map((copy) => copy.buffer) };
}

/** Started at first use and never ended: such a thread cannot be stopped safely while it runs a model. */
function startLane(number: number): Lane {
  const { port1: port, port2 } = new MessageChannel();
  const counts = new Int32Array(new SharedArrayBuffer(8));
  if (counters.push(counts) === 1) process.once("exit", waitForLanes);
  const worker = new Worker(new URL("./lane-worker.js", import.meta.url), {
    name: `lane ${number}`,
    execArgv: [],
    workerData: { port: port2, counts, lookMs: LOOK_MS },
    transferList: [port2],
  });
  const waiting = new Map<number, { resolve: (answers: Answers) => void; reject: (error: Error) => void }>();
  let asked = 0;
  const end = (cause: Error): void => {
    if (lanes[number] === lane) delete lanes[number];
    for (const { reject } of waiting.values()) reject(cause);
    waiting.clear();
    Atomics.store(counts, 1, Atomics.load(counts, 0)); // nobody waits for it
  };
  const take = ({ ask, answers, error }: { ask: number; answers?: Answers; error?: string }): void => {
    const { resolve, reject } = waiting.get(ask)!;
    waiting.delete(ask);
    if (waiting.size === 0) port.unref();
    if (answers === undefined) reject(new Error(error));
    else resolve(answers);
  };
  port.on("message", take);
  worker.on("error", end);
  worker.on("exit", (code) => end(new Error(`the thread ended (exit code ${code})`)));
  // A lane without work does not keep the process.
  worker.unref();
  port.unref();
  const lane: Lane = {
    ask: (what, transferred = []) =>
      new Promise((resolve, reject) => {
        if (lanes[number] !== lane) throw new Error("the thread has ended");
        const ask = asked++;
        waiting.set(ask, { resolve, reject });
        port.ref();
        port.postMessage({ ask, ...what }, transferred as ArrayBuffer[]);
        Atomics.add(counts, 0, 1);
      }),
    look: () => {
      const until = performance.now() + LOOK_MS;
      while (waiting.size > 0 && performance.now() < until) {
        const seen = Atomics.load(counts, 1);
        const found = receiveMessageOnPort(port);
        if (found !== undefined) take(found.message);
        else while (Atomics.load(counts, 1) === seen && performance.now() < until);
      }
    },
  };
  return lane;
}

/** How often each lane was asked, and has answered. */
const counters: Int32Array[] = [];
const EXIT_MS = 10_000;

/** The process ends when no lane is at work: a thread that is ended inside ONNX Runtime aborts it, whatever its exit code. */
function waitForLanes(): void {
  const until = performance.now() + EXIT_MS;
  for (const counts of counters) {
    const answered = (): number => Atomics.load(counts, 1);
    for (let n = answered(); n !== Atomics.load(counts, 0) && performance.now() < until; n = answered()) {
      Atomics.wait(counts, 1, n, EXIT_MS);
    }
  }
}

/** How long both sides look for a message before they sleep: to wake a thread costs the other 0.1 ms. */
const LOOK_MS = 0.2;
