import type { Axis, SeriesDetail } from "../../contract/index.ts";
import { formatMeasured, formatNumber } from "../format.ts";
import { html, trusted, type Markup } from "../html/markup.ts";
import { oneLine, shorten } from "../text.ts";
import { scaleFor, type Scale } from "./scale.ts";

/** Lines with bands, as SVG. Drawn twice, for wide and for narrow pages, so that text keeps its size. */

type Series = SeriesDetail["series"][number];
type Point = Series["points"][number];

interface Layout {
  readonly name: "wide" | "narrow";
  readonly width: number;
  readonly height: number;
  readonly margin: { readonly top: number; readonly right: number; readonly bottom: number; readonly left: number };
  readonly xTicks: number;
  readonly yTicks: number;
}

/** Colours and marks repeat after so many series. */
const palette = 6;
const maxHits = 60;
const maxSeries = 12;
const labelLimit = 20;

export function seriesChart(detail: SeriesDetail, id: string): Markup {
  const series = detail.series.slice(0, maxSeries).map((one) => ({ ...one, points: thin(one.points) }));
  const direct = series.length <= 4;
  const longest = Math.max(0, ...series.map((one) => Array.from(shorten(oneLine(one.name), labelLimit)).length));
  const right = direct ? 20 + longest * 7 : 20;
  const wide: Layout = {
    name: "wide",
    width: 720,
    height: 340,
    margin: { top: 34, right, bottom: 50, left: 58 },
    xTicks: 7,
    yTicks: 5,
  };
  const narrow: Layout = {
    name: "narrow",
    width: 340,
    height: 280,
    margin: { top: 34, right: 14, bottom: 48, left: 50 },
    xTicks: 4,
    yTicks: 4,
  };
  const legend = html`<ul class="legend${direct ? " narrow-only" : ""}">
    ${series.map(
      (one, index) =>
        html`<li>
          <svg class="swatch s${(index % palette) + 1}" viewBox="0 0 28 12" width="28" height="12" aria-hidden="true">
            <line class="line ${lineClass(one)}" x1="1" y1="6" x2="27" y2="6" />
            ${mark(index, 14, 6, 3.4)}</svg
          >${shorten(oneLine(one.name), 60)}
        </li>`,
    )}
  </ul>`;
  return html`${series.length > 1 && legend}${drawing(detail, series, wide, id, direct)}${drawing(detail, series, narrow, id, false)}`;
}

function drawing(detail: SeriesDetail, series: readonly Series[], layout: Layout, id: string, direct: boolean): Markup {
  const { width, height, margin } = layout;
  const all = series.flatMap((one) => one.points);
  const xs = all.map((point) => point.x);
  const ys = all.flatMap((point) => [point.y, point.low ?? point.y, point.high ?? point.y]);
  const x = scaleFor(detail.x, xs, margin.left, width - margin.right, layout.xTicks);
  const y = scaleFor(detail.y, ys, height - margin.bottom, margin.top, layout.yTicks);
  const key = `${id}-${layout.name}`;
  const bottom = height - margin.bottom;
  const drawn = series.map((one) => ({ one, points: one.points.filter((point) => onAxes(point, x, y)) }));
  return html`<svg
    class="chart ${layout.name}"
    viewBox="0 0 ${width} ${height}"
    role="img"
    aria-labelledby="${key}-t ${key}-d"
  >
    <title id="${key}-t">${oneLine(detail.caption)}</title>
    <desc id="${key}-d">${describe(detail, series)}</desc>
    <clipPath id="${key}-c">
      <rect
        x="${margin.left - 5}"
        y="${margin.top - 5}"
        width="${width - margin.left - margin.right + 10}"
        height="${bottom - margin.top + 10}"
      />
    </clipPath>
    <g class="axis" aria-hidden="true">
      ${y.ticks.map(
        (tick) =>
          html`<line
              class="grid"
              x1="${margin.left}"
              x2="${width - margin.right}"
              y1="${px(y.at(tick.value))}"
              y2="${px(y.at(tick.value))}"
            /><text x="${margin.left - 9}" y="${px(y.at(tick.value) + 4)}" text-anchor="end">${tick.label}</text>`,
      )}
      <line class="base" x1="${margin.left}" x2="${width - margin.right}" y1="${bottom}" y2="${bottom}" />
      ${x.ticks.map(
        (tick) =>
          html`<line
              class="tick"
              x1="${px(x.at(tick.value))}"
              x2="${px(x.at(tick.value))}"
              y1="${bottom}"
              y2="${bottom + 5}"
            /><text x="${px(x.at(tick.value))}" y="${bottom + 19}" text-anchor="middle">${tick.label}</text>`,
      )}
      <text class="name" x="0" y="14">${axisName(detail.y, layout)}</text>
      <text class="name" x="${width - margin.right}" y="${height - 8}" text-anchor="end">
        ${axisName(detail.x, layout)} →
      </text>
    </g>
    <g clip-path="url(#${key}-c)">
      ${drawn.map(
        ({ one, points }, index) =>
          html`<g class="s${(index % palette) + 1}"
            >${band(points, x, y)}${line(one, points, x, y)}${marks(one, points, index, x, y)}</g
          >`,
      )}
    </g>
    ${direct && endLabels(drawn, x, y, layout)}
    <g class="hits">${drawn.map(({ one, points }, index) => hits(detail, one, points, index, x, y))}</g>
  </svg>`;
}

