import { describe, expect, it } from "vitest";
import { hostile } from "../../test/golden/sample/hostile.ts";
import { sampleReport } from "../../test/golden/sample/report.ts";
import type { Report } from "../contract/index.ts";
import { renderSarif } from "./sarif.ts";

/** What the SARIF 2.1.0 schema and the standard ask of the parts that we write. */

const run = (report: Report) => JSON.parse(renderSarif(report)).runs[0];
const result = (headline: string) =>
  run({ ...sampleReport, findings: [{ ...sampleReport.findings[0]!, headline }] }).results[0];

describe("renderSarif", () => {
  const sarif = run(sampleReport);

  it("has a result for each failed and each undecided finding, and a notification for each error", () => {
    const count = (outcome: string) => sampleReport.findings.filter((finding) => finding.outcome === outcome).length;
    const kinds = sarif.results.map((one: { kind: string }) => one.kind);
    expect(kinds.filter((kind: string) => kind === "fail")).toHaveLength(count("fail"));
    expect(kinds.filter((kind: string) => kind === "open")).toHaveLength(count("inconclusive"));
    expect(kinds).toHaveLength(count("fail") + count("inconclusive"));
    expect(sarif.invocations[0].toolExecutionNotifications).toHaveLength(count("error"));
    expect(sarif.invocations[0].executionSuccessful).toBe(false);
  });

  it("has level none where the kind is not fail (3.27.10), else the level of the severity", () => {
    const levels = { critical: "error", high: "error", medium: "warning", low: "note", none: "note" } as const;
    for (const { kind, level, properties } of sarif.results) {
      expect(level).toBe(kind === "fail" ? levels[properties.severity as keyof typeof levels] : "none");
    }
  });

  it("has indices that point at what they name", () => {
    for (const one of sarif.results) {
      expect(sarif.tool.driver.rules[one.ruleIndex].id).toBe(one.ruleId);
      const { artifactLocation } = one.locations[0].physicalLocation;
      expect(sarif.artifacts[artifactLocation.index].location.uri).toBe(artifactLocation.uri);
      for (const taxon of one.taxa) {
        const taxonomy = sarif.taxonomies[taxon.toolComponent.index];
        expect(taxonomy.name).toBe(taxon.toolComponent.name);
        expect(taxonomy.taxa.map((entry: { id: string }) => entry.id)).toContain(taxon.id);
      }
    }
  });

  it("has unique entries where the schema wants them", () => {
    const lists = [
      sarif.artifacts,
      ...sarif.results.map((one: { taxa: unknown[] }) => one.taxa),
      ...sarif.tool.driver.rules.map((rule: { properties: { tags: unknown[] } }) => rule.properties.tags),
    ];
    for (const list of lists)
      expect(new Set(list.map((entry: unknown) => JSON.stringify(entry))).size).toBe(list.length);
  });

  it("has fingerprints that depend on check and subject only", () => {
    const prints = sarif.results.map(
      (one: { partialFingerprints: object }) => Object.values(one.partialFingerprints)[0],
    );
    expect(new Set(prints).size).toBe(prints.length);
    expect(result("another headline").partialFingerprints).toEqual(result("a headline").partialFingerprints);
  });

  it("has file names as URI references that cannot pass for addresses, and no credentials", () => {
    const uris = sarif.artifacts.map((artifact: { location: { uri: string } }) => artifact.location.uri);
    expect(uris).toContain(`models/${encodeURIComponent(hostile.image)}.onnx`);
    expect(uris).toContain("https://predict.example:8443/v1/signs");
    expect(renderSarif(sampleReport)).not.toContain("hunter2");
    const uriOf = (model: string) =>
      run({ ...sampleReport, plan: { ...sampleReport.plan, subjects: [{ id: "digits", model, data: "d" }] } })
        .artifacts[0].location.uri;
    expect(uriOf("/home/a b/m.onnx")).toBe("file:///home/a%20b/m.onnx");
    expect(uriOf("C:\\models\\m.onnx")).toBe("file:///C:/models/m.onnx");
    expect(uriOf("javascript:alert(1)")).toBe("javascript%3Aalert(1)");
  });

  it("keeps links and placeholders out of messages (3.11.5, 3.11.6)", () => {
    expect(result("[click](javascript:alert(1))").message.text).toBe("\\[click\\](javascript:alert(1))");
    expect(result("class {0} of [N, 1]").message.text).toBe("class {{0}} of [N, 1]");
  });

  it("names the rows that a finding shows", () => {
    const names = sarif.results[0].locations[0].logicalLocations.map(
      (one: { fullyQualifiedName: string }) => one.fullyQualifiedName,
    );
    expect(names[0]).toBe("digits");
    expect(names).toContain("digits/test/017");
  });
});
