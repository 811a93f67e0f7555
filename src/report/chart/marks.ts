import type { SeriesDetail } from "../../contract/index.ts";
import { html, type Markup } from "../html/markup.ts";
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
    >${!dots && html`${band(one, joined, x, y)}${line(one, joined, x, y)}`}${[...apart, ...(dots ? joined : [])].map(
      (point) => whisker(point, x, y),
    )}${[...apart, ...(marked ? joined : [])].map((point) => mark(index, x.at(point.x), y.at(point.y), 3.6))}</g
  >`;
}

function band(one: Series, points: readonly Point[], x: Scale, y: Scale): Markup | false {
  const banded = points.filter((point) => point.low !== undefined && point.high !== undefined);
  if (banded.length < 2) return false;
  const along = (end: "low" | "high", at: readonly Point[]) =>
    at.map((point): Place => [x.at(point.x), y.at(floor(point[end]!, y))]);
  const upper = stepped(one, along("high", banded));
  const lower = stepped(one, along("low", banded)).toReversed();
  return html`<polygon class="band" points="${[...upper, ...lower].map(place).join(" ")}" />`;
}

function line(one: Series, points: readonly Point[], x: Scale, y: Scale): Markup | false {
  if (points.length < 2) return false;
  const places = stepped(
    one,
    points.map((point): Place => [x.at(point.x), y.at(point.y)]),
  );
  return html`<polyline class="line ${lineClass(one)}" points="${places.map(place).join(" ")}" />`;
}

type Place = readonly [left: number, top: number];

function place([left, top]: Place): string {
  return `${px(left)},${px(top)}`;
}

/** The places of a step line: each value holds until the next. */
function stepped(one: Series, places: readonly Place[]): readonly Place[] {
  if (one.style !== "step") return places;
  return places.flatMap((at, index) => (index === 0 ? [at] : [[at[0], places[index - 1]![1]], at]));
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

const labelGap = 16;

/** Where the names at the ends of the lines stand: pushed apart where they would overlap. */
export function endPlaces(
  tops: readonly number[],
  edges: { readonly top: number; readonly bottom: number },
): readonly number[] {
  const order = tops.map((top, index) => ({ top, index })).sort((a, b) => a.top - b.top);
  let floor = edges.top - labelGap / 2;
  for (const label of order) floor = label.top = Math.max(label.top, floor + labelGap);
  let ceiling = edges.bottom + labelGap / 2;
  for (const label of order.toReversed()) ceiling = label.top = Math.min(label.top, ceiling - labelGap);
  return order.sort((a, b) => a.index - b.index).map((label) => label.top);
}

/** Whether names can stand at the ends of the lines: few lines, that do not end in one place. */
export function endsApart(tops: readonly number[], edges: { readonly top: number; readonly bottom: number }): boolean {
  const places = endPlaces(tops, edges);
  return tops.length <= 4 && tops.every((top, index) => Math.abs(places[index]! - top) <= labelGap);
}

export function endLabel(name: string, index: number, left: number, top: number): Markup {
  return html`<text class="end ${colorOf(index)}" x="${px(left + 10)}" y="${px(top + 4)}"
    >${shorten(oneLine(name), labelLimit)}</text
  >`;
}
