import type { GraphBuilder } from "../ir/index.ts";
import type { OptimizerId, ScheduleId, TrainOptions } from "./trainer.ts";

/** An optimizer as nodes. Parameters, gradient and state are vectors of equal length; rates are vectors of length 1. */
export interface Optimizer {
  /** Number of state vectors; all start at 0. */
  readonly states: number;
  /** Number of rates that a step needs. */
  readonly rates: number;
  /** Rates of step t = 1, 2, … at the given learning rate. */
  ratesAt(t: number, learningRate: number, options: Pick<TrainOptions, "momentum" | "weightDecay">): number[];
  /** Appends the update and returns the names of the new parameters and states. */
  emit(
    b: GraphBuilder,
    parameters: string,
    gradient: string,
    states: readonly string[],
    rates: readonly string[],
  ): Updated;
}

export interface Updated {
  readonly parameters: string;
  readonly states: readonly string[];
}

const BETA1 = 0.9;
const BETA2 = 0.999;
const EPSILON = 1e-8;

/** v <- momentum v + (g + weightDecay p); p <- p - learningRate v. Sutskever et al. 2013, in the form without dampening. */
const sgd: Optimizer = {
  states: 1,
  rates: 3,
  ratesAt: (_t, learningRate, { momentum, weightDecay }) => [learningRate, momentum, weightDecay],
  emit(b, p, g, [v], [learningRate, momentum, weightDecay]) {
    const decayed = b.add(g, b.mul(p, weightDecay!));
    const velocity = b.add(b.mul(v!, momentum!), decayed);
    return { parameters: b.sub(p, b.mul(velocity, learningRate!)), states: [velocity] };
  },
};

/**
 * Kingma & Ba 2015, algorithm 1, with the decoupled weight decay of Loshchilov & Hutter 2019, algorithm 2 (the decay is
 * multiplied by the learning rate). The bias corrections are rates, so that the graph does not count steps.
 */
const adam: Optimizer = {
  states: 2,
  rates: 3,
  ratesAt: (t, learningRate, { weightDecay }) => [
    learningRate / (1 - BETA1 ** t),
    1 / Math.sqrt(1 - BETA2 ** t),
    1 - learningRate * weightDecay,
  ],
  emit(b, p, g, [m, v], [rate, secondCorrection, keep]) {
    const first = b.add(b.mul(m!, b.scalar(BETA1)), b.mul(g, b.scalar(1 - BETA1)));
    const second = b.add(b.mul(v!, b.scalar(BETA2)), b.mul(b.mul(g, g), b.scalar(1 - BETA2)));
    const root = b.add(b.mul(b.op("Sqrt", [second]), secondCorrection!), b.scalar(EPSILON));
    const move = b.mul(b.div(first, root), rate!);
    return { parameters: b.sub(b.mul(p, keep!), move), states: [first, second] };
  },
};

export const optimizers: Readonly<Record<OptimizerId, Optimizer>> = { sgd, adam };

/** Share of the steps over which the cosine schedule rises to its peak first. */
const WARM_UP = 0.1;

/**
 * Learning rate of step t = 0 .. steps - 1. cosine: a linear warm-up over the first tenth of the steps (Goyal et al. 2017,
 * section 2.2), then Loshchilov & Hutter 2017, equation 5, one cycle from the peak towards 0.
 */
export function learningRateAt(schedule: ScheduleId, peak: number, t: number, steps: number): number {
  const rise = Math.floor(WARM_UP * steps);
  if (schedule === "constant") return peak;
  if (t < rise) return (peak * (t + 1)) / (rise + 1);
  return (peak / 2) * (1 + Math.cos((Math.PI * (t - rise)) / (steps - rise)));
}
