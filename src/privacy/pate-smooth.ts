import { normalQuantile } from "../stats/special.ts";
import { gnmaxBound, gnmaxRdpAnyData, logAnswered, logNotPlurality, logUpperNormal, thresholdRdp } from "./pate.ts";

/**
 * Smooth sensitivity of the data-dependent costs: Papernot et al. 2018, appendix B. How much a change of one vote may
 * change the cost of a question, at every number of votes away from the votes that were cast.
 */

/** x with log P(Z > x) = logP. */
function upperQuantile(logP: number): number {
  let x = logP > -700 ? -normalQuantile(Math.exp(logP)) : Math.sqrt(-2 * logP);
  for (let i = 0; i < 50; i++) {
    const at = logUpperNormal(x);
    const slope = -Math.exp(-0.5 * x * x - 0.9189385332046728 - at);
    const next = x - (at - logP) / slope;
    if (!Number.isFinite(next) || Math.abs(next - x) <= 1e-15 * Math.abs(x)) break;
    x = next;
  }
  return x;
}

/** log of the largest (sign 1) or smallest (sign -1) q that a change of one vote may lead to (proposition 9). */
export function logMoved(logQ: number, sigma: number, classes: number, sign: 1 | -1): number {
  const others = Math.log(classes - 1);
  const z = upperQuantile(logQ - others) - (sign * Math.SQRT2) / sigma;
  return Math.min(0, others + logUpperNormal(z));
}

/** The log q above which the cost that holds for all data is the smaller one. */
export function logTurningPoint(sigma: number, alpha: number): number {
  const upper = Math.min(-((1 + 1 / sigma) ** 2), -(((alpha - 0.99) / sigma) ** 2), -1 / sigma ** 2);
  const excess = (logQ: number): number => gnmaxBound(logQ, sigma, alpha) - gnmaxRdpAnyData(sigma, alpha);
  if (excess(upper) < 0) return upper;
  let low = 2 * upper;
  while (excess(low) > 0) {
    if (low < -1e5) return -Infinity;
    low *= 1.5;
  }
  let high = upper;
  for (let i = 0; i < 200 && high - low > 1e-15 * -low; i++) {
    const middle = (low + high) / 2;
    if (excess(middle) > 0) high = middle;
    else low = middle;
  }
  return low;
}

interface Setting {
  readonly sigma: number;
  readonly alpha: number;
  readonly classes: number;
  readonly turn: number;
  /** One vote below the turning point. */
  readonly before: number;
}

const settingOf = (sigma: number, alpha: number, classes: number): Setting => {
  const turn = logTurningPoint(sigma, alpha);
  return { sigma, alpha, classes, turn, before: logMoved(turn, sigma, classes, -1) };
};

const cost = ({ sigma, alpha, turn }: Setting, logQ: number): number =>
  logQ >= turn ? gnmaxRdpAnyData(sigma, alpha) : gnmaxBound(logQ, sigma, alpha);

/** Algorithm 3. */
function localAt(s: Setting, logQ: number): number {
  const at = s.before <= logQ && logQ <= s.turn ? s.before : logQ;
  const middle = cost(s, at);
  const up = cost(s, logMoved(at, s.sigma, s.classes, 1));
  const down = cost(s, logMoved(at, s.sigma, s.classes, -1));
  return Math.max(up - middle, middle - down);
}

/** Local sensitivity of `gnmaxRdp` at each distance 0 .. teachers - 1 from the votes (algorithms 4 and 5). */
export function gnmaxLocalSensitivity(
  votes: ArrayLike<number>,
  teachers: number,
  sigma: number,
  alpha: number,
): Float64Array {
  const s = settingOf(sigma, alpha, votes.length);
  const out = new Float64Array(teachers).fill(localAt(s, s.before));
  let logQ = logNotPlurality(votes, sigma);
  if (s.before <= logQ && logQ <= s.turn) return out;
  const sorted = Array.from(votes).sort((a, b) => b - a);
  out[0] = localAt(s, logQ);
  const agree = logQ > s.turn; // votes move towards agreement, else away from it, until the plateau is reached
  for (let d = 1; d < teachers; d++) {
    if (agree ? !(logQ > s.turn && sorted[1]! > 0) : !(logQ < s.before)) break;
    sorted[0]! += agree ? 1 : -1;
    sorted[1]! += agree ? -1 : 1;
    if (agree)
      for (let i = 1; i < sorted.length - 1 && sorted[i]! < sorted[i + 1]!; i++)
        [sorted[i], sorted[i + 1]] = [sorted[i + 1]!, sorted[i]!];
    logQ = logNotPlurality(sorted, sigma);
    out[d] = localAt(s, logQ);
  }
  return out;
}

/** Local sensitivity of `thresholdRdp` at each distance 0 .. teachers - 1. */
export function thresholdLocalSensitivity(
  largest: number,
  teachers: number,
  threshold: number,
  sigma: number,
  alpha: number,
): Float64Array {
  const costs = Array.from({ length: teachers + 1 }, (_, v) =>
    thresholdRdp(logAnswered(v, threshold, sigma), sigma, alpha),
  );
  const step = (v: number): number =>
    v < 0 || v > teachers
      ? 0
      : Math.max(
          v > 0 ? Math.abs(costs[v - 1]! - costs[v]!) : 0,
          v < teachers ? Math.abs(costs[v + 1]! - costs[v]!) : 0,
        );
  const top = Math.round(largest);
  return Float64Array.from({ length: teachers }, (_, d) => Math.max(step(top + d), step(top - d)));
}

/**
 * Conditions C5 and C6 of the paper, under which the local sensitivities above are bounds: the cost rises with q below the
 * turning point, and so does its step to the next vote. Checked on a fine grid of log q.
 */
export function smoothConditions(sigma: number, classes: number, alpha: number): { c5: boolean; c6: boolean } {
  const s = settingOf(sigma, alpha, classes);
  const rises = (to: number, f: (logQ: number) => number): boolean => {
    let before = -Infinity;
    for (let i = 4000; i >= 0; i--) {
      const value = f(to * (1 + (i / 4000) ** 2 * 20));
      if (value < before * (1 - 1e-9) - 1e-300) return false;
      before = value;
    }
    return true;
  };
  const bound = (logQ: number): number => gnmaxBound(logQ, sigma, alpha);
  const c5 = rises(s.turn, bound);
  return { c5, c6: c5 && rises(s.before, (q) => bound(logMoved(q, sigma, classes, 1)) - bound(q)) };
}

/** max over d of exp(-beta d) local[d]. */
export const smoothSensitivity = (beta: number, local: ArrayLike<number>): number => {
  let most = 0;
  for (let d = 0; d < local.length; d++) most = Math.max(most, Math.exp(-beta * d) * local[d]!);
  return most;
};

/** Rényi cost of releasing a number with normal noise of `sigma` times its smooth sensitivity (theorem 23); 1 < alpha < 1 / (2 beta). */
export const smoothReleaseRdp = (beta: number, sigma: number, alpha: number): number =>
  (alpha * Math.exp(2 * beta)) / sigma ** 2 + (-0.5 * Math.log1p(-2 * alpha * beta) + beta * alpha) / (alpha - 1);
