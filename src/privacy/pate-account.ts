import { MarauderError } from "../errors.ts";
import { defaultOrders, epsilonFromRdp, type RdpCurve } from "./accountants/rdp.ts";
import { checkDelta } from "./accountants/check.ts";
import { composed, gaussian, repeated, type DpEvent } from "./events.ts";
import { discreteGaussianSampler } from "./mechanisms/exact.ts";
import { secureSource, type NoiseSource } from "./mechanisms/source.ts";
import * as pate from "./pate.ts";
import * as smooth from "./pate-smooth.ts";

/** Confident GNMax (Papernot et al. 2018, algorithm 1). */
export interface PateNoise {
  /** A question is answered when the largest count, with noise, reaches this. */
  readonly threshold: number;
  /** Standard deviation of the noise on the largest count, in votes. */
  readonly thresholdSigma: number;
  /** Standard deviation of the noise on each count of an answer, in votes. */
  readonly sigma: number;
}

/** One question that was put to the teachers. */
export interface PateQuestion {
  readonly votes: readonly number[];
  /** False: the largest count did not seem to reach the threshold. That is an answer too, and has been paid for. */
  readonly answered: boolean;
}

/** What questions cost whatever the data are: noise over a change of one vote, in the one's largest count and the other's histogram. */
export function pateEvent({ thresholdSigma, sigma }: PateNoise, asked: number, answered: number): DpEvent {
  return composed([repeated(gaussian(thresholdSigma), asked), repeated(gaussian(sigma / Math.SQRT2), answered)]);
}

/**
 * Rényi curve of the questions on these very votes: smaller where teachers agree. It is itself private and must not leave
 * (`releasePateCost`). `slack`: step of the noise's grid, in votes.
 */
export function pateDataCurve(
  questions: readonly PateQuestion[],
  { threshold, thresholdSigma, sigma }: PateNoise,
  slack = 0,
  orders: readonly number[] = defaultOrders,
): RdpCurve {
  const values = new Float64Array(orders.length);
  for (const { votes, answered } of questions) {
    const logP = pate.logAnswered(Math.round(Math.max(...votes)), threshold, thresholdSigma);
    const logQ = pate.logNotPlurality(votes, sigma, slack);
    orders.forEach((alpha, i) => {
      values[i]! += pate.thresholdRdp(logP, thresholdSigma, alpha);
      if (answered) values[i]! += pate.gnmaxRdp(logQ, sigma, alpha);
    });
  }
  return { orders, values };
}

export interface PateRelease {
  readonly teachers: number;
  readonly delta: number;
  /** Rényi order, chosen without looking at the votes; default the one that suits the cost for all data. */
  readonly order?: number;
  /** How fast the smooth sensitivity falls with distance; default 0.4 / order. */
  readonly beta?: number;
  /** What the release itself may cost, Rényi at the order; default 0.1. */
  readonly releaseCost?: number;
  readonly source?: NoiseSource;
}

export interface ReleasedPateCost {
  /** A private estimate of epsilon on these votes, release included: right on average, NOT an upper bound of every run. */
  readonly epsilon: number;
  /** What holds for all data, at the best order: never depends on votes. */
  readonly epsilonAnyData: number;
  readonly order: number;
  readonly beta: number;
  /** Noise over the smooth sensitivity. */
  readonly noise: number;
  /** The conditions C5 and C6 of the paper hold; where they do not, only `epsilonAnyData` is given, in both places. */
  readonly conditions: { readonly c5: boolean; readonly c6: boolean };
}

/**
 * A data-dependent cost that may be shown: the Rényi cost at one order plus normal noise in proportion to its smooth
 * sensitivity (Papernot et al. 2018, section B.3, theorem 23), rounded to 1e-4. Throws OPTION_RANGE.
 */
export function releasePateCost(
  questions: readonly PateQuestion[],
  noise: PateNoise,
  release: PateRelease,
): ReleasedPateCost {
  const { teachers, delta, releaseCost = 0.1, source = secureSource() } = release;
  checkDelta(delta);
  const answered = questions.filter((q) => q.answered);
  const { threshold, thresholdSigma, sigma } = noise;
  const anyData: RdpCurve = {
    orders: defaultOrders,
    values: Float64Array.from(
      defaultOrders,
      (a) =>
        questions.length * pate.thresholdRdpAnyData(thresholdSigma, a) +
        answered.length * pate.gnmaxRdpAnyData(sigma, a),
    ),
  };
  const bound = epsilonFromRdp(anyData, delta);
  const alpha = release.order ?? Math.max(1.5, bound.order);
  const beta = release.beta ?? 0.4 / alpha;
  if (!(alpha > 1 && beta > 0 && alpha < 1 / (2 * beta)))
    throw new MarauderError(
      "OPTION_RANGE",
      `releasing a data-dependent cost needs an order above 1 and a beta from 0 to 1 / (2 order), got order ${alpha}, beta ${beta}`,
    );
  const fixed = smooth.smoothReleaseRdp(beta, Infinity, alpha);
  const smoothNoise = Math.sqrt((alpha * Math.exp(2 * beta)) / releaseCost);
  const classes = questions[0]?.votes.length ?? 2;
  const conditions = smooth.smoothConditions(sigma, classes, alpha);
  const common = { epsilonAnyData: bound.epsilon, order: alpha, beta, noise: smoothNoise, conditions };
  if (!conditions.c5 || !conditions.c6) return { ...common, epsilon: bound.epsilon };
  const local = new Float64Array(teachers);
  for (const { votes, answered: told } of questions) {
    const step = smooth.thresholdLocalSensitivity(Math.max(...votes), teachers, threshold, thresholdSigma, alpha);
    step.forEach((x, d) => (local[d]! += x));
    if (told) smooth.gnmaxLocalSensitivity(votes, teachers, sigma, alpha).forEach((x, d) => (local[d]! += x));
  }
  const exact = pateDataCurve(questions, noise, 0, [alpha]).values[0]!;
  const scale = smoothNoise * smooth.smoothSensitivity(beta, local);
  const draw = discreteGaussianSampler(source, 2 ** 20)() / 2 ** 20;
  const total = exact + scale * draw + fixed + releaseCost;
  const epsilon = total + Math.log1p(-1 / alpha) - Math.log(delta * alpha) / (alpha - 1);
  return { ...common, epsilon: Math.max(0, Math.round(epsilon * 1e4) / 1e4) };
}
