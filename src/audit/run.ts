import type { EvidenceBase, Plan, PlanProbe, ReportSubject, RunRecord } from "../contract/index.ts";
import type { RunContext } from "../context.ts";
import { isCancelled, MarauderError, throwIfCancelled } from "../errors.ts";
import { resolveOptions } from "../options.ts";
import { seeded } from "../random/index.ts";
import type { AuditSubject, Probe } from "./probe.ts";
import { publicPlan } from "./public-plan.ts";
import { evidenceId, type EvidenceStore } from "./store.ts";

// oxlint-disable-next-line typescript/no-explicit-any -- a list of probes with different options and results
export type AnyProbe = Probe<any, any>;

/** A subject that is open, with what the report says of it. Closed by the runner. */
export interface OpenSubject {
  readonly subject: AuditSubject;
  readonly described: ReportSubject;
  readonly warnings: readonly string[];
  close(): Promise<void>;
}

export interface RunListener {
  /** A probe begins, is taken from disk, or ends. */
  probe?(event: {
    subject: string;
    probe: string;
    state: "start" | "reused" | "done" | "failed" | "skipped";
    note?: string;
  }): void;
  step?(event: { subject: string; probe: string; done: number; of: number; note?: string }): void;
}

export interface RunSettings {
  readonly plan: Plan;
  readonly probes: readonly AnyProbe[];
  readonly store: EvidenceStore;
  readonly open: (subject: Plan["subjects"][number], plan: Plan) => Promise<OpenSubject>;
  readonly signal: AbortSignal;
  readonly listener?: RunListener;
  readonly version: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Seconds since some fixed moment; only for the time that evidence says it took. */
  readonly now: () => number;
  readonly created: string;
}

/**
 * Runs the probes of a plan, subject by subject. Evidence that is on disk already is not computed again, so a cancelled
 * run goes on where it stopped. A probe that throws is noted and the run goes on; a full disk or the user's Ctrl-C ends it.
 */
export async function runProbes(settings: RunSettings): Promise<RunRecord> {
  const { plan, store, signal, listener } = settings;
  const subjects: ReportSubject[] = [];
  const evidence: string[] = [];
  const skipped: RunRecord["skipped"][number][] = [];
  const failed: RunRecord["failed"][number][] = [];
  const warnings: string[] = [];
  // A wrong probe or option of the last subject is said before the first subject's hours of work.
  for (const { id } of plan.subjects) chosenProbes(plan, id, settings.probes);
  await store.prepare();
  for (const planned of plan.subjects) {
    throwIfCancelled(signal);
    const opened = await settings.open(planned, plan);
    try {
      subjects.push(opened.described);
      warnings.push(...opened.warnings.map((w) => `${planned.id}: ${w}`));
      for (const { probe, options } of chosenProbes(plan, planned.id, settings.probes)) {
        if (planned.risks !== undefined && !planned.risks.includes(probe.risk)) continue;
        const event = { subject: planned.id, probe: probe.id };
        const why = unfit(probe, opened.subject) ?? probe.applies(opened.subject, options);
        if (why !== null) {
          skipped.push({ ...event, why });
          listener?.probe?.({ ...event, state: "skipped", note: why });
          continue;
        }
        try {
          evidence.push(await obtain(settings, probe, options, opened));
        } catch (error) {
          if (isCancelled(error) || (error instanceof MarauderError && error.code === "FILE_WRITE")) throw error;
          const code = error instanceof MarauderError ? error.code : "INTERNAL";
          const message = error instanceof Error ? error.message : String(error);
          failed.push({ ...event, code, message });
          listener?.probe?.({ ...event, state: "failed", note: message });
        }
      }
    } finally {
      await opened.close();
    }
  }
  const { version, created, environment } = settings;
  return {
    schema: 1,
    version,
    created,
    plan: publicPlan(plan),
    subjects,
    evidence,
    skipped,
    failed,
    warnings,
    environment,
  };
}

/** A language model is no classifier, and the other way round. */
function unfit(probe: AnyProbe, subject: AuditSubject): string | null {
  const language = subject.language !== null;
  if (language === (probe.on === "language model")) return null;
  return language
    ? "works on classifiers, and this is a language model"
    : "needs a language model and the secrets that were planted in its training text: give --canaries";
}

/** The probes that a plan asks for on a subject: those that it lists, or all with their defaults. */
function chosenProbes(
  plan: Plan,
  subject: string,
  probes: readonly AnyProbe[],
): { probe: AnyProbe; options: Record<string, unknown> }[] {
  const listed: readonly PlanProbe[] = plan.probes.length > 0 ? plan.probes : probes.map((p) => ({ probe: p.id }));
  return listed
    .filter((p) => p.subjects === undefined || p.subjects.includes(subject))
    .map((p) => {
      const probe = probes.find((known) => known.id === p.probe);
      if (probe === undefined) {
        throw new MarauderError(
          "UNKNOWN_ID",
          `no probe has the id ${p.probe}; expected one of ${probes.map((k) => k.id).join(", ")}`,
        );
      }
      // The subject's `samples` are the rows that evasion attacks; an explicit option of the probe wins.
      const samples = plan.subjects.find((s) => s.id === subject)?.samples;
      const given = {
        ...(plan.quick ? (probe.quick as Record<string, unknown>) : {}),
        ...(samples !== undefined && probe.risk === "evasion" && Object.hasOwn(probe.options, "samples")
          ? { samples }
          : {}),
        ...p.options,
      };
      return { probe, options: resolveOptions<Record<string, unknown>>(probe.options, given, `the probe ${probe.id}`) };
    });
}

/** What was asked so far of all models of a subject. */
function spentOn({ target, language }: AuditSubject): { queries: number; gradients: number } {
  const meters = [...(target === null ? [] : [target.meter]), ...(language?.models ?? []).map((m) => m.target.meter)];
  const sum = (of: (m: (typeof meters)[number]) => number): number => meters.reduce((n, m) => n + of(m), 0);
  return { queries: sum((m) => m.queries), gradients: sum((m) => m.gradients) };
}

async function obtain(
  settings: RunSettings,
  probe: AnyProbe,
  options: Record<string, unknown>,
  opened: OpenSubject,
): Promise<string> {
  const { plan, store, signal, listener, now } = settings;
  const { subject, described } = opened;
  const event = { subject: subject.id, probe: probe.id };
  const version = 1;
  const id = evidenceId({ ...event, options, seed: plan.seed, fingerprints: described.fingerprints, version });
  if ((await store.find(id)) !== null) {
    listener?.probe?.({ ...event, state: "reused" });
    return id;
  }
  listener?.probe?.({ ...event, state: "start" });
  const context: RunContext = {
    rng: seeded(plan.seed).child(probe.id).child(subject.id),
    signal,
    step: (done, of, note) => listener?.step?.({ ...event, done, of, ...(note === undefined ? {} : { note }) }),
  };
  const before = spentOn(subject);
  const start = now();
  const result = (await probe.run(context, subject, options)) as { readonly kind: string };
  throwIfCancelled(signal);
  const evidence: EvidenceBase = {
    ...result,
    schema: 1,
    id,
    probe: probe.id,
    subject: subject.id,
    seed: plan.seed,
    options,
    seconds: now() - start,
    queries: spentOn(subject).queries - before.queries,
    gradients: spentOn(subject).gradients - before.gradients,
  };
  await store.write(evidence);
  listener?.probe?.({ ...event, state: "done" });
  return id;
}
