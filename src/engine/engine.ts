import type { Model } from "../ir/graph.ts";
import type { Tensor } from "../tensor/index.ts";

export interface SessionOptions {
  /** Threads inside one operator. Results of several threads may differ in the last bits. */
  readonly threads?: number;
  /**
   * Whether threads are for runs side by side (`Session.runAll`) in place of the inside of operators: then each lane has a
   * copy of the model and one thread. An engine may have fewer lanes than threads, or one.
   */
  readonly lanes?: boolean;
  /** Whether runs say where all their outputs go (`Run.into`), so that an engine need not hand them back as copies. */
  readonly places?: boolean;
}

/** Runs ONNX models. Two implementations: ONNX Runtime, and a float64 interpreter that serves as the oracle. */
export interface Engine {
  readonly id: string;
  /** Values of convolutions are held in blocks of so many channels (or of a part of them) here; absent where they are not. */
  readonly channelBlock?: number;
  /** Throws ENGINE_FAILED with the engine's own words in `cause`. */
  load(model: Model, options?: SessionOptions): Promise<Session>;
}

/** One run of a model. */
export interface Run {
  readonly feeds: Readonly<Record<string, Tensor>>;
  /** The outputs wanted, all when absent. */
  readonly fetches?: readonly string[] | undefined;
  /** Tensors of an output's type and shape, which an engine may write to instead of making one. */
  readonly into?: Readonly<Record<string, Tensor>> | undefined;
}

/** A loaded model: a resource, closed by its owner. */
export interface Session {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** How many runs of `runAll` go side by side. */
  readonly lanes: number;
  /** Feeds are not modified; outputs are fresh, but for those with a tensor in `into`. */
  run(feeds: Run["feeds"], fetches?: Run["fetches"], into?: Run["into"]): Promise<Record<string, Tensor>>;
  /** The outputs of several runs, in their order: as many at a time as there are lanes. The lanes do not change a bit of them. */
  runAll(runs: readonly Run[]): Promise<Record<string, Tensor>[]>;
  close(): Promise<void>;
}

/** `runAll` for a session that runs one thing at a time. */
export async function inTurn(run: Session["run"], runs: readonly Run[]): Promise<Record<string, Tensor>[]> {
  const answers: Record<string, Tensor>[] = [];
  for (const { feeds, fetches, into } of runs) answers.push(await run(feeds, fetches, into));
  return answers;
}
