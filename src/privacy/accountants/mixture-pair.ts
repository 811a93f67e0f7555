import { tailGap, upperNormal } from "../normal.ts";
import type { LossPair } from "./loss-pairs.ts";

interface Part {
  readonly shift: number;
  readonly weight: number;
  readonly log: number;
}

/**
 * P = sum of weights[i] N(shifts[i], sigma²) against Q = N(0, sigma²), shifts from 0 up, in both directions: a unit with
 * several records, of which a random number takes part (Ganesh 2024, "Tight group-level DP guarantees for DP-SGD with
 * sampling via mixture of Gaussians mechanisms", theorem 3.1). The loss rises with x, so the best event is a half line;
 * writing exp(e) as the likelihood ratio at its end makes every term of the divergence a difference of two Gaussians'.
 */
export function mixturePair(sigma: number, shifts: readonly number[], weights: readonly number[]): LossPair {
  const parts: readonly Part[] = shifts
    .map((shift, i) => ({ shift: shift / sigma, weight: weights[i]!, log: Math.log(weights[i]!) }))
    .filter((p) => p.weight > 0);
  const atZero = parts.reduce((sum, p) => sum + (p.shift === 0 ? p.weight : 0), 0);
  const rising = parts.filter((p) => p.shift > 0);
  /** log of weight times likelihood ratio of a part at x (in units of sigma). */
  const logPart = (p: Part, x: number): number => p.log + p.shift * (x - p.shift / 2);
  /**
   * Where the loss is e; -Infinity where it is larger everywhere. The loss is a convex rising function of x, so that
   * Newton's method comes down to the root from the right without overshooting; no part alone reaches e before the sum.
   */
  const at = (e: number): number => {
    if (e <= Math.log(atZero)) return -Infinity;
    let x = Math.min(...rising.map((p) => (e - p.log) / p.shift + p.shift / 2));
    for (let i = 0; i < 200; i++) {
      let [top, sum, slope] = [-Infinity, 0, 0];
      for (const p of parts) top = Math.max(top, logPart(p, x));
      for (const p of parts) {
        const term = Math.exp(logPart(p, x) - top);
        sum += term;
        slope += term * p.shift;
      }
      const next = x - ((top + Math.log(sum) - e) * sum) / slope;
      if (!(next < x)) break;
      x = next;
    }
    return x;
  };
  if (rising.length === 0) {
    const none = { delta: () => 0, second: () => 0 };
    return { forward: none, reverse: none };
  }
  return {
    forward: {
      delta(e) {
        const x = at(e);
        return parts.reduce((sum, p) => sum + p.weight * tailGap(x - p.shift, p.shift), 0);
      },
      second: (e) => upperNormal(at(e)),
    },
    reverse: {
      delta(e) {
        const x = at(-e);
        if (x === -Infinity) return 0;
        return parts.reduce((sum, p) => sum + Math.exp(logPart(p, x) + e) * tailGap(-x, p.shift), 0);
      },
      second(e) {
        const x = at(-e);
        return x === -Infinity ? 0 : parts.reduce((sum, p) => sum + p.weight * upperNormal(p.shift - x), 0);
      },
    },
  };
}
