import type { Finding, Report, Risk } from "../../contract/index.ts";
import { changeOf, findingsOf, followupsOf } from "../order.ts";
import { atlas, nameOf, nist, type Taxonomy } from "../taxonomy.ts";
import { oneLine } from "../text.ts";
import { riskWords } from "../words.ts";
import { accentOf, evidenceBadge, icon, severityBadge, verdictBadge } from "./badges.ts";
import { detailFigure } from "./details.ts";
import { html, prose, type Markup, type Piece } from "./markup.ts";
import { measureList } from "./measures.ts";

/** Anchor of a finding: its place in the report, so that no text from outside becomes an id. */
export function anchorOf(report: Report, finding: Finding): string {
  return `finding-${report.findings.indexOf(finding) + 1}`;
}

export function riskSection(report: Report, risk: Risk): Markup {
  const words = riskWords[risk];
  const findings = findingsOf(report, risk);
  const judged = findings.filter((finding) => finding.outcome !== "inapplicable");
  const skipped = findings.filter((finding) => finding.outcome === "inapplicable");
  return html`<section id="${words.anchor}" aria-labelledby="${words.anchor}-h">
    <header class="section-head">
      <p class="eyebrow">${words.phase}</p>
      <h2 id="${words.anchor}-h">${words.title}</h2>
      <p class="lead">${words.summary}</p>
    </header>
    ${judged.length === 0 && html`<p class="empty">${findings.length === 0 ? "This risk was not audited." : "No check of this risk could be applied."} Nothing is known about it.</p>`}
    ${judged.map((finding) => findingArticle(report, finding))}
    ${
      skipped.length > 0 &&
      html`<div class="skipped">
        <h3>Not applicable</h3>
        <ul>
          ${skipped.map(
            (finding) =>
              html`<li id="${anchorOf(report, finding)}" class="${accentOf(finding)}">
                ${icon(finding)}<span
                  ><b>${oneLine(finding.title)}</b>
                  <span class="muted">on ${subjectTitle(report, finding.subject)}</span
                  ><br />${prose(finding.headline)}${finding.advice.length > 0 && html` <span class="muted">${finding.advice.map((sentence) => html`${prose(sentence)} `)}</span>`}</span
                >
              </li>`,
          )}
        </ul>
      </div>`
    }
  </section>`;
}

function findingArticle(report: Report, finding: Finding): Markup {
  const id = anchorOf(report, finding);
  const followups = followupsOf(report, finding);
  return html`<article id="${id}" class="finding ${accentOf(finding)}" aria-labelledby="${id}-h">
    <header>
      <p class="badges">${verdictBadge(finding)}${severityBadge(finding)}${evidenceBadge(finding)}</p>
      <h3 id="${id}-h">${oneLine(finding.title)}</h3>
      <p class="meta"><span>${subjectTitle(report, finding.subject)}</span> <code>${oneLine(finding.check)}</code></p>
    </header>
    <p class="headline">${prose(finding.headline)}</p>
    ${measureList(finding.measures)}
    ${followups.map(
      ({ repair, after }) =>
        after !== null &&
        html`<p class="followup">
          <span aria-hidden="true">↻</span>
          <span
            >After the repair “${oneLine(repair.title)}”:
            <a href="#${anchorOf(report, after)}">${changeOf(finding, after)}</a></span
          >
        </p>`,
    )}
    ${finding.details.map((detail, index) => detailFigure(detail, `${id}-${index + 1}`))}
    <div class="two">${adviceBox(finding)}${threatBox(finding)}</div>
    ${finding.from.length > 0 && html`<p class="from">Judged from ${finding.from.map((file, index) => html`${index > 0 && ", "}<code>${oneLine(file)}</code>`)}</p>`}
  </article>`;
}

function adviceBox(finding: Finding): Markup | false {
  return (
    finding.advice.length > 0 &&
    html`<div class="advice">
      <h4>What to do</h4>
      <ol>
        ${finding.advice.map((sentence) => html`<li>${prose(sentence)}</li>`)}
      </ol>
    </div>`
  );
}

function threatBox(finding: Finding): Markup {
  const { knows, changes, spends } = finding.threat;
  const row = (term: string, value: Piece) =>
    html`<div>
      <dt>${term}</dt>
      <dd>${value}</dd>
    </div>`;
  const ids = [...taxonomyIds(finding, atlas), ...taxonomyIds(finding, nist)];
  return html`<div class="threat">
    <h4>The adversary</h4>
    <dl>
      ${knows !== "" && row("knows", oneLine(knows))}${changes !== "" && row("changes", oneLine(changes))}${spends !== "" && row("spends", oneLine(spends))}
    </dl>
    ${
      ids.length > 0 &&
      html`<ul class="ids">
        ${ids.map((item) => html`<li>${item}</li>`)}
      </ul>`
    }
  </div>`;
}

/** Links only where the id is in our table: the address then holds nothing from outside. */
function taxonomyIds(finding: Finding, taxonomy: Taxonomy): readonly Markup[] {
  return taxonomy.ids(finding).map((id) => {
    const name = nameOf(taxonomy, id);
    const page = name === null ? null : taxonomy.page(id);
    const label = html`<code>${oneLine(id)}</code>`;
    return html`<span>${page === null ? label : html`<a href="${page}" rel="noreferrer noopener">${label}</a>`}</span>
      <span>${name !== null && html`${name} `}<span class="muted">${taxonomy.organization}</span></span>`;
  });
}

export function subjectTitle(report: Report, id: string): string {
  return oneLine(report.subjects.find((subject) => subject.id === id)?.title ?? id);
}
