import type { Report, ReportSubject, Risk } from "../../contract/index.ts";
import { formatDuration, formatNumber, plural } from "../format.ts";
import { changeOf, findingsOf, firstActions, followupsOf, verdictSentence, worstOf } from "../order.ts";
import { oneLine } from "../text.ts";
import { countFailures, riskWords, risks } from "../words.ts";
import { accentOf, evidenceBadge, severityBadge, verdictBadge } from "./badges.ts";
import { anchorOf, subjectTitle } from "./finding.ts";
import { html, prose, type Markup } from "./markup.ts";

/** The top of the page: what was audited, the worst finding of each risk, what to do first. */

export function masthead(report: Report): Markup {
  const { totals } = report;
  const work = [
    formatDuration(totals.seconds),
    totals.queries > 0 && `${formatNumber(totals.queries, "count")} queries`,
    totals.gradients > 0 && `${formatNumber(totals.gradients, "count")} gradients`,
    `seed ${report.plan.seed}`,
    report.plan.quick && "quick: reduced budgets",
  ].filter((part) => part !== false);
  return html`<header class="masthead">
    <p class="brand">${mark} Marauder <span>audit report</span></p>
    <h1>${oneLine(report.title)}</h1>
    <p class="audited">
      Audited:
      ${report.subjects.map((subject, index) => html`${index > 0 && ", "}<a href="#${subjectAnchor(report, subject.id)}">${oneLine(subject.title)}</a>`)}
    </p>
    <p class="verdict-line">${verdictSentence(report)}</p>
    <p class="run">
      <time datetime="${report.created}">${readableDate(report.created)}</time
      >${work.map((part) => html`<span>${part}</span>`)}
    </p>
  </header>`;
}

const mark = html`<svg viewBox="0 0 24 24" width="22" height="22" aria-hidden="true">
  <path class="logo" d="M12 2l8.5 4v6.2c0 4.8-3.5 8.2-8.5 9.8-5-1.6-8.5-5-8.5-9.8V6z" />
  <path class="logo-cut" d="M8 15.5V9.2l4 4.3 4-4.3v6.3" />
</svg>`;

export function worstCards(report: Report): Markup {
  return html`<section id="summary" aria-labelledby="summary-h">
    <h2 id="summary-h" class="sr">Worst finding of each risk</h2>
    <div class="cards">${risks.map((risk) => card(report, risk))}</div>
  </section>`;
}

function card(report: Report, risk: Risk): Markup {
  const words = riskWords[risk];
  const worst = worstOf(report, risk);
  const head = html`<p class="eyebrow">${words.phase}</p>
    <h3>${words.title}</h3>`;
  if (worst === null) {
    return html`<div class="card out-inapplicable">
      ${head}
      <p class="card-headline">Not audited.</p>
      <p class="muted">Nothing is known about this risk.</p>
    </div>`;
  }
  const after = followupsOf(report, worst)[0] ?? null;
  return html`<div class="card ${accentOf(worst)}">
    ${head}
    <p class="badges">${verdictBadge(worst)}${severityBadge(worst)}${evidenceBadge(worst)}</p>
    <p class="card-headline">${prose(worst.headline)}</p>
    <p class="card-link">
      <a href="#${anchorOf(report, worst)}">${oneLine(worst.title)}</a>
      <span class="muted">on ${subjectTitle(report, worst.subject)}</span>
    </p>
    ${
      after?.after &&
      html`<p class="followup">
        <span aria-hidden="true">↻</span>
        <span
          >After “${oneLine(after.repair.title)}”:
          <a href="#${anchorOf(report, after.after)}">${changeOf(worst, after.after)}</a></span
        >
      </p>`
    }
    <p class="tally">${tally(report, risk)}</p>
  </div>`;
}

function tally(report: Report, risk: Risk): string {
  const findings = findingsOf(report, risk);
  const count = (outcome: string) => findings.filter((finding) => finding.outcome === outcome).length;
  return [
    countFailures(findings),
    count("pass") > 0 && `${count("pass")} held`,
    count("inconclusive") > 0 && `${count("inconclusive")} undecided`,
    count("error") > 0 && `${count("error")} could not run`,
    count("inapplicable") > 0 && `${count("inapplicable")} not applicable`,
  ]
    .filter(Boolean)
    .join(" · ");
}

export function doFirst(report: Report): Markup {
  const actions = firstActions(report);
  return html`<section id="first" class="first" aria-labelledby="first-h">
    <h2 id="first-h">What to do first</h2>
    ${
      actions.length === 0
        ? html`<p class="empty">
            No check failed at this budget. Run again without --quick, with more samples, and after each change to the
            model or its data.
          </p>`
        : html`<ol>
            ${actions.map(({ finding, advice }) => {
              const after = followupsOf(report, finding)[0]?.after ?? null;
              return html`<li class="${accentOf(finding)}">
                <p>${prose(advice)}</p>
                <p class="why">
                  <a href="#${anchorOf(report, finding)}">${oneLine(finding.title)}</a> on
                  ${subjectTitle(report, finding.subject)}${after !== null && html`, <span class="done">repair tried: ${changeOf(finding, after)}</span>`}
                </p>
              </li>`;
            })}
          </ol>`
    }
  </section>`;
}

export function warningBox(report: Report): Markup | false {
  return (
    report.warnings.length > 0 &&
    html`<aside class="warnings" aria-labelledby="warnings-h">
      <h2 id="warnings-h">${plural(report.warnings.length, "warning")}</h2>
      <ul>
        ${report.warnings.map((warning) => html`<li>${prose(warning)}</li>`)}
      </ul>
    </aside>`
  );
}

export function subjectSection(report: Report): Markup {
  return html`<section id="audited" aria-labelledby="audited-h">
    <h2 id="audited-h">What was audited</h2>
    <div class="subjects">
      ${report.subjects.map((subject) => subjectCard(subject, subjectAnchor(report, subject.id)))}
    </div>
  </section>`;
}

function subjectAnchor(report: Report, id: string): string {
  return `subject-${report.subjects.findIndex((subject) => subject.id === id) + 1}`;
}

function subjectCard(subject: ReportSubject, anchor: string): Markup {
  const prints = Object.entries(subject.fingerprints);
  return html`<div class="subject" id="${anchor}">
    <div class="what">
      <h3>${oneLine(subject.title)} ${subject.title !== subject.id && html`<code>${oneLine(subject.id)}</code>`}</h3>
      <p>${oneLine(subject.description)}</p>
      ${
        subject.assumptions.length > 0 &&
        html`<h4>Assumed</h4>
          <ul>
            ${subject.assumptions.map((assumption) => html`<li>${prose(assumption)}</li>`)}
          </ul>`
      }
    </div>
    ${
      prints.length > 0 &&
      html`<details class="prints-of">
        <summary>Fingerprints</summary>
        <dl class="prints">
          ${prints.map(
            ([role, print]) =>
              html`<div>
                <dt>${oneLine(role)}</dt>
                <dd><code>${oneLine(print)}</code></dd>
              </div>`,
          )}
        </dl>
      </details>`
    }
  </div>`;
}

function readableDate(iso: string): string {
  const match = /^(\d{4})-(\d\d)-(\d\d)T(\d\d:\d\d)/.exec(iso);
  const month = match === null ? undefined : months[Number(match[2]) - 1];
  return match === null || month === undefined
    ? oneLine(iso)
    : `${Number(match[3])} ${month} ${match[1]}, ${match[4]} UTC`;
}

const months = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
];
