import type { Finding, Interval, Unit } from "./finding.ts";
import type { Plan } from "./plan.ts";

export interface ReportSubject {
  readonly id: string;
  readonly title: string;
  /** For instance "digits.onnx, 105,866 parameters, input [N, 1, 28, 28], bounds 0 to 1". Never credentials. */
  readonly description: string;
  /** "sha256:…" of the model file and of the data files by role. */
  readonly fingerprints: Readonly<Record<string, string>>;
  /** What was assumed and how to override it. */
  readonly assumptions: readonly string[];
}

export interface ReportRepair {
  readonly id: string;
  readonly title: string;
  readonly what: string;
  readonly before: string;
  readonly after: string;
  readonly rows: readonly {
    readonly name: string;
    readonly unit: Unit;
    readonly better: "higher" | "lower";
    readonly before: Interval | number | null;
    readonly after: Interval | number | null;
  }[];
}

/** The single truth: page, SARIF, Markdown and terminal are pure functions of it. */
export interface Report {
  readonly schema: 1;
  readonly tool: { readonly name: "marauder"; readonly version: string };
  /** ISO 8601, UTC. */
  readonly created: string;
  readonly title: string;
  readonly plan: Plan;
  readonly subjects: readonly ReportSubject[];
  readonly findings: readonly Finding[];
  readonly repairs: readonly ReportRepair[];
  readonly warnings: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly totals: { readonly seconds: number; readonly queries: number; readonly gradients: number };
}
