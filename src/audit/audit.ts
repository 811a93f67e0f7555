import { createRequire } from "node:module";
import { arch, availableParallelism, platform } from "node:os";
import type { Plan, Report } from "../contract/index.ts";
import { version } from "../version.ts";
import { judgeRun, writeRecord } from "./finish.ts";
import { openSubject } from "./open.ts";
import { probes } from "./probes/index.ts";
import { runProbes, type RunListener } from "./run.ts";
import { EvidenceStore } from "./store.ts";

export interface AuditOptions {
  /** Folder that the plan's paths are relative to. */
  readonly base: string;
  /** Folder for evidence and record; evidence that it holds already is used again. */
  readonly out: string;
  readonly signal?: AbortSignal;
  readonly listener?: RunListener;
}

/**
 * Runs a plan: probe, evidence, check, report. Writes `evidence/` and `run.json` into `out` and returns the report; the
 * caller renders it. A cancelled run throws CANCELLED and goes on from its evidence when called again.
 */
export async function auditPlan(plan: Plan, options: AuditOptions): Promise<Report> {
  const record = await runProbes({
    plan,
    probes,
    store: new EvidenceStore(options.out),
    open: (subject) => openSubject(subject, options.base),
    signal: options.signal ?? new AbortController().signal,
    ...(options.listener === undefined ? {} : { listener: options.listener }),
    version,
    environment: environment(),
    now: () => performance.now() / 1000,
    created: new Date().toISOString(),
  });
  await writeRecord(options.out, record);
  return judgeRun(options.out, record);
}

function environment(): Record<string, string> {
  const runtime = createRequire(import.meta.url)("onnxruntime-node/package.json") as { version: string };
  return {
    node: process.versions.node,
    "onnx runtime": runtime.version,
    platform: `${platform()} ${arch()}`,
    cores: String(availableParallelism()),
  };
}
