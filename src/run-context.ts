import type { RunContext } from "./context.ts";
import { seeded } from "./random/index.ts";

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
