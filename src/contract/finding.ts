import type { Risk } from "./describe.ts";

/** A measured number with its interval. `level` is the confidence, 0.95 unless said. Fractions are 0 to 1. */
export interface Interval {
  readonly value: number;
  readonly low: number;
  readonly high: number;
  readonly level?: number;
}

export type Outcome = "pass" | "fail" | "inconclusive" | "inapplicable" | "error";
export type Severity = "none" | "low" | "medium" | "high" | "critical";

/**
 * What kind of proof stands behind an outcome. witness: these inputs break it (proves a fail). certificate: a bound holds
 * (proves a pass). estimate: a value with an interval. An attack that found nothing is an estimate: "held at this budget".
 */
export type EvidenceKind = "witness" | "certificate" | "estimate";

export type Unit = "fraction" | "count" | "seconds" | "input units" | "nats" | "bits" | "none";

export interface Measure {
  readonly name: string;
  readonly unit: Unit;
  readonly value: Interval | number;
  /** Set where two subjects can be compared by it: the report's before/after tables show these. */
  readonly better?: "higher" | "lower";
}

export interface Threat {
  /** What the adversary knows, changes and spends, in words. */
  readonly knows: string;
  readonly changes: string;
  readonly spends: string;
  /** MITRE ATLAS technique ids, "AML.T0043". */
  readonly atlas: readonly string[];
  /** NIST AI 100-2 E2025 ids, "NISTAML.022". */
  readonly nist: readonly string[];
}

/** A cell of a table: text, a number (printed by the column's unit), or a number with its interval. */
export type Cell = string | number | null | Interval;

export interface TableDetail {
  readonly type: "table";
  readonly caption: string;
  readonly columns: readonly { readonly key: string; readonly label: string; readonly unit?: Unit }[];
  readonly rows: readonly Readonly<Record<string, Cell>>[];
  /** Rows (by index) that the reader should look at first. */
  readonly highlight?: readonly number[];
}

export interface Axis {
  /** What is measured, with the unit where it is not "fraction": "eps (linf, share of the input range)". */
  readonly label: string;
  readonly scale: "linear" | "log";
  /** How ticks and hover values are printed: "fraction" as per cent. Plain numbers when absent. */
  readonly unit?: Unit;
  /** What the axis spans, low to high; the extent of the data when absent. */
  readonly domain?: readonly [number, number];
}

export interface SeriesDetail {
  readonly type: "series";
  readonly caption: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly series: readonly {
    readonly name: string;
    /** Points in order of x; low and high draw a band. */
    readonly points: readonly {
      readonly x: number;
      readonly y: number;
      readonly low?: number;
      readonly high?: number;
    }[];
    readonly style?: "line" | "step" | "dashed" | "dots";
  }[];
}

/** A picture: uint8 pixels, interleaved channels (1 or 3), row-major, base64. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  readonly pixels: string;
}

export interface ImagesDetail {
  readonly type: "images";
  readonly caption: string;
  readonly rows: readonly {
    readonly id: string;
    /** For instance: original "7, 99 %", change "x 5", adversarial "2, 87 %". */
    readonly cells: readonly { readonly title: string; readonly note: string; readonly picture: Picture }[];
  }[];
}

/** What changed in a table row: original and adversarial value for each changed column. */
export interface DiffDetail {
  readonly type: "diff";
  readonly caption: string;
  readonly rows: readonly {
    readonly id: string;
    readonly before: string;
    readonly after: string;
    readonly changes: readonly { readonly column: string; readonly from: string; readonly to: string }[];
  }[];
}

export interface TextDetail {
  readonly type: "text";
  readonly caption: string;
  readonly paragraphs: readonly string[];
}

/** The closed set of things that the page can draw. */
export type Detail = TableDetail | SeriesDetail | ImagesDetail | DiffDetail | TextDetail;

export interface Finding {
  /** Id of the check. */
  readonly check: string;
  /** Id of the subject (a model with its data) in the plan. */
  readonly subject: string;
  readonly risk: Risk;
  /** The failing state, as in "Inputs within eps are misclassified"; the report prints the outcome before it. */
  readonly title: string;
  readonly outcome: Outcome;
  readonly severity: Severity;
  readonly evidence: EvidenceKind | null;
  /** One sentence with the number that matters. */
  readonly headline: string;
  readonly measures: readonly Measure[];
  readonly threat: Threat;
  /** What to do next, most useful first; each a sentence. Commands stand between backticks, as in headlines. */
  readonly advice: readonly string[];
  readonly details: readonly Detail[];
  /** Ids of the evidence files it was judged from. */
  readonly from: readonly string[];
}
