import type { Column } from "./dataset.ts";

const missing = new Set(["na", "n/a", "nan", "null"]);
const truths: Readonly<Record<string, number>> = { true: 1, false: 0, yes: 1, no: 0, "1": 1, "0": 0 };

/** A cell that stands for nothing: empty, ?, NA, N/A, NaN, null. */
export function isMissing(cell: string): boolean {
  const text = cell.trim();
  if (text.length < 2) return text === "" || text === "?";
  return text.length <= 4 && text.charCodeAt(0) > 57 && missing.has(text.toLowerCase()); // most cells are numbers or long
}

export const isNumber = (cell: string): boolean => /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(cell.trim());

/** 1, 0 or NaN. */
export function truthOf(cell: string): number {
  const text = cell.trim().toLowerCase();
  return Object.hasOwn(truths, text) ? truths[text]! : NaN;
}

/** The narrowest kind that all cells have: boolean, integer, number, else category. Missing cells are not looked at. */
export function kindOf(cells: readonly string[]): Column["kind"] {
  const there = cells.filter((cell) => !isMissing(cell));
  if (there.length === 0) return "category";
  if (there.every((cell) => !Number.isNaN(truthOf(cell)))) return "boolean";
  if (there.every((cell) => /^\s*[+-]?\d+\s*$/.test(cell) && Number.isSafeInteger(Number(cell)))) return "integer";
  return there.every((cell) => isNumber(cell) && Number.isFinite(Number(cell))) ? "number" : "category";
}

/** Values in a stable order: by number where all are numbers, else by code unit. */
export function sortedValues(cells: Iterable<string>): string[] {
  const values = [...new Set(Array.from(cells, (cell) => cell.trim()))];
  return values.every(isNumber)
    ? values.sort((a, b) => Number(a) - Number(b) || (a < b ? -1 : 1))
    : values.sort((a, b) => (a < b ? -1 : 1));
}
