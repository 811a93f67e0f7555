/** Plain-text helpers of the command line. */

/** A table with aligned columns. */
export function columns(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const width = head.map((h, c) => Math.max(h.length, ...rows.map((r) => (r[c] ?? "").length)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, c) => cell.padEnd(width[c]!))
      .join("  ")
      .trimEnd();
  return [line(head), line(width.map((w) => "-".repeat(w))), ...rows.map(line)].join("\n");
}

/** Breaks text into lines of at most `width` characters. */
export function wrap(text: string, width = 100, indent = ""): string {
  const lines: string[] = [];
  let current = indent;
  for (const word of text.split(/\s+/)) {
    if (current.trim() !== "" && current.length + 1 + word.length > width) {
      lines.push(current);
      current = indent + word;
    } else current += (current.trim() === "" ? "" : " ") + word;
  }
  return [...lines, current].join("\n");
}

export const percent = (p: number, digits = 1): string => `${(100 * p).toFixed(digits)} %`;

/** "97.3 % (96.1 to 98.2)" */
export const percentInterval = (i: { value: number; low: number; high: number }): string =>
  `${percent(i.value)} (${(100 * i.low).toFixed(1)} to ${(100 * i.high).toFixed(1)})`;

/** Text from data and models, safe for a terminal: control characters are shown, not obeyed. */
export const printable = (text: string): string =>
  text.replace(/[\p{Cc}\p{Cf}]/gu, (c) => `\\u{${c.codePointAt(0)!.toString(16)}}`);
