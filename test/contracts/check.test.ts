import { describe, expect, test } from "vitest";
import { checks } from "../../src/audit/checks/index.ts";
import { judge } from "../../src/audit/judge.ts";
import { probes } from "../../src/audit/probes/index.ts";
import type { RunRecord } from "../../src/contract/index.ts";
import { atlas, nameOf, nist } from "../../src/report/taxonomy.ts";

const kinds = new Set(probes.map((p) => p.makes as string));
const kindsOf = (id: string): string[] => probes.filter((p) => p.id === id).map((p) => p.makes as string);

const record: RunRecord = {
  schema: 1,
  version: "0",
  created: "2026-01-01T00:00:00.000Z",
  plan: { schema: 1, seed: 0, quick: false, subjects: [{ id: "s", data: "x.npz" }], probes: [], repairs: [] } as never,
  subjects: [],
  evidence: [],
  skipped: probes.map((p) => ({ probe: p.id, subject: "s", why: `no food for ${p.id}` })),
  failed: [],
  warnings: [],
  environment: {},
};

describe.each(checks.map((check) => ({ id: check.id, check })))("the check $id", ({ check }) => {
  test("says why it matters and what the adversary knows, changes and spends", () => {
    expect(check.id).toMatch(/^[a-z]+(-[a-z]+)*$/);
    expect(check.why.length).toBeGreaterThan(40);
    for (const words of [check.title, check.threat.knows, check.threat.changes, check.threat.spends])
      expect(words.length).toBeGreaterThan(3);
  });
  test("has threat ids of both taxonomies, and all of them have a name", () => {
    expect(check.threat.atlas.length).toBeGreaterThan(0);
    expect(check.threat.nist.length).toBeGreaterThan(0);
    for (const id of check.threat.atlas) expect(nameOf(atlas, id), id).not.toBeNull();
    for (const id of check.threat.nist) expect(nameOf(nist, id), id).not.toBeNull();
  });
  test("reads kinds of evidence that a probe of its own risk makes", () => {
    expect(check.reads.length).toBeGreaterThan(0);
    for (const kind of check.reads) {
      const makers = probes.filter((p) => p.makes === kind);
      expect(makers.length, kind).toBeGreaterThan(0);
      expect(
        makers.every((p) => p.risk === check.risk),
        kind,
      ).toBe(true);
    }
  });
  test("on evidence that is damaged the audit goes on with an error finding, never a pass", () => {
    // With whiteBox, since evasion evidence without gradients makes gradient-masking inapplicable, damaged or not.
    const damaged = { schema: 1, id: "e", kind: check.reads[0]!, probe: "p", subject: "s", whiteBox: true } as never;
    const [finding] = judge(record, [damaged], [check], kindsOf);
    expect(finding).toMatchObject({ check: check.id, outcome: "error", severity: "none", from: ["e"] });
    expect(finding!.headline).toContain("could not judge");
    expect(finding!.advice.length).toBeGreaterThan(0);
  });
  test("without evidence it is inapplicable, and repeats the reason of the probe", () => {
    const [finding] = judge(record, [], [check], kindsOf);
    expect(finding).toMatchObject({ outcome: "inapplicable", severity: "none", evidence: null });
    expect(finding!.headline).toContain("no food for");
  });
});

test("ids of checks and of probes are unique, and all that a probe makes is read by a check", () => {
  expect(new Set(checks.map((c) => c.id)).size).toBe(checks.length);
  expect(new Set(probes.map((p) => p.id)).size).toBe(probes.length);
  const read = new Set(checks.flatMap((c) => c.reads as readonly string[]));
  expect([...kinds].filter((kind) => !read.has(kind))).toEqual([]);
});
