/** How wide text stands in a terminal, so that columns line up: wide characters take two cells, combining marks none. */

const segmenter = new Intl.Segmenter("en", { granularity: "grapheme" });
const wide =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff60\uffe0-\uffe6]|[\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;

export function textWidth(text: string): number {
  let width = 0;
  for (const { segment } of segmenter.segment(text)) width += cells(segment);
  return width;
}

/** The text in exactly `width` cells: padded with blanks, or cut with an ellipsis. */
export function fit(text: string, width: number): string {
  const size = textWidth(text);
  if (size <= width) return text + " ".repeat(width - size);
  return takeCells(text, width - 1) + "…" + " ".repeat(Math.max(0, width - 1 - textWidth(takeCells(text, width - 1))));
}

/** Lines of at most `width` cells, broken at blanks; a longer word is broken where it must. */
export function wrap(text: string, width: number): readonly string[] {
  const room = Math.max(8, width);
  const lines: string[] = [];
  let line = "";
  for (let word of text.split(/\s+/)) {
    while (textWidth(word) > room) {
      if (line !== "") lines.push(line);
      line = "";
      const head = takeCells(word, room);
      lines.push(head);
      word = word.slice(head.length);
    }
    if (word === "") continue;
    const joined = line === "" ? word : `${line} ${word}`;
    if (textWidth(joined) <= room) {
      line = joined;
    } else {
      lines.push(line);
      line = word;
    }
  }
  if (line !== "") lines.push(line);
  return lines;
}

function takeCells(text: string, width: number): string {
  let taken = "";
  let size = 0;
  for (const { segment } of segmenter.segment(text)) {
    size += cells(segment);
    if (size > width) break;
    taken += segment;
  }
  return taken === "" ? Array.from(text)[0]! : taken;
}

function cells(segment: string): number {
  if (/^\p{M}+$/u.test(segment)) return 0;
  return wide.test(segment) || /\ufe0f/.test(segment) ? 2 : 1;
}
