import type { EvidenceBase } from "./evidence.ts";

/** A canary as the evidence names it: its secret is not in here. */
export interface CanaryRow {
  readonly id: string;
  /** The form that it was drawn from, "the pin of {owner} is {digits:5}". */
  readonly family: string;
  /** Records that hold it; 0 for a control, which no record holds. */
  readonly repetitions: number;
  /** log2 of the number of texts of its form. */
  readonly spaceBits: number;
}

/** A model that the canaries were looked for in; the audited one comes first. */
export interface CanaryModel {
  readonly title: string;
  readonly epochs: number | null;
  readonly epsilon: number | null;
}

/** Exposure of every canary under every model, in the order of `canaries`. */
export interface CanaryExposureResult {
  readonly kind: "canary-exposure";
  /** Records of the training text, the planted ones included. */
  readonly records: number;
  readonly canaries: readonly CanaryRow[];
  readonly models: readonly (CanaryModel & {
    readonly exposures: readonly {
      readonly bits: number;
      readonly low: number;
      readonly high: number;
      /** rank: exact; sampled, guided, extrapolated, bound: see the attack `exposure`. */
      readonly method: "rank" | "sampled" | "guided" | "extrapolated" | "bound";
      readonly rank: number | null;
      /** What the canary costs the model, in bits. */
      readonly cost: number;
      /** p-value of the test of the extrapolation's law; null where there was none. */
      readonly fit: number | null;
    }[];
  })[];
}
export type CanaryExposureEvidence = EvidenceBase & CanaryExposureResult;

/** What a search for the likeliest texts of each form brought to light. */
export interface CanaryExtractionResult {
  readonly kind: "canary-extraction";
  readonly budget: number;
  readonly canaries: readonly CanaryRow[];
  readonly models: readonly (CanaryModel & {
    readonly searches: readonly {
      /** Ids of the canaries that would be the right answer, and of those that came out. */
      readonly canaries: readonly string[];
      readonly extracted: readonly string[];
      /**
       * The likeliest text: that of the named canary, in clear; or, where `canary` is null, with what stands in its holes
       * hidden. Null where the budget was spent.
       */
      readonly first: { readonly text: string; readonly canary: string | null; readonly cost: number } | null;
      readonly asked: number;
      readonly complete: boolean;
    }[];
  })[];
}
export type CanaryExtractionEvidence = EvidenceBase & CanaryExtractionResult;
