import { MarauderError } from "../errors.ts";
import { deltaFromRdp, type RdpCurve } from "./accountants/rdp.ts";

/**
 * How often a training is run before the best run is published: a random number of times with the given mean. For the
 * negative binomial, shape 0 is the logarithmic and 1 the geometric distribution.
 */
export type RepeatCount =
  | { readonly distribution: "poisson"; readonly mean: number }
  | { readonly distribution: "negative-binomial"; readonly mean: number; readonly shape: number };

/**
 * The Rényi curve of "run it K times, publish the best" from that of one run: Papernot and Steinke 2022,
 * "Hyperparameter tuning with Rényi differential privacy", theorems 2 and 6. Throws OPTION_RANGE.
 */
export function repeatAndSelect(one: RdpCurve, count: RepeatCount): RdpCurve {
  const { orders } = one;
  if (count.distribution === "poisson") {
    check(count.mean > 0, "a mean above 0", count.mean);
    return { orders, values: Float64Array.from(orders, (alpha, i) => poisson(one, alpha, one.values[i]!, count.mean)) };
  }
  check(count.mean >= 1 && Number.isFinite(count.mean), "a mean from 1", count.mean);
  check(count.shape >= 0 && Number.isFinite(count.shape), "a shape from 0", count.shape);
  if (count.mean === 1) return one;
  const gamma = successProbability(count.mean, count.shape);
  let extra = Infinity;
  orders.forEach((beta, j) => {
    extra = Math.min(extra, (1 - 1 / beta) * one.values[j]! - Math.log(gamma) / beta);
  });
  const values = Float64Array.from(
    orders,
    (alpha, i) => one.values[i]! + Math.log(count.mean) / (alpha - 1) + (1 + count.shape) * extra,
  );
  // Rényi divergences grow with the order, so a bound at a higher order holds below.
  for (let i = values.length - 2; i >= 0; i--) values[i] = Math.min(values[i]!, values[i + 1]!);
  return { orders, values };
}

function poisson(one: RdpCurve, alpha: number, value: number, mean: number): number {
  const delta = deltaFromRdp(one, Math.log1p(1 / (alpha - 1)));
  return value + mean * delta + Math.log(mean) / (alpha - 1);
}

/** The gamma of the truncated negative binomial distribution that has the mean: m = shape (1 - g) / (g (1 - g^shape)). */
export function successProbability(mean: number, shape: number): number {
  const meanOf = (g: number): number =>
    shape === 0 ? (1 / g - 1) / -Math.log(g) : (shape * (1 - g)) / (g * -Math.expm1(shape * Math.log(g)));
  let [low, high] = [Number.MIN_VALUE, 1 - 1e-16];
  for (let i = 0; i < 2000 && high - low > 1e-16 * high; i++) {
    const middle = low < high / 4 ? Math.sqrt(low) * Math.sqrt(high) : (low + high) / 2;
    if (meanOf(middle) > mean) low = middle;
    else high = middle;
  }
  return low;
}

function check(holds: boolean, expected: string, got: number): void {
  if (!holds) throw new MarauderError("OPTION_RANGE", `the number of tuning runs needs ${expected}, got ${got}`);
}
