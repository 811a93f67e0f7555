import type { GradientCheck } from "../grad/index.ts";

/** What a comparison of a gradient with finite differences says. */
export interface GradientOutcome {
  /**
   * - "compared": the relative error tells whether the gradient is right
   * - "flat": nothing flows at the points tried, as behind comparisons alone
   * - "estimate": quantizers on the path, whose gradient is declared as straight-through
   */
  readonly outcome: "compared" | "flat" | "estimate";
  /**
   * Largest |<u, J v> - <J' u, v>|, relative to the sum of the absolute terms. Null where differences say nothing: all
   * of them are 0, or quantizers lie on the path.
   */
  readonly relativeError: number | null;
}

export function outcomeOf({ estimated, magnitude, relativeError }: GradientCheck): GradientOutcome {
  if (estimated.length > 0) return { outcome: "estimate", relativeError: null };
  return magnitude === 0 ? { outcome: "flat", relativeError: null } : { outcome: "compared", relativeError };
}
