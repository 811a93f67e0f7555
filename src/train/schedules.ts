import type { ScheduleId, TrainOptions } from "./trainer.ts";

/** Start and end of the one-cycle schedule, as parts of the peak. */
const CYCLE_START = 1 / 25;
const CYCLE_END = 1 / 250_000;

export type ScheduleOptions = Pick<TrainOptions, "schedule" | "learningRate" | "warmUp" | "stepEvery" | "stepFactor">;

/** Share of the steps over which the rate rises, where the options do not say. */
export const warmUpOf: Readonly<Record<ScheduleId, number>> = { constant: 0, cosine: 0.1, step: 0, "one-cycle": 0.3 };

/**
 * Learning rate of step t = 0 .. steps - 1. Over the share `warmUp` of the steps it rises in a line (Goyal et al. 2017,
 * section 2.2; one-cycle: like a cosine from a 25th of the peak); then
 * constant: the peak. cosine: from the peak towards 0 (Loshchilov & Hutter 2017, equation 5, one cycle).
 * step: times `stepFactor` after each share `stepEvery` of all steps.
 * one-cycle: like a cosine down to a 250 000th of the peak (Smith & Topin 2018, with cosines in place of lines).
 */
export function learningRateAt(options: ScheduleOptions, t: number, steps: number): number {
  const { schedule, learningRate: peak, stepEvery, stepFactor } = options;
  const rise = Math.floor((options.warmUp ?? warmUpOf[schedule]) * steps);
  const cosine = (from: number, to: number, part: number): number =>
    to + ((from - to) / 2) * (1 + Math.cos(Math.PI * part));
  if (t < rise) {
    return schedule === "one-cycle" ? cosine(CYCLE_START * peak, peak, t / rise) : (peak * (t + 1)) / (rise + 1);
  }
  switch (schedule) {
    case "constant":
      return peak;
    case "cosine":
      return cosine(peak, 0, (t - rise) / (steps - rise));
    case "step":
      return peak * stepFactor ** Math.floor(t / (stepEvery * steps) + 1e-9);
    case "one-cycle":
      return cosine(peak, CYCLE_END * peak, (t - rise) / Math.max(1, steps - 1 - rise));
  }
}
