import type { SeriesDetail } from "../../contract/index.ts";
import { html, trusted, type Markup } from "../html/markup.ts";
import { oneLine, shorten } from "../text.ts";
import type { Scale } from "./scale.ts";

/** What a series is drawn with: band, line, marks, and its name at the end of the line. */

export type Series = SeriesDetail["series"][number];
export type Point = Series["points"][number];

/** Colours repeat after so many series. */
const palette = 6;
export const labelLimit = 20;

export function colorOf(index: number): string {
  return `s${(index % palette) + 1}`;
}

export function px(value: number): string {
  return String(Math.round(value * 10) / 10);
}

/** One series inside the axes. A point at 0 before the break of a log axis stands alone, with its interval as a whisker. */
export function drawn(one: Series, points: readonly Point[], index: number, x: Scale, y: Scale): Markup {
  const apart = x.zero === null ? [] : points.filter((point) => point.x === 0);
  const joined = x.zero === null ? points : points.filter((point) => point.x !== 0);
  const dots = one.style === "dots" || joined.length === 1;
  const marked = dots || (joined.length <= 25 && one.style !== "dashed");
  return html`<g class="${colorOf(index)}"
    >${!dots && html`${band(joined, x, y)}${line(one, joined, x, y)}`}${[...apart, ...(dots ? joined : [])].map(
      (point) => whisker(point, x, y),
    )}${[...apart, ...(marked ? joined : [])].map((point) => mark(index, x.at(point.x), y.at(point.y), 3.6))}</g
  >`;
}

function band(points: readonly Point[], x: Scale, y: Scale): Markup | false {
  const banded = points.filter((point) => point.low !== undefined && point.high !== undefined);
  if (banded.length < 2) return false;
  const upper = banded.map((point) => `${px(x.at(point.x))},${px(y.at(floor(point.high!, y)))}`);
  const lower = banded.toReversed().map((point) => `${px(x.at(point.x))},${px(y.at(floor(point.low!, y)))}`);
  return html`<polygon class="band" points="${[...upper, ...lower].join(" ")}" />`;
}

function line(one: Series, points: readonly Point[], x: Scale, y: Scale): Markup | false {
  if (points.length < 2) return false;
  const step = one.style === "step";
  const path = points.map((point, index) => {
    const [left, top] = [px(x.at(point.x)), px(y.at(point.y))];
    return index === 0 ? `M${left},${top}` : step ? `H${left}V${top}` : `L${left},${top}`;
  });
  return html`<path class="line ${lineClass(one)}" d="${trusted(path.join(""))}" />`;
}

function whisker({ x: at, low, high }: Point, x: Scale, y: Scale): Markup | false {
  if (low === undefined || high === undefined) return false;
  const left = px(x.at(at));
  return html`<line
    class="whisker"
    x1="${left}"
    x2="${left}"
    y1="${px(y.at(floor(low, y)))}"
    y2="${px(y.at(floor(high, y)))}"
  />`;
}

/** An end of an interval that a log axis cannot show lies on its edge. */
function floor(value: number, y: Scale): number {
  return y.log ? Math.max(value, y.domain[0]) : value;
}

export function lineClass(one: Series): string {
  return one.style === "dashed" ? "dashed" : "";
}

/** A mark by series: circle, square, triangle, diamond, so that colour is never the only cue. */
export function mark(index: number, left: number, top: number, size: number): Markup {
  const at = (dx: number, dy: number) => `${px(left + dx * size)},${px(top + dy * size)}`;
  switch (index % 4) {
    case 0:
      return html`<circle class="mark" cx="${px(left)}" cy="${px(top)}" r="${size}" />`;
    case 1:
      return html`<rect
        class="mark"
        x="${px(left - size * 0.9)}"
        y="${px(top - size * 0.9)}"
        width="${px(size * 1.8)}"
        height="${px(size * 1.8)}"
      />`;
    case 2:
      return html`<polygon class="mark" points="${at(0, -1.2)} ${at(1.1, 0.9)} ${at(-1.1, 0.9)}" />`;
    default:
      return html`<polygon class="mark" points="${at(0, -1.3)} ${at(1.3, 0)} ${at(0, 1.3)} ${at(-1.3, 0)}" />`;
  }
}

/** Names at the ends of the lines, pushed apart where they would overlap. */
export function endLabels(
  drawn: readonly { one: Series; points: readonly Point[] }[],
  x: Scale,
  y: Scale,
  edges: { readonly top: number; readonly bottom: number },
): Markup {
  const gap = 16;
  const labels = drawn
    .flatMap(({ one, points }, index) => {
      const last = points.at(-1);
      return last === undefined ? [] : [{ name: one.name, index, left: x.at(last.x), top: y.at(last.y) }];
    })
    .sort((a, b) => a.top - b.top);
  let floor = edges.top - gap / 2;
  for (const label of labels) floor = label.top = Math.max(label.top, floor + gap);
  let ceiling = edges.bottom + gap / 2;
  for (const label of labels.toReversed()) ceiling = label.top = Math.min(label.top, ceiling - gap);
  return html`<g aria-hidden="true"
    >${labels.map(
      (label) =>
        html`<text class="end ${colorOf(label.index)}" x="${px(label.left + 10)}" y="${px(label.top + 4)}"
          >${shorten(oneLine(label.name), labelLimit)}</text
        >`,
    )}</g
  >`;
}
