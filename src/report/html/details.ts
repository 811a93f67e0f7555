import type { Detail, DiffDetail, ImagesDetail, SeriesDetail, TableDetail, TextDetail } from "../../contract/index.ts";
import { pointsOffAxes, seriesChart, seriesNumbers } from "../chart/series.ts";
import { isInterval, plural } from "../format.ts";
import { oneLine, shorten, visible } from "../text.ts";
import { html, type Markup } from "./markup.ts";
import { valueCell } from "./measures.ts";
import { pngUrl } from "./png.ts";

/** One renderer for each shape of the closed union Detail. What is cut is said, and stands in full in report.json. */

const limits = { rows: 200, pictures: 16, diffs: 40, changes: 60, text: 4000 };

export function detailFigure(detail: Detail, id: string): Markup {
  switch (detail.type) {
    case "table":
      return table(detail, id);
    case "series":
      return series(detail, id);
    case "images":
      return images(detail);
    case "diff":
      return diff(detail);
    case "text":
      return text(detail);
  }
}

function figure(kind: string, caption: string, body: Markup, note: string | null = null): Markup {
  return html`<figure class="detail ${kind}">
    <figcaption>${oneLine(caption)}</figcaption>
    ${body}${note !== null && html`<p class="note">${note}</p>`}
  </figure>`;
}

function table(detail: TableDetail, id: string): Markup {
  const rows = detail.rows.slice(0, limits.rows);
  const numeric = detail.columns.map(
    ({ key, unit }) =>
      unit !== undefined || (rows.length > 0 && rows.every((row) => typeof cellOf(row, key) !== "string")),
  );
  // Many intervals in a row: they stand under their values, not beside them.
  const dense = detail.columns.filter(({ key }) => rows.some((row) => isInterval(cellOf(row, key)))).length > 2;
  const marked = new Set(detail.highlight ?? []);
  const body = html`<div class="scroll" tabindex="0" role="region" aria-labelledby="${id}-h">
    <span id="${id}-h" class="sr">Table: ${oneLine(detail.caption)}</span>
    <table${dense && html` class="dense"`}>
      <thead>
        <tr>
          ${detail.columns.map(
            ({ label }, at) => html`<th scope="col" ${numeric[at] === true && html` class="n"`}>${oneLine(label)}</th>`,
          )}
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          (row, index) =>
            html`<tr${marked.has(index) && html` class="marked"`}>${detail.columns.map(({ key, unit }, at) => {
              const cell = cellOf(row, key);
              const flag = at === 0 && marked.has(index) && html`<span class="sr">Look first: </span>`;
              return html`<td${numeric[at] === true && html` class="n"`}>${flag}${typeof cell === "string" ? shorten(visible(cell), 400) : valueCell(cell, unit)}</td>`;
            })}</tr>`,
        )}
      </tbody>
    </table>
  </div>`;
  return figure("table", detail.caption, body, cut(detail.rows.length, rows.length, "row"));
}

function cellOf(row: TableDetail["rows"][number], key: string) {
  return Object.hasOwn(row, key) ? row[key]! : null;
}

function series(detail: SeriesDetail, id: string): Markup {
  const off = pointsOffAxes(detail);
  const note =
    off > 0
      ? `${plural(off, "point")} at or below zero cannot stand on a log axis; the numbers below have them.`
      : null;
  return figure(
    "series",
    detail.caption,
    html`${seriesChart(detail, id)}
      <details class="numbers">
        <summary>Numbers</summary>
        <div class="scroll" tabindex="0" role="region" aria-label="Numbers of the chart">${seriesNumbers(detail)}</div>
      </details>`,
    note,
  );
}

function images(detail: ImagesDetail): Markup {
  const rows = detail.rows.slice(0, limits.pictures);
  const body = html`<div class="pictures">
    ${rows.map(
      (row) =>
        html`<div class="row">
          <p class="id">${shorten(oneLine(row.id), 80)}</p>
          <div class="cells">
            ${row.cells.slice(0, 6).map((cell) => {
              const url = pngUrl(cell.picture);
              const alt = `${oneLine(cell.title)}: ${oneLine(cell.note)} (${oneLine(row.id)})`;
              return html`<div class="cell">
                ${url === null ? html`<p class="broken">This picture's pixels do not fit its size.</p>` : html`<img src="${url}" alt="${shorten(alt, 160)}" width="${cell.picture.width}" height="${cell.picture.height}" />`}
                <p><span>${shorten(oneLine(cell.title), 60)}</span><b>${shorten(oneLine(cell.note), 80)}</b></p>
              </div>`;
            })}
          </div>
        </div>`,
    )}
  </div>`;
  return figure("images", detail.caption, body, cut(detail.rows.length, rows.length, "row"));
}

function diff(detail: DiffDetail): Markup {
  const rows = detail.rows.slice(0, limits.diffs);
  const body = html`<div class="diffs">
    ${rows.map(
      (row) =>
        html`<div class="diff-row">
          <p class="head">
            <span class="id">${shorten(oneLine(row.id), 80)}</span
            ><span class="flip"
              ><span class="sr">Prediction before: </span>${shorten(oneLine(row.before), 80)}
              <span aria-hidden="true">→</span><span class="sr"> after: </span>
              <b>${shorten(oneLine(row.after), 80)}</b></span
            >
          </p>
          <dl>
            ${row.changes.slice(0, limits.changes).map(({ column, from, to }) => {
              const [left, right] = changed(shorten(visible(from), limits.text), shorten(visible(to), limits.text));
              return html`<div>
                <dt>${oneLine(column)}</dt>
                <dd><del>${left}</del> <span class="arrow" aria-hidden="true">→</span> <ins>${right}</ins></dd>
              </div>`;
            })}
          </dl>
          ${row.changes.length > limits.changes && html`<p class="note">${row.changes.length - limits.changes} more changes stand in report.json.</p>`}
        </div>`,
    )}
  </div>`;
  return figure("diff", detail.caption, body, cut(detail.rows.length, rows.length, "row"));
}

/** Long texts: marks the part that differs, between what they begin and end with alike (cut at blanks). */
function changed(from: string, to: string): readonly [Markup, Markup] {
  if (from.length < 24 || to.length < 24) return [html`${from}`, html`${to}`];
  const [a, b] = [from.split(/(?<=\s)/), to.split(/(?<=\s)/)];
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head++;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a.at(-1 - tail) === b.at(-1 - tail)) tail++;
  if (head + tail === 0) return [html`${from}`, html`${to}`];
  const part = (words: readonly string[]) =>
    html`${words.slice(0, head).join("")}<mark>${words.slice(head, words.length - tail).join("")}</mark>${words.slice(words.length - tail).join("")}`;
  return [part(a), part(b)];
}

function text(detail: TextDetail): Markup {
  const body = html`<div class="prose">
    ${detail.paragraphs.slice(0, limits.rows).map((paragraph) => html`<p><span class="pre">${shorten(visible(paragraph), limits.text)}</span></p>`)}
  </div>`;
  return figure(
    "text",
    detail.caption,
    body,
    cut(detail.paragraphs.length, Math.min(detail.paragraphs.length, limits.rows), "paragraph"),
  );
}

function cut(count: number, shown: number, noun: string): string | null {
  return count > shown ? `${plural(count - shown, `more ${noun}`)} in report.json.` : null;
}
