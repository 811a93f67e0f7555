import type { Risk } from "./describe.ts";

/** What one language model went through, as far as the user says it; the report draws its figures by it. */
export interface PlanTraining {
  readonly epochs?: number;
  /** Of differential privacy; absent where there was none. */
  readonly epsilon?: number;
}

export interface PlanCanaries extends PlanTraining {
  /** The file that `marauder canaries plant` wrote. */
  readonly manifest: string;
  /** What stood before each record in training; a newline, where the model knows one, when absent. */
  readonly before?: string;
  /** Other models of the same text, shown beside this one: fewer epochs, private training, fresh weights. */
  readonly compare?: readonly (PlanTraining & { readonly title: string; readonly model: string })[];
}

/** A model with its data. Paths are relative to the plan file. */
export interface PlanSubject {
  readonly id: string;
  readonly title?: string;
  /** Path of an ONNX file, or URL of an endpoint; absent when only data are audited. */
  readonly model?: string;
  /** For an endpoint: request and response templates, see docs. */
  readonly http?: Readonly<Record<string, unknown>>;
  /** Test data: file or folder. Only a language model with canaries has none. */
  readonly data?: string;
  readonly labels?: string;
  readonly label?: string;
  readonly groups?: readonly string[];
  /** Table columns: the one that identifies rows, and those that are kept from the model. */
  readonly rowId?: string;
  readonly ignore?: readonly string[];
  /** What to do with missing cells. */
  readonly missing?: "refuse" | "drop" | "impute";
  readonly bounds?: readonly [number, number];
  readonly mean?: readonly number[];
  readonly sd?: readonly number[];
  /** Names of the model's input and output, where it has several. */
  readonly input?: string;
  readonly output?: string;
  /** Shape of one example, where the data's differs from the model's. */
  readonly shape?: readonly number[];
  /** Swaps the last two axes of the examples (models trained on transposed images). */
  readonly transpose?: boolean;
  readonly classNames?: readonly string[];
  readonly members?: string;
  readonly nonMembers?: string;
  readonly train?: string;
  /** Test rows with a known trigger planted (labels are the true classes), and the class that the trigger aims at. */
  readonly triggered?: { readonly data: string; readonly target: number };
  readonly arch?: string;
  /** For a language model: the secrets that were planted in its training text. */
  readonly canaries?: PlanCanaries;
  readonly risks?: readonly Risk[];
  /** Test rows that evasion attacks. */
  readonly samples?: number;
}

export interface PlanProbe {
  readonly probe: string;
  /** Subjects that it runs on; all where it applies when absent. */
  readonly subjects?: readonly string[];
  readonly options?: Readonly<Record<string, unknown>>;
}

/** A repair that was carried out: which subject replaced which. The report shows the two side by side. */
export interface PlanRepair {
  readonly id: string;
  readonly title: string;
  readonly what: string;
  readonly before: string;
  readonly after: string;
}

export interface Plan {
  readonly schema: 1;
  readonly title?: string;
  readonly seed: number;
  readonly quick: boolean;
  readonly subjects: readonly PlanSubject[];
  readonly probes: readonly PlanProbe[];
  readonly repairs: readonly PlanRepair[];
}
