import { describe, expect, it } from "vitest";
import { sampleReport } from "../../test/golden/sample/report.ts";
import type { Finding, Report } from "../contract/index.ts";
import { changeOf, firstActions, followupsOf, verdictSentence, worstFirst, worstOf } from "./order.ts";
import { renderTerminal } from "./terminal.ts";
import { renderMarkdown } from "./markdown.ts";

const [base] = sampleReport.findings as [Finding];
const finding = (change: Partial<Finding>): Finding => ({ ...base, ...change });
const report = (...findings: Finding[]): Report => ({ ...sampleReport, findings, repairs: [] });

describe("order", () => {
  it("puts failures first, the worst of them first, whatever the other outcomes' severities", () => {
    const findings = [
      finding({ check: "a", outcome: "inapplicable", severity: "critical" }),
      finding({ check: "b", outcome: "pass", severity: "none" }),
      finding({ check: "c", outcome: "fail", severity: "low" }),
      finding({ check: "d", outcome: "inconclusive", severity: "critical" }),
      finding({ check: "e", outcome: "fail", severity: "critical" }),
      finding({ check: "f", outcome: "error", severity: "none" }),
    ];
    expect(worstFirst(findings).map((one) => one.check)).toEqual(["e", "c", "f", "d", "b", "a"]);
    expect(worstOf(report(...findings), "evasion")!.check).toBe("e");
    expect(worstOf(report(...findings), "poisoning")).toBeNull();
  });

  it("gives each advice once, and none for what held", () => {
    const actions = firstActions(
      report(
        finding({ advice: ["x", "y"] }),
        finding({ advice: ["x", "y"], severity: "low" }),
        finding({ outcome: "pass", advice: ["z"] }),
      ),
    );
    expect(actions.map((action) => action.advice)).toEqual(["x", "y"]);
  });

  it("says what a repair did", () => {
    const followups = followupsOf(sampleReport, base);
    expect(followups.map(({ repair }) => repair.id)).toEqual(["harden"]);
    expect(changeOf(base, followups[0]!.after!)).toBe("critical → low");
    expect(changeOf(base, base)).toBe("still critical");
  });

  it("sums up in one sentence", () => {
    expect(verdictSentence(sampleReport)).toBe(
      "7 of 11 checks failed (1 critical, 2 high, 3 medium, 1 low); 1 held at this budget; 1 proved within a stated bound; 1 undecided; 1 could not run.",
    );
    expect(verdictSentence(report(finding({ outcome: "pass", evidence: "estimate" })))).toBe(
      "None of 1 check failed; 1 held at this budget.",
    );
    expect(verdictSentence(report())).toMatch(/nothing is known/);
  });
});

describe("renderTerminal", () => {
  // oxlint-disable-next-line no-control-regex
  const control = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e]/;

  it("writes no control character without colour, and only its own with it", () => {
    expect(renderTerminal(sampleReport)).not.toMatch(control);
    const colored = renderTerminal(sampleReport, { color: true });
    expect(colored).toContain("\u001b[31m");
    // oxlint-disable-next-line no-control-regex
    expect(colored.replaceAll(/\u001b\[\d+m/g, "")).toBe(renderTerminal(sampleReport));
  });

  it.each([60, 80, 120])("keeps to %d columns, but for repairs' numbers", (width) => {
    const text = renderTerminal({ ...sampleReport, repairs: [] }, { width });
    expect(Math.max(...text.split("\n").map((line) => line.length))).toBeLessThanOrEqual(width);
  });

  it("ends with where the report is", () => {
    expect(renderTerminal(sampleReport, { reportPath: "out/report.html" }).trimEnd().split("\n").at(-1)).toBe(
      "Report: out/report.html",
    );
  });
});

describe("renderMarkdown", () => {
  it("stays within what a code host takes", () => {
    const many = Array.from({ length: 400 }, (_, index) => finding({ check: `c${index}`, headline: "h".repeat(600) }));
    const text = renderMarkdown({ ...sampleReport, findings: many });
    expect(text.length).toBeLessThan(65_536);
    expect(text).toContain("What to do first");
  });
  it("has every finding of a usual report", () => {
    const text = renderMarkdown(sampleReport);
    for (const { subject } of sampleReport.findings) expect(text).toContain(`\`${subject}\``);
    expect(text.match(/^\| (\*\*|Held|Proved|Undecided|Could|Not app)/gm)).toHaveLength(sampleReport.findings.length);
  });
});
