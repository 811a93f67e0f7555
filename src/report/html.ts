import type { Report } from "../contract/index.ts";
import { howToRead, runSection } from "./html/appendix.ts";
import { riskSection } from "./html/finding.ts";
import { html, type Markup } from "./html/markup.ts";
import { repairSection } from "./html/repairs.ts";
import { htmlPage } from "./html/page.ts";
import { doFirst, masthead, subjectSection, warningBox, worstCards } from "./html/summary.ts";
import { riskWords, risks } from "./words.ts";

/**
 * The report as one HTML file that a browser opens from disk. It needs no network and no script: the script only adds
 * values on hover and keys. Every text of the report is escaped; the page's content security policy allows nothing foreign.
 */
export function renderHtml(report: Report): string {
  const { version } = report.tool;
  const body = html`<a class="skip" href="#summary">Skip to the summary</a>
    <div class="page">
      ${navigation(report)}
      <main>
        ${masthead(report)} ${worstCards(report)} ${doFirst(report)} ${warningBox(report)} ${subjectSection(report)}
        ${risks.map((risk) => riskSection(report, risk))} ${repairSection(report)} ${howToRead()} ${runSection(report)}
        <footer>
          <p>Made by Marauder ${version} from report.json, which holds everything shown here.</p>
        </footer>
      </main>
    </div>`;
  return htmlPage(report.title, version, body);
}

function navigation(report: Report): Markup {
  const links = [
    ["summary", "Summary"],
    ["first", "What to do first"],
    ["audited", "What was audited"],
    ...risks.map((risk) => [riskWords[risk].anchor, riskWords[risk].title]),
    ...(report.repairs.length > 0 ? [["repairs", "Repairs"]] : []),
    ["reading", "How to read this"],
    ["run", "Run it again"],
  ];
  return html`<nav aria-label="Sections">
    <ul>
      ${links.map(([anchor, label]) => html`<li><a href="#${anchor}">${label}</a></li>`)}
    </ul>
  </nav>`;
}
