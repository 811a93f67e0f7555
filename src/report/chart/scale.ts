import type { Axis } from "../../contract/index.ts";
import { formatNumber } from "../format.ts";

/** An axis as a function from values to pixels, with its ticks. Values outside the domain are the caller's to clip. */
export interface Scale {
  readonly log: boolean;
  readonly domain: readonly [number, number];
  /** Pixel where 0 stands before the break of a log axis, or null. */
  readonly zero: number | null;
  readonly ticks: readonly { readonly value: number; readonly label: string }[];
  at(value: number): number;
}

/**
 * A scale for an axis and the values on it, onto pixels `start` to `end`.
 * Linear axes of fractions span 0 to 1; other linear axes include 0 where it is near. Log axes ignore values ≤ 0,
 * but that `zero` puts 0 before a break at the start, where it is among the values and the axis names no domain: the
 * dose 0 of a dose-response is its floor.
 */
export function scaleFor(
  axis: Axis,
  values: readonly number[],
  start: number,
  end: number,
  options: { readonly ticks: number; readonly zero?: boolean },
): Scale {
  const log = axis.scale === "log";
  const domain = domainFor(axis, values, log);
  const map = log ? Math.log10 : (value: number) => value;
  const [low, high] = [map(domain[0]), map(domain[1])];
  const ticks = log ? logTicks(domain, options.ticks) : linearTicks(domain, options.ticks);
  const zero = options.zero === true && log && axis.domain === undefined && values.includes(0) ? start : null;
  const first = zero === null ? start : start + Math.max(44, (end - start) * 0.09);
  return {
    log,
    domain,
    zero,
    ticks: [...(zero === null ? [] : [0]), ...ticks].map((value) => ({ value, label: tickLabel(value, axis) })),
    at: (value) =>
      log && value <= 0 ? (zero ?? Number.NaN) : first + ((map(value) - low) / (high - low)) * (end - first),
  };
}

function domainFor(axis: Axis, values: readonly number[], log: boolean): readonly [number, number] {
  const fits = (low: number, high: number) =>
    Number.isFinite(low) && Number.isFinite(high) && low < high && (!log || low > 0);
  if (axis.domain !== undefined && fits(...axis.domain)) return axis.domain;
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    if (!Number.isFinite(value) || (log && value <= 0)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (low > high) return log ? [0.1, 1] : [0, 1];
  if (log) return low === high ? [low / 10, high * 10] : [low, high];
  if (axis.unit === "fraction" && low >= 0 && high <= 1 && high > 0.3) return [0, 1];
  if (low > 0 && low < 0.6 * high) low = 0;
  if (low === high) return [low - (Math.abs(low) || 1) / 2, high + (Math.abs(high) || 1) / 2];
  return [low, high];
}

function linearTicks([low, high]: readonly [number, number], count: number): readonly number[] {
  const raw = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = ([1, 2, 2.5, 5, 10].find((factor) => factor * power >= raw * 0.999) ?? 10) * power;
  const ticks: number[] = [];
  const slack = step * 1e-9;
  for (let index = Math.ceil((low - slack) / step); index * step <= high + slack && ticks.length < 50; index++) {
    ticks.push(Number((index * step).toPrecision(12)));
  }
  return ticks;
}

/** Powers of ten; with 2 and 5 between them where the axis spans little. */
function logTicks([low, high]: readonly [number, number], count: number): readonly number[] {
  const first = Math.floor(Math.log10(low));
  const last = Math.ceil(Math.log10(high));
  const decades = last - first;
  const stride = Math.max(1, Math.ceil(decades / count));
  const span = Math.log10(high / low);
  const factors = span < 2.5 && span * 3 <= count * 1.6 ? [1, 2, 5] : [1];
  const ticks: number[] = [];
  for (let exponent = first; exponent <= last; exponent += stride) {
    for (const factor of factors) {
      const value = Number(`${factor}e${exponent}`);
      if (value >= low * 0.999999 && value <= high * 1.000001) ticks.push(value);
    }
  }
  return ticks;
}

function tickLabel(value: number, axis: Axis): string {
  if (axis.unit === "fraction") return formatNumber(Number((value * 100).toPrecision(6)), "none") + " %";
  return formatNumber(value, axis.unit === "count" ? "count" : "none");
}
