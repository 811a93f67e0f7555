import { Option } from "commander";
import { join, resolve } from "node:path";
import type { Report, Severity } from "../contract/index.ts";
import { writeAtomically } from "../files.ts";
import { renderHtml, renderMarkdown, renderSarif, renderTerminal } from "../report/index.ts";
import { exit } from "./exit.ts";

const severities = ["none", "low", "medium", "high", "critical"] as const satisfies readonly Severity[];

export const failOnOption = (): Option =>
  new Option("--fail-on <severity>", "exit with 1 when a finding is at least this severe").choices(severities.slice(1));

const useColor = (): boolean => process.stdout.isTTY === true && process.env["NO_COLOR"] === undefined;

/** Writes the report in every form, prints the summary, and sets the exit code. */
export async function finishAudit(
  report: Report,
  folder: string,
  options: { json?: boolean; failOn?: string },
): Promise<void> {
  await writeAtomically(join(folder, "report.json"), JSON.stringify(report, null, 1) + "\n");
  await writeAtomically(join(folder, "report.html"), renderHtml(report));
  await writeAtomically(join(folder, "report.sarif"), renderSarif(report));
  await writeAtomically(join(folder, "report.md"), renderMarkdown(report));
  const page = resolve(folder, "report.html");
  process.stdout.write(
    options.json === true
      ? JSON.stringify(report, null, 2) + "\n"
      : renderTerminal(report, { color: useColor(), width: process.stdout.columns ?? 100, reportPath: page }) + "\n",
  );
  process.exitCode = verdict(report, options.failOn as Severity | undefined);
}

/**
 * 1 when a failing finding reaches `failOn`; 3 when nothing could be measured, or when `failOn` is given and a check could
 * not run, since a gate must not open because something broke; else 0.
 */
export function verdict(report: Report, failOn: Severity | undefined): number {
  if (report.findings.every((f) => f.outcome === "inapplicable" || f.outcome === "error")) return exit.couldNotRun;
  if (failOn === undefined) return exit.clean;
  const limit = severities.indexOf(failOn);
  const reached = report.findings.some((f) => f.outcome === "fail" && severities.indexOf(f.severity) >= limit);
  if (reached) return exit.findings;
  return report.findings.some((f) => f.outcome === "error") ? exit.couldNotRun : exit.clean;
}
