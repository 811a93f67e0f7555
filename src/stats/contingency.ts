import { MarauderError } from "../errors.ts";
import type { Interval } from "./intervals.ts";
import { chiSquareTail, lgamma, normalQuantile } from "./special.ts";

/** Events in a group and outside it. */
export interface TwoByTwo {
  readonly events: number;
  readonly rows: number;
  readonly otherEvents: number;
  readonly otherRows: number;
}

/** Two-sided p-value of Fisher's exact test: the probability of all tables with these margins that are no likelier. */
export function fisherExact({ events, rows, otherEvents, otherRows }: TwoByTwo): number {
  checkTable({ events, rows, otherEvents, otherRows });
  const all = events + otherEvents;
  const low = Math.max(0, all - otherRows);
  const high = Math.min(all, rows);
  const weight = (k: number): number =>
    -lgamma(k + 1) - lgamma(rows - k + 1) - lgamma(all - k + 1) - lgamma(otherRows - all + k + 1);
  const own = weight(events);
  let top = -Infinity;
  for (let k = low; k <= high; k++) top = Math.max(top, weight(k));
  let total = 0;
  let extreme = 0;
  for (let k = low; k <= high; k++) {
    const w = Math.exp(weight(k) - top);
    total += w;
    if (weight(k) <= own + 1e-7) extreme += w;
  }
  return Math.min(1, extreme / total);
}

/**
 * Ratio of two risks with its log-normal interval (Katz et al. 1978); below 5 events on a side one half is added to every
 * cell (Walter 1975). null when a side has no rows.
 */
export function riskRatio(table: TwoByTwo, level = 0.95): Interval | null {
  checkTable(table);
  const { events, rows, otherEvents, otherRows } = table;
  if (rows === 0 || otherRows === 0) return null;
  const half = Math.min(events, otherEvents) < 5 ? 0.5 : 0;
  const [a, n, b, m] = [events + half, rows + 2 * half, otherEvents + half, otherRows + 2 * half];
  const log = Math.log(a / n / (b / m));
  const se = Math.sqrt(Math.max(0, 1 / a - 1 / n + 1 / b - 1 / m));
  return logInterval(log, se, level);
}

/**
 * Risk ratio common to all strata (Mantel and Haenszel 1959) with the interval of Greenland and Robins 1985, equation 13.
 * null when no stratum has rows on both sides, or no events on one side.
 */
export function mantelHaenszel(strata: readonly TwoByTwo[], level = 0.95): Interval | null {
  let above = 0;
  let below = 0;
  let spread = 0;
  for (const s of strata) {
    checkTable(s);
    const n = s.rows + s.otherRows;
    if (s.rows === 0 || s.otherRows === 0) continue;
    above += (s.events * s.otherRows) / n;
    below += (s.otherEvents * s.rows) / n;
    spread += (s.rows * s.otherRows * (s.events + s.otherEvents) - s.events * s.otherEvents * n) / (n * n);
  }
  if (above === 0 || below === 0) return null;
  return logInterval(Math.log(above / below), Math.sqrt(Math.max(0, spread / (above * below))), level);
}

export interface ChiSquare {
  readonly statistic: number;
  readonly degrees: number;
  readonly p: number;
  /** Effect size, 0 (none) to 1. */
  readonly cramersV: number;
}

/** Pearson's chi-square of a table of counts, and Cramer's V; rows and columns without counts are left out. */
export function chiSquare(table: readonly (readonly number[])[]): ChiSquare {
  const rowSums = table.map((r) => r.reduce((a, b) => a + b, 0));
  const columnSums = (table[0] ?? []).map((_, j) => table.reduce((a, r) => a + r[j]!, 0));
  const total = rowSums.reduce((a, b) => a + b, 0);
  const rows = rowSums.filter((v) => v > 0).length;
  const columns = columnSums.filter((v) => v > 0).length;
  const degrees = (rows - 1) * (columns - 1);
  if (rows < 2 || columns < 2) return { statistic: 0, degrees: 0, p: 1, cramersV: 0 };
  let statistic = 0;
  table.forEach((r, i) =>
    r.forEach((observed, j) => {
      const expected = (rowSums[i]! * columnSums[j]!) / total;
      if (expected > 0) statistic += (observed - expected) ** 2 / expected;
    }),
  );
  return {
    statistic,
    degrees,
    p: chiSquareTail(statistic, degrees),
    cramersV: Math.sqrt(statistic / (total * Math.min(rows - 1, columns - 1))),
  };
}

function logInterval(log: number, se: number, level: number): Interval {
  const z = -normalQuantile((1 - level) / 2);
  return { value: Math.exp(log), low: Math.exp(log - z * se), high: Math.exp(log + z * se), level };
}

function checkTable(t: TwoByTwo): void {
  const good = (k: number, n: number): boolean => Number.isInteger(k) && Number.isInteger(n) && k >= 0 && k <= n;
  if (!good(t.events, t.rows) || !good(t.otherEvents, t.otherRows)) {
    throw new MarauderError(
      "OPTION_RANGE",
      `events must be whole numbers from 0 to the rows, got ${JSON.stringify(t)}`,
    );
  }
}
