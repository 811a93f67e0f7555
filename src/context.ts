import { seeded } from "./random/index.ts";
import type { Rng } from "./random/rng.ts";

/** What the runner lends to every attack, detector, defense and training run. */
export interface RunContext {
  readonly rng: Rng;
  readonly signal: AbortSignal;
  /** Reports progress: `done` of `of` steps. */
  step(done: number, of: number, note?: string): void;
}

export interface RunContextOptions {
  /** Root of everything random; default 0. */
  readonly seed?: number;
  readonly signal?: AbortSignal;
  /** Called with the steps done, of how many. */
  readonly step?: RunContext["step"];
}

/** A context for code that calls attacks, detectors or training itself. The same seed gives the same results. */
export function runContext({ seed = 0, signal, step }: RunContextOptions = {}): RunContext {
  return { rng: seeded(seed), signal: signal ?? new AbortController().signal, step: step ?? (() => undefined) };
}
