import type { Interval, Measure, Unit } from "../../contract/index.ts";
import { formatNumber, formatRange, isInterval, middle } from "../format.ts";
import { oneLine } from "../text.ts";
import { html, type Markup } from "./markup.ts";

/** Measured numbers: the value large, its interval small, and for fractions a strip that shows both from 0 to 100 %. */

export function measureList(measures: readonly Measure[]): Markup | false {
  return (
    measures.length > 0 &&
    html`<dl class="measures">
      ${measures.map(
        ({ name, unit, value }) =>
          html`<div>
            <dt>${oneLine(name)}</dt>
            <dd>
              <b>${formatNumber(isInterval(value) ? value.value : value, unit)}</b
              >${unit === "input units" && html`<small>input units</small>`}${isInterval(value) && html`<small class="range">${formatRange(value, unit)}</small>`}${unit === "fraction" && onStrip(value) && strip([{ value, kind: "solid" }], 1)}
            </dd>
          </div>`,
      )}
    </dl>`
  );
}

/** A share stands between 0 and 1; a difference of shares may not. */
const onStrip = (value: Interval | number): boolean => (isInterval(value) ? value.low >= 0 : value >= 0);

/** Values on one line from 0 to `top`; an interval is a bar, its value a dot (hollow: before, filled: after). */
export function strip(
  values: readonly { readonly value: Interval | number | null; readonly kind: "solid" | "hollow" }[],
  top: number,
): Markup | false {
  const [width, height] = [160, values.length > 1 ? 26 : 14];
  const at = (value: number) => Math.round((5 + Math.min(Math.max(value / top, 0), 1) * (width - 10)) * 10) / 10;
  const shown = values.filter(({ value }) => middle(value) !== null);
  if (shown.length === 0 || !(top > 0)) return false;
  return html`<svg
    class="strip"
    viewBox="0 0 ${width} ${height}"
    width="${width}"
    height="${height}"
    aria-hidden="true"
  >
    ${shown.map(({ value, kind }, index) => {
      const y = values.length > 1 ? 7 + 12 * index : 7;
      const bar =
        isInterval(value) && Number.isFinite(value.low) && Number.isFinite(value.high)
          ? html`<line class="bar" x1="${at(value.low)}" x2="${at(value.high)}" y1="${y}" y2="${y}" />`
          : false;
      return html`<line class="track" x1="5" x2="${width - 5}" y1="${y}" y2="${y}" />${bar}<circle
          class="dot ${kind}"
          cx="${at(middle(value)!)}"
          cy="${y}"
          r="4"
        />`;
    })}
  </svg>`;
}

/** A number with its interval, for a table's cell. */
export function valueCell(value: Interval | number | null, unit: Unit | undefined): Markup {
  if (value === null) return html`<span class="muted">–</span>`;
  if (!isInterval(value)) return html`${formatNumber(value, unit)}`;
  return html`${formatNumber(value.value, unit)} <small class="range">${formatRange(value, unit)}</small>`;
}
