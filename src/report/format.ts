import type { Cell, Interval, Unit } from "../contract/index.ts";
import { oneLine } from "./text.ts";

/** How numbers are printed, in every output. A number that is not finite is "not available". */

const suffix: Readonly<Record<Unit, string>> = {
  fraction: " %",
  count: "",
  seconds: " s",
  "input units": "",
  nats: " nats",
  bits: " bits",
  none: "",
};

/** The number with its unit: fractions as per cent, counts grouped by thousands, others to three or four digits. */
export function formatNumber(value: number, unit: Unit = "none"): string {
  return Number.isFinite(value) ? digits(value, unit) + suffix[unit] : missing(value);
}

/** "3.1 to 5.2 %", and the level where it is not 95 %. An end that is not finite (null in JSON) is open: "at least 3.1 %". */
export function formatRange(interval: Interval, unit: Unit = "none"): string {
  const { low, high, level = 0.95 } = interval;
  const open = [!Number.isFinite(low), !Number.isFinite(high)];
  if (open[0] && open[1]) return "no interval";
  const range = open[1]
    ? `at least ${formatNumber(low, unit)}`
    : open[0]
      ? `at most ${formatNumber(high, unit)}`
      : `${digits(low, unit)} to ${formatNumber(high, unit)}`;
  return level === 0.95 ? range : `${range} at ${formatNumber(level, "fraction")}`;
}

/** Value and interval on one line: "4.1 % (3.1 to 5.2 %)". */
export function formatMeasured(value: Interval | number | null, unit: Unit = "none"): string {
  if (value === null) return "–";
  return typeof value === "number"
    ? formatNumber(value, unit)
    : `${formatNumber(value.value, unit)} (${formatRange(value, unit)})`;
}

/** A table's cell as text on one line. */
export function formatCell(cell: Cell, unit: Unit = "none"): string {
  return typeof cell === "string" ? oneLine(cell) : formatMeasured(cell, unit);
}

/** "42 s", "3 min 20 s", "2 h 05 min". */
export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds)) return missing(seconds);
  if (seconds < 60) return `${significant(seconds, 2)} s`;
  const whole = Math.round(seconds);
  const two = (value: number) => String(value).padStart(2, "0");
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  return `${Math.floor(whole / 3600)} h ${two(Math.floor((whole % 3600) / 60))} min`;
}

/** "1 finding", "3 findings". */
export function plural(count: number, noun: string, many = `${noun}s`): string {
  return `${group(String(count))} ${count === 1 ? noun : many}`;
}

export function isInterval(value: unknown): value is Interval {
  return typeof value === "object" && value !== null && "low" in value;
}

/** The middle value of a measured number, or null where there is none. */
export function middle(value: Interval | number | null): number | null {
  const number = isInterval(value) ? value.value : value;
  return number !== null && Number.isFinite(number) ? number : null;
}

function digits(value: number, unit: Unit): string {
  if (unit === "fraction") return percent(value * 100);
  if (unit === "count" && Math.abs(value) >= 1) return group(String(Math.round(value * 10) / 10));
  return significant(value, Math.abs(value) >= 1000 ? 4 : 3);
}

/** One decimal; more where rounding would hide that it is not 0 or not 100. Exact 0 and 100 have none. */
function percent(value: number): string {
  const size = Math.abs(value);
  if (size === 0 || size === 100) return String(value === 0 ? 0 : value);
  if (size < 0.1) return significant(value, 2);
  if (size < 99.95 || size > 100) return group(value.toFixed(1));
  return value.toFixed(Math.min(6, Math.ceil(-Math.log10(100 - size) - 1e-6)));
}

function significant(value: number, count: number): string {
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e9)) {
    const [mantissa, exponent] = value.toExponential(count - 1).split("e") as [string, string];
    return `${mantissa}e${Number(exponent)}`;
  }
  return group(String(Number(value.toPrecision(count))));
}

function group(text: string): string {
  const [whole, rest] = text.split(".") as [string, string | undefined];
  const grouped = whole.replace(/\B(?=(\d{3})+(?!\d))/g, ",");
  return rest === undefined ? grouped : `${grouped}.${rest}`;
}

function missing(value: number): string {
  return value === Infinity ? "∞" : value === -Infinity ? "−∞" : "not available";
}
