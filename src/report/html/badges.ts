import type { Finding, Outcome, Severity } from "../../contract/index.ts";
import { evidenceWords, severityWords, verdictOf } from "../words.ts";
import { html, type Markup } from "./markup.ts";

/** Signs for outcome, severity and evidence: each a shape and a word, so that colour is never the only cue. */

/** The class that sets the accent colour: the severity of a failure, else the outcome. */
export function accentOf(finding: { readonly outcome: Outcome; readonly severity: Severity }): string {
  return finding.outcome === "fail" ? `sev-${finding.severity}` : `out-${finding.outcome}`;
}

export function icon(finding: { readonly outcome: Outcome; readonly severity: Severity }): Markup {
  return html`<svg class="icon" viewBox="0 0 20 20" width="20" height="20" aria-hidden="true">${shape(finding)}</svg>`;
}

export function verdictBadge(finding: Finding): Markup {
  return html`<span class="badge verdict">${icon(finding)}${verdictOf(finding)}</span>`;
}

export function severityBadge(finding: Finding): Markup | false {
  return (
    finding.outcome === "fail" &&
    html`<span class="badge"
      ><span class="bars b-${finding.severity}" aria-hidden="true"><i></i><i></i><i></i><i></i></span
      >${severityWords[finding.severity]}<span class="sr"> severity</span></span
    >`
  );
}

export function evidenceBadge(finding: Finding): Markup | false {
  if (finding.evidence === null || finding.outcome === "inapplicable" || finding.outcome === "error") return false;
  const { title, meaning } = evidenceWords[finding.evidence];
  return html`<span class="badge quiet" title="${meaning}"><span class="sr">Evidence: </span>${title}</span>`;
}

function shape(finding: { readonly outcome: Outcome; readonly severity: Severity }): Markup {
  switch (finding.outcome) {
    case "fail":
      return failed(finding.severity);
    case "pass":
      return html`<circle class="o" cx="10" cy="10" r="8" /><path class="o" d="M6.3 10.4l2.6 2.6 4.9-5.4" />`;
    case "inconclusive":
      return html`<circle class="o dash" cx="10" cy="10" r="8" /><path
          class="o"
          d="M7.6 8a2.5 2.5 0 1 1 3.4 2.3c-.7.3-1 .7-1 1.5"
        /><circle class="f" cx="10" cy="14.3" r="1.1" />`;
    case "inapplicable":
      return html`<circle class="o" cx="10" cy="10" r="8" /><path class="o" d="M6.5 10h7" />`;
    case "error":
      return html`<rect class="o" x="2.5" y="2.5" width="15" height="15" rx="3" /><path
          class="o"
          d="M7 7l6 6M13 7l-6 6"
        />`;
  }
}

function failed(severity: Severity): Markup {
  const bang = html`<path class="k" d="M10 5.6v5.2" /><circle class="kf" cx="10" cy="14" r="1.15" />`;
  switch (severity) {
    case "critical":
      return html`<path class="f" d="M6.2 1h7.6L19 6.2v7.6L13.8 19H6.2L1 13.8V6.2z" />${bang}`;
    case "high":
      return html`<path class="f" d="M10 1.2l9.3 16.6H.7z" /><path class="k" d="M10 7v4.6" /><circle
          class="kf"
          cx="10"
          cy="14.6"
          r="1.1"
        />`;
    case "medium":
      return html`<path class="f" d="M10 .8l9.2 9.2-9.2 9.2L.8 10z" />${bang}`;
    default:
      return html`<circle class="f" cx="10" cy="10" r="8.6" />${bang}`;
  }
}
