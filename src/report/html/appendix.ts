import type { PlanSubject, Report } from "../../contract/index.ts";
import { formatDuration, formatNumber } from "../format.ts";
import { oneLine, shorten, withoutCredentials } from "../text.ts";
import { evidenceWords, verdictMeanings } from "../words.ts";
import { html, type Markup, type Piece } from "./markup.ts";

/** The end of the page: how to read it, and everything needed to run it again. */

export function howToRead(): Markup {
  return html`<section id="reading" aria-labelledby="reading-h">
    <h2 id="reading-h">How to read this</h2>
    <p class="lead">
      No test can show that a model is safe from every adversary. It can show that one succeeded, or bound what any
      adversary of a stated kind can do. So each result says what kind of proof stands behind it.
    </p>
    <div class="two">
      <div>
        <h3>Results</h3>
        <dl class="terms">
          ${verdictMeanings.map(
            ({ verdict, meaning }) =>
              html`<div>
                <dt>${verdict}</dt>
                <dd>${meaning}</dd>
              </div>`,
          )}
        </dl>
      </div>
      <div>
        <h3>Evidence</h3>
        <dl class="terms">
          ${Object.values(evidenceWords).map(
            ({ title, meaning }) =>
              html`<div>
                <dt>${title}</dt>
                <dd>${meaning}</dd>
              </div>`,
          )}
        </dl>
        <h3>Numbers</h3>
        <p>
          Ranges beside a number, and bands in a chart, are 95 % confidence intervals unless another level is given.
          They cover chance in the choice of rows, not attacks that were not tried.
        </p>
        <p>“Better” and “worse” are said only where the intervals before and after do not overlap.</p>
      </div>
    </div>
  </section>`;
}

export function runSection(report: Report): Markup {
  const { plan, totals } = report;
  const facts: readonly (readonly [string, string])[] = [
    ["seed", String(plan.seed)],
    ["budgets", plan.quick ? "quick (reduced)" : "full"],
    ["time", formatDuration(totals.seconds)],
    ["queries", formatNumber(totals.queries, "count")],
    ["gradients", formatNumber(totals.gradients, "count")],
    ["created", oneLine(report.created)],
    ["Marauder", oneLine(report.tool.version)],
    ...Object.entries(report.environment).map(([name, value]) => [oneLine(name), oneLine(value)] as const),
  ];
  return html`<section id="run" aria-labelledby="run-h">
    <h2 id="run-h">Run it again</h2>
    <p class="lead">
      What is needed to run this audit again: the files by their fingerprints above, and this plan with its seed.
    </p>
    ${grid(
      "Subjects of the plan",
      ["Subject", "Model", "Data", "Settings"],
      plan.subjects.map((subject) => [
        code(subject.id),
        code(withoutCredentials(subject.model ?? "–")),
        code(withoutCredentials(subject.data ?? subject.canaries?.manifest ?? "")),
        settings(subject),
      ]),
    )}
    ${grid(
      "Probes",
      ["Probe", "Subjects", "Options"],
      plan.probes.map((probe) => [
        code(probe.probe),
        probe.subjects?.map(oneLine).join(", ") ?? "all where it applies",
        pairs(probe.options ?? {}),
      ]),
    )}
    <dl class="facts">
      ${facts.map(
        ([name, value]) =>
          html`<div>
            <dt>${name}</dt>
            <dd>${shorten(value, 300)}</dd>
          </div>`,
      )}
    </dl>
  </section>`;
}

function grid(title: string, columns: readonly string[], rows: readonly (readonly Piece[])[]): Markup | false {
  return (
    rows.length > 0 &&
    html`<h3>${title}</h3>
      <div class="scroll" tabindex="0" role="region" aria-label="${title}">
        <table>
          <thead>
            <tr>
              ${columns.map((column) => html`<th scope="col">${column}</th>`)}
            </tr>
          </thead>
          <tbody>
            ${rows.map(
              (row) =>
                html`<tr>
                  ${row.map((cell) => html`<td>${cell}</td>`)}
                </tr>`,
            )}
          </tbody>
        </table>
      </div>`
  );
}

/** Settings of a subject that decide the result; never the endpoint's templates, which may hold credentials. */
function settings(subject: PlanSubject): Markup {
  const { id: _id, title: _title, model: _model, data: _data, http, ...rest } = subject;
  return html`${pairs(rest)}${http !== undefined && html` <span class="muted">request template not shown</span>`}`;
}

function pairs(values: object): Markup {
  const entries = Object.entries(values).filter(([, value]) => value !== undefined);
  if (entries.length === 0) return html`<span class="muted">defaults</span>`;
  return html`${entries.map(([name, value]) => html`<span class="pair"><code>${oneLine(name)}</code> ${shorten(oneLine(typeof value === "string" ? withoutCredentials(value) : (JSON.stringify(value) ?? "")), 160)}</span> `)}`;
}

function code(text: string): Markup {
  return html`<code>${oneLine(text)}</code>`;
}
