import { MarauderError } from "../errors.ts";
import { lgamma } from "./special.ts";

/** Exact two-sided p-value of McNemar's test: b and c count the pairs that changed one way and the other. */
export function mcnemar(b: number, c: number): number {
  if (![b, c].every((k) => Number.isSafeInteger(k) && k >= 0)) {
    throw new MarauderError("OPTION_RANGE", `McNemar's test needs two counts, got ${b} and ${c}`);
  }
  const n = b + c;
  let p = 0;
  for (let k = 0; k <= Math.min(b, c); k++)
    p += Math.exp(lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) - n * Math.LN2);
  return Math.min(1, 2 * p);
}
