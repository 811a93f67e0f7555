import type { Bounds, Target } from "../target/target.ts";
import type { LanguageTarget } from "../target/language.ts";
import type { Dataset } from "../data/dataset.ts";
import type { Canary } from "../data/text/canaries.ts";
import type { OptionTable, Risk } from "../contract/index.ts";
import type { RunContext } from "../context.ts";
import type { Arch, Trainer } from "../train/trainer.ts";
import type { Model } from "../ir/graph.ts";

/** A subject of the plan, opened: the model as a target, and its data. What the user did not give is null. */
export interface AuditSubject {
  readonly id: string;
  /** Null when only data are audited. */
  readonly target: Target | null;
  readonly model: Model | null;
  readonly bounds: Bounds;
  /** Test data with labels. */
  readonly test: Dataset;
  /** Training data, and the architecture that poisoning probes train on it. */
  readonly train: Dataset | null;
  readonly arch: Arch;
  readonly members: Dataset | null;
  readonly nonMembers: Dataset | null;
  /** Test rows that carry a known trigger, with their true labels, and the class that it aims at. */
  readonly triggered: { readonly data: Dataset; readonly target: number } | null;
  readonly trainer: Trainer;
  /** Set for a language model with canaries; then there are neither test data nor a classifier. */
  readonly language: LanguageSubject | null;
}

export interface LanguageSubject {
  readonly canaries: readonly Canary[];
  readonly manifest: { readonly digest: string; readonly records: number };
  readonly before: string;
  /** The audited model first, then those it is compared with. */
  readonly models: readonly {
    readonly title: string;
    readonly epochs: number | null;
    readonly epsilon: number | null;
    readonly target: LanguageTarget;
  }[];
}

/**
 * A probe spends a budget on a subject and writes down what it found. `result` is the body of the evidence, without the
 * fields of EvidenceBase, which the runner adds; it must survive JSON.
 */
export interface Probe<O, Result extends { readonly kind: string }> {
  readonly id: string;
  readonly risk: Risk;
  /** What it works on; classifiers when absent. */
  readonly on?: "classifier" | "language model";
  readonly title: string;
  /** Kind of the evidence it makes: the check that finds none of that kind can say why. */
  readonly makes: Result["kind"];
  readonly options: OptionTable<O>;
  /** Overrides of the defaults under --quick. */
  readonly quick: Partial<O>;
  /** Null when it applies, else the reason why not, for a person to read ("needs --train"). */
  applies(subject: AuditSubject, options: O): string | null;
  run(context: RunContext, subject: AuditSubject, options: O): Promise<Result>;
}
