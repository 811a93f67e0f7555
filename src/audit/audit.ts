import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { arch, availableParallelism, platform, tmpdir } from "node:os";
import { join } from "node:path";
import type { Plan, Report } from "../contract/index.ts";
import { version } from "../version.ts";
import { judgeRun, writeRecord } from "./finish.ts";
import { openSubject } from "./open.ts";
import { checkPlan, type PlanInput, type PlanSubjectInput } from "./plan.ts";
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
    open: (subject) =>
      openSubject(subject, options.base, options.signal === undefined ? {} : { signal: options.signal }),
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

/** How `audit` runs. Seed and quick override those of a plan. */
export interface AuditSettings extends Partial<AuditOptions> {
  readonly seed?: number;
  /** Smaller budgets: a first look. */
  readonly quick?: boolean;
}

/**
 * Audits a plan, or one model with its data, and returns the report. Paths are relative to `base`, by default the working
 * folder. Without `out` the evidence goes into a temporary folder that is gone afterwards.
 *
 *     const report = await audit({ model: "model.onnx", data: "test.npz", bounds: [0, 255] });
 *
 * Throws PLAN_INVALID, and what opening a model or its data throws; a probe that fails is a finding, not an error.
 */
export async function audit(
  what: PlanInput | (Omit<PlanSubjectInput, "id"> & { readonly id?: string }),
  settings: AuditSettings = {},
): Promise<Report> {
  const { seed, quick, base = ".", out, ...rest } = settings;
  const given = "subjects" in what ? what : { subjects: [{ id: "model", ...what }] };
  const plan = checkPlan({ ...given, ...(seed !== undefined && { seed }), ...(quick !== undefined && { quick }) });
  if (out !== undefined) return auditPlan(plan, { ...rest, base, out });
  const folder = await mkdtemp(join(tmpdir(), "marauder-"));
  try {
    return await auditPlan(plan, { ...rest, base, out: folder });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
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
