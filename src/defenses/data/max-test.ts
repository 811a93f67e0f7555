import type { Rng } from "../../random/rng.ts";

/** Counts of rows with some property, one for each hypothesis, given who belongs to the suspects (1) or the reference (0). */
export type Counter = (member: Uint8Array, out: Float64Array) => void;

/**
 * Permutation test of many counts at once (Westfall and Young 1993, single-step max-T): are there more such rows among the
 * suspects than chance gives when membership is shuffled within each class? Returns, for each hypothesis, the p-value
 * adjusted for all of them; the probability of any value at or below alpha is at most alpha when suspects and reference
 * have, class by class, one distribution, whatever it is. Counts are one-sided, in units of their shuffled spread (with 1
 * added to the variance, so that a count of a few rows does not dominate).
 */
export function maxTest(
  hypotheses: number,
  classes: readonly (readonly number[])[],
  member: Uint8Array,
  count: Counter,
  rng: Rng,
  shuffles: number,
): { adjusted: Float64Array; z: Float64Array } {
  const runs = shuffles + 1;
  const counts = new Float64Array(runs * hypotheses);
  count(member, counts.subarray(0, hypotheses));
  const shuffled = member.slice();
  for (let run = 1; run < runs; run++) {
    for (const rows of classes) {
      for (let i = rows.length - 1; i > 0; i--) {
        const j = rng.int(i + 1);
        const a = rows[i]!;
        const b = rows[j]!;
        const keep = shuffled[a]!;
        shuffled[a] = shuffled[b]!;
        shuffled[b] = keep;
      }
    }
    count(shuffled, counts.subarray(run * hypotheses, (run + 1) * hypotheses));
  }
  const top = new Float64Array(runs).fill(-Infinity);
  const z = new Float64Array(hypotheses);
  for (let h = 0; h < hypotheses; h++) {
    let mean = 0;
    for (let run = 0; run < runs; run++) mean += counts[run * hypotheses + h]!;
    mean /= runs;
    let variance = 0;
    for (let run = 0; run < runs; run++) variance += (counts[run * hypotheses + h]! - mean) ** 2;
    const spread = Math.sqrt(variance / runs + 1);
    for (let run = 0; run < runs; run++) {
      const value = (counts[run * hypotheses + h]! - mean) / spread;
      if (run === 0) z[h] = value;
      if (value > top[run]!) top[run] = value;
    }
  }
  const adjusted = z.map((own) => {
    let above = 0;
    for (let run = 0; run < runs; run++) if (top[run]! >= own - 1e-12) above++;
    return above / runs;
  });
  return { adjusted, z };
}
