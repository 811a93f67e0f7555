import { uniformBelow } from "../../privacy/mechanisms/exact.ts";
import type { DpEvent, mechanisms } from "../../privacy/index.ts";
import { RATE_STEPS, type PrivatePlan } from "./plan.ts";

export interface Sampler {
  draw(): DrawnBatch;
}

export interface DrawnBatch {
  /** What drawing this batch and releasing one noisy sum over it costs; null where an earlier event covers it. */
  readonly event: DpEvent | null;
  /** Records by group: at most `rows` in each, some may be empty. */
  readonly groups: readonly Uint32Array[];
}

/**
 * Truncated Poisson sampling: each record comes with probability `rate` by itself, exactly; of more than `cap` a random
 * `cap` are kept. Records stand in random ones of `cap` places, and `rows` places are a group, so that one record more or
 * less changes what is computed in one group alone: float32 sums depend on what they are added up with.
 */
export function poissonSampler(plan: PrivatePlan, source: mechanisms.NoiseSource, rows: number): Sampler {
  const { records, cap, event } = plan;
  const threshold = Math.round(plan.rate * RATE_STEPS);
  const places = new Uint32Array(cap);
  return {
    draw() {
      const drawn: number[] = [];
      for (let i = 0; i < records; i++) if (source.uint32() < threshold) drawn.push(i);
      const kept = Math.min(cap, drawn.length);
      for (let i = 0; drawn.length > cap && i < kept; i++) {
        const j = i + uniformBelow(source, drawn.length - i);
        [drawn[i], drawn[j]] = [drawn[j]!, drawn[i]!];
      }
      for (let i = 0; i < cap; i++) places[i] = i;
      const groups: number[][] = Array.from({ length: Math.ceil(cap / rows) }, () => []);
      for (let i = 0; i < kept; i++) {
        const j = i + uniformBelow(source, cap - i);
        [places[i], places[j]] = [places[j]!, places[i]!];
        groups[Math.floor(places[i]! / rows)]!.push(drawn[i]!);
      }
      return { event, groups: groups.map((group) => Uint32Array.from(group)) };
    },
  };
}

/** Batches of equal size through a freshly shuffled epoch; one event for the epoch. */
export function shuffledSampler(plan: PrivatePlan, source: mechanisms.NoiseSource, rows: number): Sampler {
  const { records, cap, stepsPerEvent, event } = plan;
  const order = Uint32Array.from({ length: records }, (_, i) => i);
  let at = 0;
  return {
    draw() {
      const first = at % stepsPerEvent === 0;
      const from = (at++ % stepsPerEvent) * cap;
      for (let i = from; i < from + cap; i++) {
        const j = i + uniformBelow(source, records - i);
        [order[i], order[j]] = [order[j]!, order[i]!];
      }
      const batch = order.slice(from, from + cap);
      const groups = Array.from({ length: Math.ceil(cap / rows) }, (_, k) => batch.subarray(k * rows, (k + 1) * rows));
      return { event: first ? event : null, groups };
    },
  };
}

export const samplerOf = (plan: PrivatePlan, source: mechanisms.NoiseSource, rows: number): Sampler =>
  plan.order === "poisson" ? poissonSampler(plan, source, rows) : shuffledSampler(plan, source, rows);
