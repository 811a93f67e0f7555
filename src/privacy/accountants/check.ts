import { MarauderError } from "../../errors.ts";

/** Throws OPTION_RANGE unless 0 < delta < 1. */
export function checkDelta(delta: number): void {
  if (delta > 0 && delta < 1) return;
  throw new MarauderError(
    "OPTION_RANGE",
    `a privacy statement needs a delta between 0 and 1 (excluded), got ${delta}; usual is 1e-5, and below one over the number of records`,
  );
}
