import { describe, expect, it } from "vitest";
import type { Finding, Outcome, Report, Severity } from "../contract/index.ts";
import { MarauderError, type ErrorCode } from "../errors.ts";
import { exitCodeOf, explainError } from "./exit.ts";
import { verdict } from "./finish-audit.ts";

describe("errors of a command", () => {
  it.each<[ErrorCode, number]>([
    ["USAGE", 2],
    ["OPTION_RANGE", 2],
    ["PLAN_INVALID", 2],
    ["BOUNDS_MISSING", 2],
    ["UNKNOWN_ID", 2],
    ["FILE_NOT_FOUND", 3],
    ["DATA_INVALID", 3],
    ["HTTP_UNREACHABLE", 3],
    ["INTERNAL", 3],
    ["CANCELLED", 130],
  ])("%s exits with %i", (code, exitCode) => expect(exitCodeOf(new MarauderError(code, "x"))).toBe(exitCode));

  it("takes an AbortError for Ctrl-C and anything else for a failure", () => {
    expect(exitCodeOf(new DOMException("x", "AbortError"))).toBe(130);
    expect(exitCodeOf(new TypeError("x"))).toBe(3);
    expect(exitCodeOf("x")).toBe(3);
  });

  it("shows a stack only for our own faults, and promises a resume only where there is one", () => {
    expect(explainError(new MarauderError("USAGE", "say more"))).toBe("error: say more [USAGE]");
    expect(explainError(new TypeError("oops"))).toMatch(/please report it: TypeError: oops\n\s+at /);
    const stopped = new MarauderError("CANCELLED", "x");
    expect(explainError(stopped, "audit")).toMatch(/finished work is kept/);
    expect(explainError(stopped, "train")).not.toMatch(/kept/);
  });
});

describe("verdict of an audit", () => {
  const report = (...findings: [Outcome, Severity][]) =>
    ({ findings: findings.map(([outcome, severity]) => ({ outcome, severity }) as Finding) }) as unknown as Report;
  it.each<[string, Report, Severity | undefined, number]>([
    ["a failure without --fail-on", report(["fail", "critical"]), undefined, 0],
    ["a failure at the limit", report(["fail", "high"]), "high", 1],
    ["a failure below the limit", report(["fail", "medium"], ["pass", "none"]), "high", 0],
    ["a severe finding that did not fail", report(["inconclusive", "high"]), "low", 0],
    ["nothing but what does not apply", report(["inapplicable", "none"]), undefined, 3],
    ["nothing but errors", report(["error", "none"], ["inapplicable", "none"]), undefined, 3],
    ["an error beside a pass", report(["error", "none"], ["pass", "none"]), undefined, 0],
    ["an error beside a pass, at a gate", report(["error", "none"], ["pass", "none"]), "high", 3],
    ["an error beside a failure, at a gate", report(["error", "none"], ["fail", "high"]), "high", 1],
    ["no findings", report(), undefined, 3],
  ])("%s", (_what, given, failOn, code) => expect(verdict(given, failOn)).toBe(code));
});
