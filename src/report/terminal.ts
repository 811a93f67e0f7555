import type { Finding, Report } from "../contract/index.ts";
import { formatDuration, formatMeasured, formatNumber } from "./format.ts";
import { changeOf, findingsOf, firstActions, followupsOf, verdictSentence } from "./order.ts";
import { codeSpans, oneLine } from "./text.ts";
import { riskWords, risks, severityWords } from "./words.ts";
import { fit, textWidth, wrap } from "./width.ts";

export interface TerminalOptions {
  /** Whether to write colours; whether the terminal has them is the caller's to know. */
  readonly color?: boolean;
  /** Columns of the terminal; 100 unless said, at least 60. */
  readonly width?: number;
  /** Where the page is, for the last line. */
  readonly reportPath?: string;
}

type Style = "bold" | "dim" | "red" | "yellow" | "green" | "cyan";
const codes: Readonly<Record<Style, readonly [number, number]>> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  yellow: [33, 39],
  green: [32, 39],
  cyan: [36, 39],
};
type Paint = (style: Style, text: string) => string;

/** A compact summary: findings of each risk, worst first, then what to do first and where the report is. */
export function renderTerminal(report: Report, options: TerminalOptions = {}): string {
  const width = Math.min(Math.max(options.width ?? 100, 60), 140);
  const paint: Paint =
    options.color === true
      ? (style, text) => `\u001b[${codes[style][0]}m${text}\u001b[${codes[style][1]}m`
      : (_, text) => text;
  const columns: Columns = {
    grade: Math.max(0, ...report.findings.map((finding) => textWidth(grade(finding)))),
    subject: Math.min(22, Math.max(0, ...report.findings.map((finding) => textWidth(oneLine(finding.subject))))),
  };
  const held = report.findings.some((finding) => finding.outcome === "pass" && finding.evidence !== "certificate");
  const lines = [
    "",
    paint("bold", fit(oneLine(report.title), width).trimEnd()),
    ...wrap(verdictSentence(report), width),
    ...risks.flatMap((risk) => riskLines(findingsOf(report, risk), riskWords[risk], columns, width, paint)),
    ...(held
      ? [
          "",
          ...wrap("held: the attacks tried found nothing at this budget; this is not a proof", width).map((line) =>
            paint("dim", line),
          ),
        ]
      : []),
    ...repairLines(report, width, paint),
    ...warningLines(report, width, paint),
    ...actionLines(report, width, paint),
    "",
    ...wrap(totalsOf(report), width).map((line) => paint("dim", line)),
    ...(options.reportPath === undefined ? [] : [`Report: ${paint("bold", oneLine(options.reportPath))}`]),
    "",
  ];
  return lines.join("\n");
}

function totalsOf({ totals, plan }: Report): string {
  const { seconds, queries, gradients } = totals;
  return `${formatDuration(seconds)}, ${formatNumber(queries, "count")} queries, ${formatNumber(gradients, "count")} gradients, seed ${plan.seed}`;
}

interface Columns {
  readonly grade: number;
  readonly subject: number;
}

function riskLines(
  findings: readonly Finding[],
  words: { readonly title: string; readonly phase: string },
  columns: Columns,
  width: number,
  paint: Paint,
): readonly string[] {
  const head = ["", `${paint("bold", words.title)} ${paint("dim", words.phase.toLowerCase())}`];
  if (findings.length === 0) return [...head, `  ${paint("dim", "not audited: nothing is known about this risk")}`];
  const indent = 4 + columns.grade + 2 + columns.subject + 2;
  return [
    ...head,
    ...findings.flatMap((finding) => {
      const [sign, style] = signOf(finding);
      const [first = "", ...rest] = wrap(plain(finding.headline), width - indent);
      const line = `  ${paint(style, sign)} ${paint(style, fit(grade(finding), columns.grade))}  ${paint("dim", fit(oneLine(finding.subject), columns.subject))}  ${first}`;
      return [line.trimEnd(), ...rest.map((more) => " ".repeat(indent) + more)];
    }),
  ];
}

function repairLines(report: Report, width: number, paint: Paint): readonly string[] {
  return report.repairs.flatMap((repair) => {
    const nameWidth = Math.min(
      Math.floor(width * 0.4),
      Math.max(0, ...repair.rows.map((row) => textWidth(oneLine(row.name)))),
    );
    const before = repair.rows.map((row) => formatMeasured(row.before, row.unit));
    const beforeWidth = Math.max(0, ...before.map(textWidth));
    return [
      "",
      `${paint("bold", "Repair")} ${fit(oneLine(repair.title), width - 8).trimEnd()}`,
      ...repair.rows.map(
        (row, index) =>
          `  ${fit(oneLine(row.name), nameWidth)}  ${before[index]!.padStart(beforeWidth)} → ${formatMeasured(row.after, row.unit)}`,
      ),
    ];
  });
}

function warningLines(report: Report, width: number, paint: Paint): readonly string[] {
  if (report.warnings.length === 0) return [];
  return [
    "",
    paint("bold", "Warnings"),
    ...report.warnings.slice(0, 10).flatMap((warning) => bullet(paint("yellow", "!"), plain(warning), width)),
  ];
}

function actionLines(report: Report, width: number, paint: Paint): readonly string[] {
  const actions = firstActions(report, 3);
  if (actions.length === 0)
    return [
      "",
      ...wrap("No check failed at this budget. That is not a proof: see “How to read this” in the report.", width),
    ];
  return [
    "",
    paint("bold", "What to do first"),
    ...actions.flatMap(({ finding, advice }, index) => {
      const after = followupsOf(report, finding)[0]?.after ?? null;
      const tried = after === null ? "" : ` [repair tried: ${changeOf(finding, after)}]`;
      return bullet(`${index + 1}.`, `${plain(advice)} (${oneLine(finding.subject)})${tried}`, width);
    }),
  ];
}

/** Without the backticks around commands: a terminal shows them as they are typed. */
function plain(sentence: string): string {
  return codeSpans(sentence)
    .map(({ text }) => text)
    .join("");
}

function bullet(sign: string, text: string, width: number): readonly string[] {
  const [first = "", ...rest] = wrap(oneLine(text), width - 5);
  return [`  ${sign} ${first}`, ...rest.map((line) => `     ${line}`)];
}

/** Short words, so that the headlines have room; the page has the long ones. */
function grade(finding: Finding): string {
  switch (finding.outcome) {
    case "fail":
      return severityWords[finding.severity].toUpperCase();
    case "pass":
      return finding.evidence === "certificate" ? "proved" : "held";
    case "inconclusive":
      return "undecided";
    case "inapplicable":
      return "n/a";
    case "error":
      return "error";
  }
}

function signOf(finding: Finding): readonly [string, Style] {
  switch (finding.outcome) {
    case "fail":
      return finding.severity === "critical" || finding.severity === "high" ? ["✗", "red"] : ["✗", "yellow"];
    case "pass":
      return ["✓", "green"];
    case "error":
      return ["!", "red"];
    case "inconclusive":
      return ["?", "cyan"];
    case "inapplicable":
      return ["–", "dim"];
  }
}