function band(points: readonly Point[], x: Scale, y: Scale): Markup | false {
  const banded = points.filter((point) => point.low !== undefined && point.high !== undefined);
  if (banded.length < 2) return false;
  const floor = (value: number) => (y.log ? Math.max(value, y.domain[0]) : value);
  const upper = banded.map((point) => `${px(x.at(point.x))},${px(y.at(floor(point.high!)))}`);
  const lower = banded.toReversed().map((point) => `${px(x.at(point.x))},${px(y.at(floor(point.low!)))}`);
  return html`<polygon class="band" points="${[...upper, ...lower].join(" ")}" />`;
}

function line(one: Series, points: readonly Point[], x: Scale, y: Scale): Markup | false {
  if (one.style === "dots" || points.length < 2) return false;
  const step = one.style === "step";
  const path = points.map((point, index) => {
    const [left, top] = [px(x.at(point.x)), px(y.at(point.y))];
    return index === 0 ? `M${left},${top}` : step ? `H${left}V${top}` : `L${left},${top}`;
  });
  return html`<path class="line ${lineClass(one)}" d="${trusted(path.join(""))}" />`;
}

function marks(one: Series, points: readonly Point[], index: number, x: Scale, y: Scale): Markup | false {
  if (one.style !== "dots" && (points.length > 25 || one.style === "dashed")) return false;
  return html`${points.map((point) => {
    const [left, top] = [x.at(point.x), y.at(point.y)];
    const whisker =
      points.length === 1 || one.style === "dots"
        ? point.low !== undefined &&
          point.high !== undefined &&
          html`<line
            class="whisker"
            x1="${px(left)}"
            x2="${px(left)}"
            y1="${px(y.at(y.log ? Math.max(point.low, y.domain[0]) : point.low))}"
            y2="${px(y.at(point.high))}"
          />`
        : false;
    return html`${whisker}${mark(index, left, top, 3.6)}`;
  })}`;
}

