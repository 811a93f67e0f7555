import type { Report, ReportRepair } from "../../contract/index.ts";
import { formatNumber, isInterval, middle } from "../format.ts";
import { oneLine } from "../text.ts";
import { subjectTitle } from "./finding.ts";
import { html, type Markup } from "./markup.ts";
import { strip, valueCell } from "./measures.ts";

type Row = ReportRepair["rows"][number];

/** Before and after side by side, with what the repair cost. */
export function repairSection(report: Report): Markup | false {
  return (
    report.repairs.length > 0 &&
    html`<section id="repairs" aria-labelledby="repairs-h">
      <header class="section-head">
        <p class="eyebrow">Before and after</p>
        <h2 id="repairs-h">Repairs</h2>
        <p class="lead">What was repaired, what it bought, and what it cost.</p>
      </header>
      ${report.repairs.map((repair, index) => repairArticle(report, repair, `repair-${index + 1}`))}
    </section>`
  );
}

function repairArticle(report: Report, repair: ReportRepair, id: string): Markup {
  return html`<article class="repair" aria-labelledby="${id}-h">
    <h3 id="${id}-h">${oneLine(repair.title)}</h3>
    <p>${oneLine(repair.what)}</p>
    <p class="meta">
      <span class="key hollow" aria-hidden="true"></span> before: ${subjectTitle(report, repair.before)}
      <span class="key solid" aria-hidden="true"></span> after: ${subjectTitle(report, repair.after)}
    </p>
    <div class="scroll" tabindex="0" role="region" aria-label="Before and after">
      <table class="compare">
        <thead>
          <tr>
            <th scope="col">Measure</th>
            <th scope="col" class="n">Before</th>
            <th scope="col" class="n">After</th>
            <th scope="col" class="wide-only"><span class="sr">Picture</span></th>
            <th scope="col">Change</th>
          </tr>
        </thead>
        <tbody>
          ${repair.rows.map(
            (row) =>
              html`<tr class="c-${judge(row).kind}">
                <th scope="row">${oneLine(row.name)}<small>${row.better} is better</small></th>
                <td class="n">${valueCell(row.before, row.unit)}</td>
                <td class="n">${valueCell(row.after, row.unit)}</td>
                <td class="wide-only">
                  ${strip(
                    [
                      { value: row.before, kind: "hollow" },
                      { value: row.after, kind: "solid" },
                    ],
                    row.unit === "fraction" ? 1 : Math.max(middle(row.before) ?? 0, middle(row.after) ?? 0),
                  )}
                </td>
                <td class="change">${judge(row).text}</td>
              </tr>`,
          )}
        </tbody>
      </table>
    </div>
  </article>`;
}

/** Better or worse only where the intervals do not overlap. */
function judge(row: Row): { readonly kind: "better" | "worse" | "same"; readonly text: Markup } {
  const [before, after] = [middle(row.before), middle(row.after)];
  if (before === null || after === null)
    return { kind: "same", text: html`<span class="muted">not measured on both</span>` };
  const difference = after - before;
  const sign = difference > 0 ? "+" : difference < 0 ? "−" : "±";
  const size = Math.abs(difference);
  const amount =
    row.unit === "fraction" ? `${sign}${(size * 100).toFixed(1)} points` : `${sign}${formatNumber(size, row.unit)}`;
  if (overlap(row)) return { kind: "same", text: html`<b>${amount}</b> <span class="muted">intervals overlap</span>` };
  const better = difference > 0 === (row.better === "higher");
  return { kind: better ? "better" : "worse", text: html`<b>${amount}</b> ${better ? "✓ better" : "✗ worse"}` };
}

function overlap({ before, after }: Row): boolean {
  const ends = (value: Row["before"]) =>
    (isInterval(value) ? [value.low, value.high] : [middle(value)!, middle(value)!]) as [number, number];
  const [[lowA, highA], [lowB, highB]] = [ends(before), ends(after)];
  return lowA <= highB && lowB <= highA;
}
