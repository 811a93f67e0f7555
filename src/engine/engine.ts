import type { Model } from "../ir/graph.ts";
import type { Tensor } from "../tensor/index.ts";

export interface SessionOptions {
  /** Threads inside one operator. Results of several threads may differ in the last bits. */
  readonly threads?: number;
}

/** Runs ONNX models. Two implementations: ONNX Runtime, and a float64 interpreter that serves as the oracle. */
export interface Engine {
  readonly id: string;
  /** Values of convolutions are held in blocks of so many channels (or of a part of them) here; absent where they are not. */
  readonly channelBlock?: number;
  /** Throws ENGINE_FAILED with the engine's own words in `cause`. */
  load(model: Model, options?: SessionOptions): Promise<Session>;
}

/** A loaded model: a resource, closed by its owner. */
export interface Session {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /**
   * `fetches` names the outputs wanted, all when absent. Feeds are not modified; outputs are fresh, but for those with a
   * tensor in `into`, of their type and shape, which an engine may write to instead of making one.
   */
  run(
    feeds: Readonly<Record<string, Tensor>>,
    fetches?: readonly string[],
    into?: Readonly<Record<string, Tensor>>,
  ): Promise<Record<string, Tensor>>;
  close(): Promise<void>;
}
