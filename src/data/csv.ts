import { MarauderError } from "../errors.ts";
import type { RawTable } from "./dataset.ts";
import { isMissing, isNumber } from "./cells.ts";

export interface CsvOptions {
  /** Whether line 1 names the columns; guessed when absent. "skip" drops line 1 and names columns c1, c2, … */
  readonly header?: boolean | "skip";
  /** Guessed from line 1 when absent: comma, semicolon, tab or bar. */
  readonly delimiter?: string;
}

/**
 * Parses comma-separated text (RFC 4180; also other delimiters, and lone \n or \r). Cells keep their very text, spaces
 * included, without the quotes around them. Throws DATA_CORRUPT with the line where rows differ in length or a quote never ends.
 */
export function parseCsv(text: string, path: string, options: CsvOptions = {}): RawTable {
  const body = text.startsWith("\ufeff") ? text.slice(1) : text;
  const delimiter = options.delimiter ?? guessDelimiter(body);
  if (delimiter.length !== 1 || /["\r\n ]/.test(delimiter)) {
    const got = JSON.stringify(delimiter);
    throw new MarauderError(
      "OPTION_RANGE",
      `a delimiter is one character, not a quote, space or line break; got ${got}`,
    );
  }
  const { rows, lines } = split(body, delimiter, path);
  const first = rows[0];
  if (first === undefined) throw new MarauderError("DATA_INVALID", `${path} has no rows; expected at least one`);
  const named = options.header ?? looksLikeHeader(rows);
  const width = named === "skip" ? (rows[1] ?? first).length : first.length;
  const data = named === false ? rows : rows.slice(1);
  const offset = rows.length - data.length;
  data.forEach((row, i) => {
    if (row.length === width) return;
    const what = named === true ? "the header names" : "the rows before it have";
    throw new MarauderError(
      "DATA_CORRUPT",
      `${path}, line ${lines[i + offset]!}: ${row.length} cells where ${what} ${width}; repair the line` +
        (i === 0 && named === true ? `, or say that the file has no usable header (header: "skip")` : ""),
    );
  });
  const header =
    named === true
      ? first.map((n, i) => n.trim() || `c${i + 1}`)
      : Array.from({ length: width }, (_, i) => `c${i + 1}`);
  const twice = header.find((name, i) => header.indexOf(name) !== i);
  if (twice !== undefined) {
    throw new MarauderError("DATA_INVALID", `${path} names two columns ${JSON.stringify(twice)}; rename one of them`);
  }
  return { header, rows: data };
}

function guessDelimiter(text: string): string {
  const line = text
    .slice(0, 100_000)
    .split(/[\r\n]/, 1)[0]!
    .replaceAll(/"[^"]*"/g, "");
  const counts = [",", ";", "\t", "|"].map((d) => [line.split(d).length, d] as const);
  return counts.reduce((best, next) => (next[0] > best[0] ? next : best))[1];
}

/** A first line without numbers over columns of numbers; in a table of text alone, one whose cells do not come back. */
function looksLikeHeader(rows: readonly (readonly string[])[]): boolean {
  const first = rows[0]!;
  const rest = rows.slice(1, 200);
  const names = first.map((cell) => cell.trim());
  if (rest.length === 0 || names.some((n) => isNumber(n) || isMissing(n)) || new Set(names).size < names.length)
    return false;
  const column = (j: number): string[] => rest.map((row) => row[j]?.trim() ?? "");
  if (names.some((_, j) => column(j).every((cell) => isNumber(cell) || isMissing(cell)))) return true;
  return names.every((name, j) => !column(j).includes(name));
}

function split(text: string, delimiter: string, path: string): { rows: string[][]; lines: number[] } {
  const rows: string[][] = [];
  const lines: number[] = [];
  const separator = delimiter.charCodeAt(0);
  let row: string[] = [];
  let line = 1;
  let rowLine = 1;
  let at = 0;
  const end = (): void => {
    if (row.length > 1 || row[0] !== "") {
      rows.push(row);
      lines.push(rowLine);
    }
    row = [];
  };
  while (at < text.length) {
    let cell: string;
    let open = at;
    while (text.charCodeAt(open) === 0x20) open++;
    if (text.charCodeAt(open) === 0x22) {
      const start = open + 1;
      let close = text.indexOf('"', start);
      while (close >= 0 && text[close + 1] === '"') close = text.indexOf('"', close + 2);
      if (close < 0) {
        throw new MarauderError(
          "DATA_CORRUPT",
          `${path}, line ${line}: a quoted cell never ends; the file is cut off or a quote is missing`,
        );
      }
      cell = text.slice(start, close).replaceAll('""', '"');
      at = close + 1;
      line += cell.split("\n").length - 1;
      while (text[at] === " ") at++;
      if (at < text.length && text[at] !== delimiter && text[at] !== "\n" && text[at] !== "\r") {
        throw new MarauderError(
          "DATA_CORRUPT",
          `${path}, line ${line}: text after a closing quote; write quotes inside a cell as ""`,
        );
      }
    } else {
      const start = at;
      for (; at < text.length; at++) {
        const code = text.charCodeAt(at);
        if (code === separator || code === 0x0a || code === 0x0d) break;
      }
      cell = text.slice(start, at);
    }
    row.push(cell);
    const stop = text[at++];
    if (stop === delimiter) {
      if (at === text.length) row.push("");
      if (at < text.length) continue;
    }
    if (stop === "\r" && text[at] === "\n") at++;
    end();
    rowLine = ++line;
  }
  return { rows, lines };
}

/** Rows as comma-separated text, cells quoted only where needed. */
export function csvText(table: RawTable): string {
  const line = (cells: readonly string[]): string => cells.map(quote).join(",");
  return `${[table.header, ...table.rows].map(line).join("\n")}\n`;
}

const quote = (cell: string): string =>
  /[",\r\n]|^\s*$/.test(cell) && cell !== "" ? `"${cell.replaceAll('"', '""')}"` : cell;
