import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Plan } from "../contract/index.ts";
import { MarauderError } from "../errors.ts";
import { checkPlan } from "./plan.ts";
import type { AuditSubject } from "./probe.ts";
import { runProbes, type AnyProbe, type RunSettings } from "./run.ts";
import { EvidenceStore } from "./store.ts";

let folder: string;
let calls: string[];
let events: string[];
let closed: string[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "marauder-run-"));
  calls = [];
  events = [];
  closed = [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const number = (fallback: number) => ({ type: "int", default: fallback, min: 1, max: 100, doc: "" }) as const;
const probe = (
  id: string,
  run: AnyProbe["run"] = async () => ({ kind: id }),
  more: Partial<AnyProbe> = {},
): AnyProbe => ({
  id,
  risk: "evasion",
  title: id,
  makes: id,
  options: { n: number(10) },
  quick: { n: 2 },
  applies: () => null,
  ...more,
  run: async (context, subject, options) => {
    calls.push(`${subject.id}/${id}/${options.n}`);
    return run(context, subject, options);
  },
});

const plan = (more: Record<string, unknown> = {}): Plan => checkPlan({ subjects: [{ id: "a", data: "d" }], ...more });

const record = (probes: readonly AnyProbe[], more: Partial<RunSettings> = {}, fingerprint = "sha256:1") =>
  runProbes({
    plan: plan(),
    probes,
    store: new EvidenceStore(folder),
    open: async ({ id }) => ({
      subject: { id, target: null, language: null } as unknown as AuditSubject, // probes here look at nothing else
      described: { id, title: id, description: "", fingerprints: { data: fingerprint }, assumptions: [] },
      warnings: ["careful"],
      close: async () => void closed.push(id),
    }),
    signal: new AbortController().signal,
    listener: { probe: (e) => void events.push(`${e.probe} ${e.state}`) },
    version: "0",
    environment: {},
    now: () => 0,
    created: "2026-01-01T00:00:00.000Z",
    ...more,
  });

const failing = (error: unknown, id = "bad") => probe(id, () => Promise.reject(error));

describe("runProbes", () => {
  it("reuses evidence, and computes again what is damaged", async () => {
    const first = await record([probe("x"), probe("y")]);
    const second = await record([probe("x"), probe("y")]);
    expect(calls).toEqual(["a/x/10", "a/y/10"]);
    expect(second.evidence).toEqual(first.evidence);
    expect(events.slice(-2)).toEqual(["x reused", "y reused"]);
    writeFileSync(join(folder, "evidence", `${first.evidence[0]}.json`), "{");
    await record([probe("x"), probe("y")]);
    expect(calls).toEqual(["a/x/10", "a/y/10", "a/x/10"]);
    expect(first.warnings).toEqual(["a: careful"]);
  });

  it("takes other options, seed, data or a model for other evidence, but not another title", async () => {
    const ids = new Set<string>();
    const id = async (more: Record<string, unknown> = {}, fingerprint?: string) => {
      const [own] = (await record([probe("x")], { plan: plan(more) }, fingerprint)).evidence;
      ids.add(own!);
      return own;
    };
    const base = await id();
    await id({ seed: 1 });
    await id({ quick: true });
    await id({ probes: [{ probe: "x", options: { n: 3 } }] });
    await id({}, "sha256:2");
    expect(ids.size).toBe(5);
    expect(await id({ title: "other" })).toBe(base);
    expect(await id({ probes: [{ probe: "x", options: { n: "10" } }] })).toBe(base);
    expect(calls).toEqual(["a/x/10", "a/x/10", "a/x/2", "a/x/3", "a/x/10"]);
  });

  it("notes a probe that throws, with its code, and goes on", async () => {
    const out = await record([
      failing(new MarauderError("NOT_ENOUGH_DATA", "too few")),
      failing(new TypeError("oops"), "worse"),
      probe("y"),
    ]);
    expect(out.failed.map((f) => `${f.code}: ${f.message}`)).toEqual(["NOT_ENOUGH_DATA: too few", "INTERNAL: oops"]);
    expect(out.evidence).toHaveLength(1);
    expect(events).toContain("y done");
  });

  it.each(["CANCELLED", "FILE_WRITE"] as const)(
    "ends on %s, closes the subject and keeps what is done",
    async (code) => {
      await expect(record([probe("x"), failing(new MarauderError(code, "stop")), probe("y")])).rejects.toMatchObject({
        code,
      });
      expect(closed).toEqual(["a"]);
      expect(readdirSync(join(folder, "evidence")).filter((f) => f.startsWith("a.x."))).toHaveLength(1);
      await record([probe("x"), probe("y")]);
      expect(calls.filter((c) => c === "a/x/10")).toHaveLength(1);
    },
  );

  it("writes no evidence of a probe that ran on after Ctrl-C", async () => {
    const controller = new AbortController();
    const deaf = probe("deaf", async () => {
      controller.abort();
      return { kind: "deaf" };
    });
    await expect(record([deaf], { signal: controller.signal })).rejects.toMatchObject({ code: "CANCELLED" });
    expect(readdirSync(join(folder, "evidence"))).toEqual(["README.txt"]);
  });

  it("skips with a reason, and leaves out risks and subjects that the plan leaves out", async () => {
    const never = probe("never", undefined, { applies: () => "needs a moon" });
    const out = await record([never, probe("y", undefined, { risk: "poisoning" }), probe("z")], {
      plan: plan({
        subjects: [
          { id: "a", data: "d", risks: ["evasion"] },
          { id: "b", data: "d" },
        ],
        probes: [{ probe: "never", subjects: ["a"] }, { probe: "y" }, { probe: "z", subjects: ["a"] }],
      }),
    });
    expect(out.skipped).toEqual([{ subject: "a", probe: "never", why: "needs a moon" }]);
    expect(calls).toEqual(["a/z/10", "b/y/10"]);
    expect(closed).toEqual(["a", "b"]);
  });

  it("refuses an unknown probe or option before any work", async () => {
    const wrong = (probes: unknown) => record([probe("x")], { plan: plan({ probes }) });
    await expect(wrong([{ probe: "x" }, { probe: "nope" }])).rejects.toMatchObject({ code: "UNKNOWN_ID" });
    await expect(wrong([{ probe: "x", options: { m: 1 } }])).rejects.toMatchObject({ code: "OPTION_UNKNOWN" });
    await expect(wrong([{ probe: "x", options: { n: 0 } }])).rejects.toMatchObject({ code: "OPTION_RANGE" });
    expect(calls).toEqual([]);
  });

  it("gives a subject's samples to evasion probes only; their own option wins", async () => {
    const sampled = { options: { samples: number(50) }, quick: {} };
    const seen: number[] = [];
    const look = (id: string, risk: AnyProbe["risk"]) =>
      probe(id, async (_c, _s, o) => (seen.push(o.samples), { kind: id }), { ...sampled, risk });
    const probes = [look("e", "evasion"), look("m", "memorization")];
    await record(probes, { plan: plan({ subjects: [{ id: "a", data: "d", samples: 7 }] }) });
    await record(probes, {
      plan: plan({ subjects: [{ id: "a", data: "d", samples: 7 }], probes: [{ probe: "e", options: { samples: 9 } }] }),
    });
    expect(seen).toEqual([7, 50, 9]);
  });

  it("writes down no credentials", async () => {
    const out = await record([probe("x")], {
      plan: plan({
        subjects: [{ id: "a", data: "d", model: "https://h/p?key=SECRET", http: { headers: { k: "SECRET" } } }],
      }),
    });
    expect(JSON.stringify(out)).not.toContain("SECRET");
  });
});
