import type { Report } from "../contract/index.ts";
import { howToRead, runSection } from "./html/appendix.ts";
import { riskSection } from "./html/finding.ts";
import { html, markupText, trusted, type Markup } from "./html/markup.ts";
import { repairSection } from "./html/repairs.ts";
import { contentPolicy } from "./html/page.ts";
import { pageScript } from "./html/script.ts";
import { pageStyle } from "./html/style.ts";
import { doFirst, masthead, subjectSection, warningBox, worstCards } from "./html/summary.ts";
import { oneLine } from "./text.ts";
import { riskWords, risks } from "./words.ts";

/**
 * The report as one HTML file that a browser opens from disk. It needs no network and no script: the script only adds
 * values on hover and keys. Every text of the report is escaped; the content security policy allows this style sheet and
 * this script by their hash (so not a byte may stand beside them in their elements), pictures inside the file, and
 * nothing else.
 */
export function renderHtml(report: Report): string {
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta http-equiv="Content-Security-Policy" content="${trusted(contentPolicy())}" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="generator" content="marauder ${report.tool.version}" />
        <meta name="referrer" content="no-referrer" />
        <title>${oneLine(report.title)} · Marauder</title>
        ${trusted(`<style>${pageStyle}</style>`)}
      </head>
      <body>
        <a class="skip" href="#summary">Skip to the summary</a>
        <div class="page">
          ${navigation(report)}
          <main>
            ${masthead(report)} ${worstCards(report)} ${doFirst(report)} ${warningBox(report)} ${subjectSection(report)}
            ${risks.map((risk) => riskSection(report, risk))} ${repairSection(report)} ${howToRead()}
            ${runSection(report)}
            <footer>
              <p>Made by Marauder ${report.tool.version} from report.json, which holds everything shown here.</p>
            </footer>
          </main>
        </div>
        ${trusted(`<script>${pageScript}</script>`)}
      </body>
    </html> `;
  return markupText(page);
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
