import type { Axis, SeriesDetail } from "../../contract/index.ts";
import { formatMeasured, formatNumber } from "../format.ts";
import { html, type Markup } from "../html/markup.ts";
import { oneLine, shorten } from "../text.ts";
import {
  colorOf,
  drawn,
  endLabel,
  endPlaces,
  endsApart,
  labelLimit,
  lineClass,
  mark,
  px,
  type Point,
  type Series,
} from "./marks.ts";
import { scaleFor, type Scale } from "./scale.ts";

/** Lines with bands, as SVG. Drawn twice, for wide and for narrow pages, so that text keeps its size. */

interface Layout {
  readonly name: "wide" | "narrow";
  readonly width: number;
  readonly height: number;
  readonly margin: { readonly top: number; readonly right: number; readonly bottom: number; readonly left: number };
  readonly xTicks: number;
  readonly yTicks: number;
}

const maxHits = 60;
const maxSeries = 12;

const wide: Layout = {
  name: "wide",
  width: 720,
  height: 340,
  margin: { top: 34, right: 20, bottom: 50, left: 58 },
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

export function seriesChart(detail: SeriesDetail, id: string): Markup {
  const series = detail.series.slice(0, maxSeries).map((one) => ({ ...one, points: thin(one.points) }));
  const direct = namesAtEnds(detail, series);
  const longest = Math.max(0, ...series.map((one) => Array.from(shorten(oneLine(one.name), labelLimit)).length));
  const labelled = { ...wide, margin: { ...wide.margin, right: 20 + longest * 7 } };
  const legend = html`<ul class="legend${direct ? " narrow-only" : ""}">
    ${series.map(
      (one, index) =>
        html`<li>
          <svg class="swatch ${colorOf(index)}" viewBox="0 0 28 12" width="28" height="12" aria-hidden="true">
            <line class="line ${lineClass(one)}" x1="1" y1="6" x2="27" y2="6" />
            ${one.style !== "dashed" && mark(index, 14, 6, 3.4)}</svg
          >${shorten(oneLine(one.name), 60)}
        </li>`,
    )}
  </ul>`;
  return html`${series.length > 1 && legend}${drawing(detail, series, direct ? labelled : wide, id, direct)}${drawing(detail, series, narrow, id, false)}`;
}

function drawing(detail: SeriesDetail, series: readonly Series[], layout: Layout, id: string, direct: boolean): Markup {
  const { width, height, margin } = layout;
  const { x, y } = scalesOf(detail, series, layout);
  const key = `${id}-${layout.name}`;
  const bottom = height - margin.bottom;
  const plotted = series.map((one) => ({ one, points: one.points.filter((point) => onAxes(point, x, y)) }));
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
      ${x.zero !== null && html`<path class="break" d="M${px(x.zero + 18)},${bottom + 5}l5,-10m4,0l-5,10" />`}
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
    <g clip-path="url(#${key}-c)">${plotted.map(({ one, points }, index) => drawn(one, points, index, x, y))}</g>
    ${direct && html`<g aria-hidden="true">${endNames(plotted, x, y, { top: margin.top, bottom })}</g>`}
    <g class="hits">${plotted.map(({ one, points }, index) => hits(detail, one, points, index, x, y))}</g>
  </svg>`;
}

interface Plotted {
  readonly one: Series;
  readonly points: readonly Point[];
}

function endNames(
  plotted: readonly Plotted[],
  x: Scale,
  y: Scale,
  edges: { readonly top: number; readonly bottom: number },
): readonly Markup[] {
  const ends = plotted.map(({ points }) => points.at(-1)!);
  const tops = endPlaces(
    ends.map((end) => y.at(end.y)),
    edges,
  );
  return plotted.map(({ one }, index) => endLabel(one.name, index, x.at(ends[index]!.x), tops[index]!));
}

/** Whether names at the ends of the lines are clear; else the chart has a legend. */
function namesAtEnds(detail: SeriesDetail, series: readonly Series[]): boolean {
  const edges = { top: wide.margin.top, bottom: wide.height - wide.margin.bottom };
  const { x, y } = scalesOf(detail, series, wide);
  const ends = series.map((one) => one.points.filter((point) => onAxes(point, x, y)).at(-1));
  if (ends.some((end) => end === undefined)) return false;
  return endsApart(
    ends.map((end) => y.at(end!.y)),
    edges,
  );
}

function scalesOf(detail: SeriesDetail, series: readonly Series[], { width, height, margin, xTicks, yTicks }: Layout) {
  const all = series.flatMap((one) => one.points);
  const xs = all.map((point) => point.x);
  const ys = all.flatMap((point) => [point.y, point.low ?? point.y, point.high ?? point.y]);
  return {
    x: scaleFor(detail.x, xs, margin.left, width - margin.right, { ticks: xTicks, zero: true }),
    y: scaleFor(detail.y, ys, height - margin.bottom, margin.top, { ticks: yTicks }),
  };
}

/** Invisible marks that carry the values: as native titles, and for the page's script. */
function hits(detail: SeriesDetail, one: Series, points: readonly Point[], index: number, x: Scale, y: Scale): Markup {
  const stride = Math.max(1, Math.ceil(points.length / maxHits));
  const inside = (value: number, scale: Scale) =>
    value === 0 && scale.zero !== null ? true : value >= scale.domain[0] && value <= scale.domain[1];
  const kept = points
    .filter((_, at) => at % stride === 0 || at === points.length - 1)
    .filter((point) => inside(point.x, x) && inside(point.y, y));
  return html`${kept.map(
    (point) =>
      html`<circle class="hit ${colorOf(index)}" cx="${px(x.at(point.x))}" cy="${px(y.at(point.y))}" r="8"
        ><title>${shorten(oneLine(one.name), 60)}: ${pointText(detail, point)}</title></circle
      >`,
  )}`;
}

function pointText(detail: SeriesDetail, { x, y, low, high }: Point): string {
  const value = low === undefined || high === undefined ? y : { value: y, low, high };
  return `${formatMeasured(value, detail.y.unit)} at ${formatNumber(x, detail.x.unit)}`;
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

/** How many points a log axis cannot show (values ≤ 0, but for x = 0, which stands before a break). */
export function pointsOffAxes(detail: SeriesDetail): number {
  const points = detail.series.flatMap((one) => one.points);
  const off = (axis: Axis, value: number) => axis.scale === "log" && axis.domain === undefined && value <= 0;
  return points.filter((point) => (off(detail.x, point.x) && point.x !== 0) || off(detail.y, point.y)).length;
}

function onAxes(point: Point, x: Scale, y: Scale): boolean {
  return (
    Number.isFinite(point.x) &&
    Number.isFinite(point.y) &&
    (!x.log || point.x > 0 || (x.zero !== null && point.x === 0)) &&
    (!y.log || point.y > 0)
  );
}

/** At most 400 points, ends kept: no more can be told apart on the page. */
function thin(points: readonly Point[]): readonly Point[] {
  const stride = Math.ceil(points.length / 400);
  return stride <= 1 ? points : points.filter((_, at) => at % stride === 0 || at === points.length - 1);
}

function axisName(axis: Axis, layout: Layout): string {
  return shorten(oneLine(axis.label), layout.name === "wide" ? 80 : 42);
}
