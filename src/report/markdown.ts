import type { Finding, Report, ReportRepair, Risk } from "../contract/index.ts";
import { formatCell, formatDuration, formatMeasured, formatNumber } from "./format.ts";
import { changeOf, findingsOf, firstActions, followupsOf, verdictSentence, worstFirst, worstOf } from "./order.ts";
import { codeSpans, oneLine, shorten } from "./text.ts";
import { evidenceWords, riskWords, risks, severityWords, verdictOf } from "./words.ts";

export interface MarkdownOptions {
  /** Where the page is, for the last line: a path or an address. */
  readonly reportPath?: string;
}

/** GitHub takes 65,536 characters in a comment. */
const maxLength = 60_000;
const maxFindings = 60;

/** A summary fit for a pull request: verdict, worst finding of each risk, what to do first, all findings, repairs. */
export function renderMarkdown(report: Report, options: MarkdownOptions = {}): string {
  const parts = [
    `## ${text(report.title)}`,
    `**${text(verdictSentence(report))}**`,
    risksTable(report),
    actionList(report),
    report.repairs.map(repairTable).join("\n\n"),
    findingList(report),
    warningList(report),
    closing(report, options),
  ];
  const whole = parts.filter((part) => part !== "").join("\n\n") + "\n";
  if (whole.length <= maxLength) return whole;
  const short = [parts[0], parts[1], parts[2], parts[3], `Too long to show here in full.`, parts[7]];
  return `${short.join("\n\n").slice(0, maxLength)}\n`;
}

function risksTable(report: Report): string {
  const rows = risks.map((risk) => {
    const worst = worstOf(report, risk);
    const { phase, title } = riskWords[risk];
    const cells =
      worst === null ? ["Not audited", "", ""] : [verdict(worst), sentence(worst.headline), subject(report, worst)];
    return `| ${phase}: **${title.toLowerCase()}** | ${cells.join(" | ")} |`;
  });
  return ["| Risk | Worst result | Finding | Model |", "| --- | --- | --- | --- |", ...rows].join("\n");
}

function actionList(report: Report): string {
  const actions = firstActions(report);
  if (actions.length === 0) return "";
  const lines = actions.map(({ finding, advice }, index) => {
    const after = followupsOf(report, finding)[0]?.after ?? null;
    const tried = after === null ? "" : `; repair tried: ${changeOf(finding, after)}`;
    return `${index + 1}. ${sentence(advice)} *(${text(finding.title)}, ${subject(report, finding)}${tried})*`;
  });
  return `### What to do first\n\n${lines.join("\n")}`;
}

function repairTable(repair: ReportRepair): string {
  const rows = repair.rows.map(
    (row) =>
      `| ${text(row.name)} (${row.better} is better) | ${text(formatCell(row.before, row.unit))} | ${text(formatCell(row.after, row.unit))} |`,
  );
  return [
    `### Repair: ${text(repair.title)}`,
    "",
    sentence(repair.what),
    "",
    `| Measure | Before: ${code(repair.before)} | After: ${code(repair.after)} |`,
    "| --- | ---: | ---: |",
    ...rows,
  ].join("\n");
}

function findingList(report: Report): string {
  return risks
    .map((risk) => riskPart(report, risk))
    .filter((part) => part !== "")
    .join("\n\n");
}

function riskPart(report: Report, risk: Risk): string {
  const findings = findingsOf(report, risk);
  if (findings.length === 0) return "";
  const rows = worstFirst(findings)
    .slice(0, maxFindings)
    .map((finding) => {
      const evidence = finding.evidence === null ? "" : evidenceWords[finding.evidence].title.toLowerCase();
      const measures = finding.measures
        .slice(0, 4)
        .map(({ name, unit, value }) => `${text(name)}: ${text(formatMeasured(value, unit))}`)
        .join("<br>");
      return `| ${verdict(finding)} | ${evidence} | ${text(finding.title)}, ${subject(report, finding)} | ${sentence(finding.headline)} | ${measures} |`;
    });
  const more = findings.length > maxFindings ? `\n\n${findings.length - maxFindings} more in the report.` : "";
  return [
    "<details>",
    `<summary>${riskWords[risk].title}: all results (${findings.length})</summary>`,
    "",
    "| Result | Evidence | Check | Finding | Measures |",
    "| --- | --- | --- | --- | --- |",
    ...rows,
    "",
    `</details>${more}`,
  ].join("\n");
}

function warningList(report: Report): string {
  if (report.warnings.length === 0) return "";
  return `### Warnings\n\n${report.warnings
    .slice(0, 20)
    .map((warning) => `- ${sentence(warning)}`)
    .join("\n")}`;
}

function closing(report: Report, options: MarkdownOptions): string {
  const { totals, plan, tool } = report;
  const where = options.reportPath === undefined ? "" : ` Full report: ${code(options.reportPath)}.`;
  return `<sub>“Held at this budget” means that the attacks tried found nothing; it is not a proof.${where} Marauder ${text(tool.version)}, seed ${plan.seed}${plan.quick ? ", quick" : ""}, ${formatDuration(totals.seconds)}, ${formatNumber(totals.queries, "count")} queries.</sub>`;
}

function verdict(finding: Finding): string {
  return finding.outcome === "fail"
    ? `**${severityWords[finding.severity]}**: ${verdictOf(finding).toLowerCase()}`
    : verdictOf(finding);
}

function subject(report: Report, finding: Finding): string {
  return code(report.subjects.find((one) => one.id === finding.subject)?.id ?? finding.subject);
}

/**
 * Text that stays text in GitHub's Markdown: punctuation is escaped, `<` is an entity, and a zero-width blank keeps
 * `@name` from calling somebody, `#12` from linking, and addresses from becoming links.
 */
function text(raw: string): string {
  return shorten(oneLine(raw), 600)
    .replaceAll(/[\\`*_{}[\]|~!$^=]/g, "\\$&")
    .replace(/^(?:[#+-]|\d+(?=[.)]))(?=[.)\s]|$)/, (start) => (/\d/.test(start) ? `${start}\\` : `\\${start}`))
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll(/@(?=\w)/g, "@\u200b")
    .replaceAll(/#(?=\w)/g, "#\u200b")
    .replaceAll(/:(?=\/\/)/g, ":\u200b")
    .replaceAll(/\bwww(?=\.)/gi, "$&\u200b");
}

/** A sentence with what stands between backticks as code. */
function sentence(raw: string): string {
  return codeSpans(shorten(raw, 600))
    .map((part) => (part.code ? code(part.text) : keepEnds(part.text)))
    .join("");
}

/** `text` trims; between code spans the blanks at the ends count. */
function keepEnds(raw: string): string {
  return `${/^\s/.test(raw) ? " " : ""}${text(raw)}${/\s$/.test(raw) ? " " : ""}`;
}

/** A code span; its fence is longer than any run of backticks inside. A pipe would end a table's cell even there. */
function code(raw: string): string {
  const inner = shorten(oneLine(raw), 120).replaceAll("|", "¦");
  const longest = Math.max(0, ...(inner.match(/`+/g) ?? []).map((run) => run.length));
  const fence = "`".repeat(longest + 1);
  return longest > 0 ? `${fence} ${inner} ${fence}` : `${fence}${inner === "" ? " " : inner}${fence}`;
}
