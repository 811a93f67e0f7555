import type { Rng } from "../../random/index.ts";
import { secureWords } from "../../random/secure.ts";

/** Where noise comes from. Noise is private only from a secure source. */
export interface NoiseSource {
  /** Uniform on 0 .. 2^32 - 1. */
  uint32(): number;
  readonly secure: boolean;
  /** For reports: "system" or "NOT PRIVATE: seeded noise". */
  readonly label: string;
}

export const NOT_PRIVATE = "NOT PRIVATE: seeded noise";

/** The operating system's generator. */
export const secureSource = (): NoiseSource => ({ ...secureWords(), secure: true, label: "system" });

/**
 * Repeatable noise for tests and demonstrations. Whoever knows the seed subtracts the noise: what is released with it is
 * NOT PRIVATE, its event is one that no accountant knows, and a ledger refuses it.
 */
export const seededSource = (rng: Rng): NoiseSource => ({
  uint32: () => rng.uint32(),
  secure: false,
  label: NOT_PRIVATE,
});