/** A mark by series: circle, square, triangle, diamond, so that colour is never the only cue. */
function mark(index: number, left: number, top: number, size: number): Markup {
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
function endLabels(
  drawn: readonly { one: Series; points: readonly Point[] }[],
  x: Scale,
  y: Scale,
  layout: Layout,
): Markup {
  const gap = 16;
  const labels = drawn
    .flatMap(({ one, points }, index) => {
      const last = points.at(-1);
      return last === undefined ? [] : [{ name: one.name, index, left: x.at(last.x), top: y.at(last.y) }];
    })
    .sort((a, b) => a.top - b.top);
  let floor = layout.margin.top - gap / 2;
  for (const label of labels) floor = label.top = Math.max(label.top, floor + gap);
  let ceiling = layout.height - layout.margin.bottom + gap / 2;
  for (const label of labels.toReversed()) ceiling = label.top = Math.min(label.top, ceiling - gap);
  return html`<g aria-hidden="true"
    >${labels.map(
      (label) =>
        html`<text class="end s${(label.index % palette) + 1}" x="${px(label.left + 10)}" y="${px(label.top + 4)}"
          >${shorten(oneLine(label.name), labelLimit)}</text
        >`,
    )}</g
  >`;
}

/** Invisible marks that carry the values: as native titles, and for the page's script. */
function hits(detail: SeriesDetail, one: Series, points: readonly Point[], index: number, x: Scale, y: Scale): Markup {
  const stride = Math.max(1, Math.ceil(points.length / maxHits));
  const kept = points.filter((_, at) => at % stride === 0 || at === points.length - 1);
  return html`${kept.map(
    (point) =>
      html`<circle class="hit s${(index % palette) + 1}" cx="${px(x.at(point.x))}" cy="${px(y.at(point.y))}" r="8"
        ><title>${shorten(oneLine(one.name), 60)}: ${pointText(detail, point)}</title></circle
      >`,
  )}`;
}

function pointText(detail: SeriesDetail, point: Point): string {
  return `${formatNumber(point.y, detail.y.unit)}${point.low !== undefined && point.high !== undefined ? ` (${formatNumber(point.low, detail.y.unit)} to ${formatNumber(point.high, detail.y.unit)})` : ""} at ${formatNumber(point.x, detail.x.unit)}`;
}

function describe(detail: SeriesDetail, series: readonly Series[]): string {
  const lines = series.map((one) => {
    const [first, last] = [one.points[0], one.points.at(-1)];
    if (first === undefined || last === undefined) return `${oneLine(one.name)}: no points.`;
    return `${oneLine(one.name)}: from ${pointText(detail, first)} to ${pointText(detail, last)}.`;
  });
  return `${oneLine(detail.y.label)} against ${oneLine(detail.x.label)}. ${lines.join(" ")}`;
}

/** The numbers of the chart, for readers who cannot or do not want to hover. At most `limit` rows for each series. */
export function seriesNumbers(detail: SeriesDetail, limit = 40): Markup {
  const rows = detail.series.slice(0, maxSeries).flatMap((one) => {
    const stride = Math.max(1, Math.ceil(one.points.length / limit));
    return one.points
      .filter((_, at) => at % stride === 0 || at === one.points.length - 1)
      .map((point) => ({ one, point }));
  });
  return html`<table>
    <thead>
      <tr>
        <th scope="col">Series</th>
        <th scope="col" class="n">${oneLine(detail.x.label)}</th>
        <th scope="col" class="n">${oneLine(detail.y.label)}</th>
      </tr>
    </thead>
    <tbody>
      ${rows.map(
        ({ one, point: { x, y, low, high } }) =>
          html`<tr>
            <td>${shorten(oneLine(one.name), 60)}</td>
            <td class="n">${formatNumber(x, detail.x.unit)}</td>
            <td class="n">
              ${formatMeasured(low === undefined || high === undefined ? y : { value: y, low, high }, detail.y.unit)}
            </td>
          </tr>`,
      )}
    </tbody>
  </table>`;
}

/** How many points a log axis cannot show (values ≤ 0). */
export function pointsOffAxes(detail: SeriesDetail): number {
  const off = (axis: Axis, value: number) => !Number.isFinite(value) || (axis.scale === "log" && value <= 0);
  return detail.series.flatMap((one) => one.points).filter((point) => off(detail.x, point.x) || off(detail.y, point.y))
    .length;
}

function onAxes(point: Point, x: Scale, y: Scale): boolean {
  return Number.isFinite(point.x) && Number.isFinite(point.y) && (!x.log || point.x > 0) && (!y.log || point.y > 0);
}

/** At most 400 points, ends kept: no more can be told apart on the page. */
function thin(points: readonly Point[]): readonly Point[] {
  const stride = Math.ceil(points.length / 400);
  return stride <= 1 ? points : points.filter((_, at) => at % stride === 0 || at === points.length - 1);
}

function lineClass(one: Series): string {
  return one.style === "dashed" ? "dashed" : "";
}

function axisName(axis: Axis, layout: Layout): string {
  return shorten(oneLine(axis.label), layout.name === "wide" ? 80 : 42);
}

function px(value: number): string {
  return String(Math.round(value * 10) / 10);
}
