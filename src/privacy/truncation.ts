import { betaCdf } from "../stats/special.ts";

/** Probability that the other `records - 1` records, each drawn with probability `rate`, fill a batch of `cap` alone. */
export function fullWithoutOne(rate: number, cap: number, records: number): number {
  const others = records - 1;
  if (others < cap || rate === 0) return 0;
  // P(Binomial(others, rate) >= cap) through the beta distribution, exact in the tail.
  return rate === 1 ? 1 : betaCdf(rate, cap, others - cap + 1);
}
