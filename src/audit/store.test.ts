import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { EvidenceBase } from "../contract/index.ts";
import { canonicalJson, evidenceId, EvidenceStore, type EvidenceKey } from "./store.ts";

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "marauder-store-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const key: EvidenceKey = {
  probe: "p",
  subject: "s",
  options: { a: 1, b: 2 },
  seed: 0,
  fingerprints: { data: "x" },
  version: 1,
};
const evidence = (id: string): EvidenceBase => ({
  schema: 1,
  id,
  kind: "k",
  probe: "p",
  subject: "s",
  seed: 0,
  options: {},
  seconds: 0,
  queries: 0,
  gradients: 0,
});

describe("evidence ids", () => {
  it("depend on content, not on the order of keys", () => {
    expect(canonicalJson({ b: [{ d: 1, c: 2 }], a: null })).toBe('{"a":null,"b":[{"c":2,"d":1}]}');
    expect(evidenceId({ ...key, options: { b: 2, a: 1 } })).toBe(evidenceId(key));
    const others = [
      { ...key, probe: "q" },
      { ...key, subject: "t" },
      { ...key, options: { a: 1, b: 3 } },
      { ...key, seed: 1 },
      { ...key, fingerprints: { data: "y" } },
      { ...key, fingerprints: { data: "x", model: "z" } },
      { ...key, version: 2 },
    ];
    expect(new Set([key, ...others].map(evidenceId)).size).toBe(8);
    expect(evidenceId(key)).toMatch(/^s\.p\.[0-9a-f]{16}$/);
  });
});

describe("the store", () => {
  it("gives back what was written, and null for what is not there", async () => {
    const store = new EvidenceStore(folder);
    await store.prepare();
    await store.write(evidence("e"));
    expect(await store.read("e")).toEqual(evidence("e"));
    expect(await store.find("f")).toBeNull();
    expect(await store.list()).toEqual(["e"]);
    expect(readdirSync(store.folder).sort()).toEqual(["README.txt", "e.json"]);
  });

  it.each([
    ["cut short", '{"schema":1,', /is not JSON/],
    ["empty", "", /is not JSON/],
    ["null", "null", /not of schema 1/],
    ["of another schema", '{"schema":2}', /not of schema 1/],
    ["renamed", JSON.stringify(evidence("other")), /says that its id is "other"/],
    ["without kind", '{"schema":1,"id":"e","subject":"s"}', /has no kind/],
  ])("a file that is %s: none when running, an error with its path when judging", async (_what, text, says) => {
    const store = new EvidenceStore(folder);
    await store.prepare();
    writeFileSync(join(store.folder, "e.json"), text);
    expect(await store.find("e")).toBeNull();
    await expect(store.read("e")).rejects.toMatchObject({
      code: "EVIDENCE_INVALID",
      message: expect.stringMatching(says),
    });
    await expect(store.read("e")).rejects.toThrow(join(store.folder, "e.json"));
  });

  it("says early that a folder cannot be made", async () => {
    writeFileSync(join(folder, "file"), "");
    await expect(new EvidenceStore(join(folder, "file")).prepare()).rejects.toMatchObject({ code: "FILE_WRITE" });
  });

  it.skipIf(process.getuid?.() === 0)("says early that a folder is read-only", async () => {
    mkdirSync(join(folder, "ro"));
    chmodSync(join(folder, "ro"), 0o555);
    await expect(new EvidenceStore(join(folder, "ro")).prepare()).rejects.toThrow(/permission denied/);
  });
});
