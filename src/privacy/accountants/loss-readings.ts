import { checkDelta } from "./check.ts";
import type { LossMasses } from "./discretize.ts";

/** What can be read from composed loss distributions (one for each direction), of which no finite loss exceeds `bound`. */
export interface LossReadings {
  epsilon(delta: number): number;
  delta(epsilon: number): number;
  truePositives(falsePositives: number): number;
}

export const noGuarantee: LossReadings = { epsilon: () => Infinity, delta: () => 1, truePositives: () => 1 };

export function readingsOf(both: readonly LossMasses[], step: number, bound: number, floor: number): LossReadings {
  return {
    epsilon(delta) {
      checkDelta(delta);
      if (delta < floor) return bound;
      return Math.min(bound, Math.max(0, ...both.map((m) => epsilonOf(m, delta, step))));
    },
    delta(epsilon) {
      if (epsilon >= bound) return 0;
      return Math.min(1, Math.max(floor, ...both.map((m) => deltaOf(m, epsilon, step))));
    },
    truePositives(falsePositives) {
      return Math.min(1, Math.max(falsePositives, ...both.map((m) => powerOf(m, falsePositives, step))));
    },
  };
}

function deltaOf({ start, masses, infinity }: LossMasses, epsilon: number, step: number): number {
  let delta = infinity;
  for (let i = masses.length - 1; i >= 0; i--) {
    const over = (start + i) * step - epsilon;
    if (over <= 0) break;
    delta += masses[i]! * -Math.expm1(-over);
  }
  return delta;
}

/** From the largest loss down: the first stretch of the grid on which delta reaches the target, solved exactly. */
function epsilonOf({ start, masses, infinity }: LossMasses, delta: number, step: number): number {
  if (infinity > delta) return Infinity;
  const shrink = Math.exp(-step);
  let mass = infinity;
  let weighted = 0; // sum of masses times exp(reference - loss), the reference moving with the scan
  let loss = (start + masses.length - 1) * step;
  for (let i = masses.length - 1; i >= 0; i--, loss = (start + i) * step) {
    // At epsilon = loss, delta is mass - weighted; below it, mass - exp(epsilon - loss) weighted.
    if (mass - weighted > delta) break;
    if (loss < 0) return 0;
    mass += masses[i]!;
    weighted = (weighted + masses[i]!) * shrink;
  }
  return mass <= delta ? 0 : loss + Math.log((mass - delta) / weighted);
}

/** The lemma of Neyman and Pearson: take the largest losses first, and the last one by chance. */
function powerOf({ start, masses, infinity }: LossMasses, size: number, step: number): number {
  let [power, used] = [infinity, 0];
  for (let i = masses.length - 1; i >= 0; i--) {
    const cost = masses[i]! * Math.exp(-(start + i) * step);
    if (used + cost >= size) return power + (masses[i]! * (size - used)) / cost;
    used += cost;
    power += masses[i]!;
  }
  return 1;
}
