import type { Plan } from "./plan.ts";
import type { ReportSubject } from "./report.ts";

/** What a run of probes leaves beside its evidence (`run.json`): enough to judge and render again with no engine. */
export interface RunRecord {
  readonly schema: 1;
  readonly version: string;
  /** ISO 8601, UTC. */
  readonly created: string;
  readonly plan: Plan;
  readonly subjects: readonly ReportSubject[];
  /** Ids of the evidence of this run, in the order of the plan. */
  readonly evidence: readonly string[];
  /** Probes that did not apply, and why. */
  readonly skipped: readonly { readonly probe: string; readonly subject: string; readonly why: string }[];
  /** Probes that threw; the run went on. */
  readonly failed: readonly {
    readonly probe: string;
    readonly subject: string;
    readonly code: string;
    readonly message: string;
  }[];
  readonly warnings: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}
