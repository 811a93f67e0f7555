import { describe, expect, it } from "vitest";
import { sampleReport } from "../../test/golden/sample/report.ts";
import { MarauderError } from "../errors.ts";
import { parseReport, parseReportText } from "./schema.ts";

// oxlint-disable-next-line typescript/no-explicit-any -- reports are damaged on purpose
type Json = Record<string, any>;

const sample = () => JSON.parse(JSON.stringify(sampleReport)) as Json;

function messageOf(json: unknown): string {
  try {
    parseReport(json);
  } catch (error) {
    expect(error).toBeInstanceOf(MarauderError);
    expect((error as MarauderError).code).toBe("REPORT_INVALID");
    return (error as MarauderError).message;
  }
  throw new Error("the report was taken");
}

describe("parseReport", () => {
  it("gives back what a report says", () => {
    const json = sample();
    const open = json.findings
      .flatMap((finding: Json) => finding.measures)
      .filter((measure: Json) => measure.value?.high === null);
    expect(open).toHaveLength(1);
    const parsed = JSON.parse(JSON.stringify(parseReport(sample())));
    expect(parsed).toEqual(json);
  });

  it("reads null, which JSON writes for what is not finite, as no number", () => {
    const measures = parseReport(sample()).findings.flatMap((finding) => finding.measures);
    const bound = measures.find((measure) => measure.name === "lower bound on epsilon")!.value;
    expect(bound).toMatchObject({ value: 1.62, low: 1.1, high: Number.NaN });
  });

  it.each<[string, (json: Json) => void, string]>([
    ["another schema", (json) => (json.schema = 2), "at schema;"],
    ["a missing list", (json) => delete json.findings, "at findings;"],
    ["an unknown outcome", (json) => (json.findings[1].outcome = "fine"), "at findings[1].outcome;"],
    [
      "a text for a number",
      (json) => (json.findings[0].measures[2].value.low = "0"),
      "at findings[0].measures[2].value.low;",
    ],
    ["an unknown detail", (json) => (json.findings[0].details[0].type = "html"), "at findings[0].details[0].type;"],
    [
      "pixels that do not fit",
      (json) => (json.findings[0].details[0].rows[0].cells[1].picture.width = 27),
      "at findings[0].details[0].rows[0].cells[1].picture;",
    ],
    [
      "absurd pictures",
      (json) => (json.findings[0].details[0].rows[0].cells[1].picture.height = 1e9),
      "picture.height;",
    ],
    [
      "a picture that is not base64",
      (json) => (json.findings[0].details[0].rows[0].cells[1].picture.pixels = "<svg>"),
      "picture.pixels;",
    ],
    [
      "a cell that is a list",
      (json) => (json.findings.find((one: Json) => one.check === "sanitization-bias").details[0].rows[0].group = []),
      "details[0].rows[0].group;",
    ],
    ["a date that is none", (json) => (json.created = "today"), "at created;"],
    ["a plan without data", (json) => delete json.plan.subjects[0].data, "at plan.subjects[0].data;"],
  ])("refuses %s and says where", (_, damage, where) => {
    const json = sample();
    damage(json);
    const message = messageOf(json);
    expect(message).toContain(where);
    expect(message).toMatch(/^the report cannot be read at .+; .+; make it again with /);
  });

  it.each([null, 1, "text", [], {}])("refuses %j", (json) => {
    messageOf(json);
  });

  it("drops what it does not know, and takes no prototype", () => {
    const json = JSON.parse(
      JSON.stringify(sampleReport).replace('{"schema":1', '{"__proto__":{"polluted":true},"extra":1,"schema":1'),
    ) as Json;
    Object.defineProperty(json.environment, "__proto__", { value: "x", enumerable: true });
    const parsed = parseReport(json) as unknown as Json;
    expect(parsed.polluted).toBeUndefined();
    expect(parsed.environment.polluted).toBeUndefined();
    expect(Object.hasOwn(parsed, "extra")).toBe(false);
    expect(({} as Json).polluted).toBeUndefined();
  });

  it("refuses a file that is not JSON, with the reason as its cause", () => {
    expect(() => parseReportText("<html>")).toThrow(/expected JSON/);
  });
});
