import type { Rng } from "./random/rng.ts";

/** What the runner lends to every attack, detector, defense and training run. */
export interface RunContext {
  readonly rng: Rng;
  readonly signal: AbortSignal;
  /** Reports progress: `done` of `of` steps. */
  step(done: number, of: number, note?: string): void;
}
