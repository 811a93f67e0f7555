import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { parseReportText, renderMarkdown, renderSarif, renderTerminal } from "../../src/report/index.ts";
import { sampleReport } from "./sample/report.ts";

/** Golden files: `npx vitest run test/golden -u` rewrites them all; read the difference before committing it. */

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));

describe("golden report", () => {
  it("is the sample, as JSON", async () => {
    await expect(`${JSON.stringify(sampleReport, null, 1)}\n`).toMatchFileSnapshot(here("sample-report.json"));
  });

  const report = parseReportText(JSON.stringify(sampleReport));

  it("as Markdown", async () => {
    await expect(renderMarkdown(report, { reportPath: "marauder-report/report.html" })).toMatchFileSnapshot(
      here("report.md"),
    );
  });

  it("as SARIF", async () => {
    await expect(renderSarif(report)).toMatchFileSnapshot(here("report.sarif"));
  });

  it("as terminal text", async () => {
    const text = renderTerminal(report, { reportPath: "marauder-report/report.html" });
    await expect(text).toMatchFileSnapshot(here("report.txt"));
  });
});
