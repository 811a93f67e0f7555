import { decompositions } from "../rewrite/decompose/index.ts";
import { rules, zeroByNature } from "./rules/index.ts";
import { straightThrough } from "./rules/quantize.ts";

export interface OperatorLists {
  /** Differentiated by a rule of their own. */
  readonly rule: readonly string[];
  /** Of these, the ones whose rule is the straight-through estimate. */
  readonly estimated: readonly string[];
  /** Derivative zero wherever it exists, or no floats in or out: the gradient stops here. */
  readonly zero: readonly string[];
  /** Written with simpler operators first. */
  readonly decomposed: readonly string[];
  /** No gradient, with the reason. Attacks that need none still work. */
  readonly refused: Readonly<Record<string, string>>;
}

/** Operators of older models that raising the opset replaces (Scatter by ScatterElements, Upsample by Resize). */
const raised = ["Scatter", "Upsample"];

const sequences = "sequences and optional values: only tensors have gradients here";
const newer = (opset: number): string => `of opset ${opset}, which ONNX Runtime 1.30 does not run (it ends at 26)`;

/** No gradient, with the reason. */
export const refused: Readonly<Record<string, string>> = {
  ConcatFromSequence: sequences,
  Optional: sequences,
  OptionalGetElement: sequences,
  SequenceAt: sequences,
  SequenceConstruct: sequences,
  SequenceEmpty: sequences,
  SequenceErase: sequences,
  SequenceInsert: sequences,
  SequenceMap: sequences,
  SplitToSequence: sequences,
  BitCast: "reads the bits of a number as another type: no derivative",
  CausalConvWithState: newer(27),
  LinearAttention: newer(27),
  SwiGLU: newer(28),
};

/** What is done with each operator of the default ONNX domain. The lists are disjoint. */
export const operatorLists: OperatorLists = Object.freeze({
  rule: Object.keys(rules).toSorted(),
  estimated: [...straightThrough].toSorted(),
  zero: [...zeroByNature].toSorted(),
  decomposed: [...Object.keys(decompositions), ...raised].toSorted(),
  refused,
});
