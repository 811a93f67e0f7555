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
const integers = "integer arithmetic in one piece: export the model with QuantizeLinear and DequantizeLinear instead";
const newer = "newer than opset 22 and not yet covered";

const refused: Readonly<Record<string, string>> = {
  AffineGrid: "no rule yet; its grid feeds GridSample",
  GridSample: "no rule yet; its derivative by the grid needs every sampling mode",
  RoiAlign: "regions of interest come from a detector's discrete choices",
  MaxRoiPool: "regions of interest come from a detector's discrete choices",
  DeformConv: "sampling at learned offsets; no rule yet",
  Det: "its derivative needs a matrix inverse, which ONNX does not have",
  DFT: "complex values; no rule yet",
  STFT: "complex values; no rule yet",
  Unique: "sorts and removes entries: which remain depends on equality of floats",
  ConvInteger: integers,
  QLinearConv: integers,
  QLinearMatMul: integers,
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
  CausalConvWithState: newer,
  CumProd: newer,
  LinearAttention: newer,
  RotaryEmbedding: newer,
  SwiGLU: newer,
  TensorScatter: newer,
};

/** What is done with each operator of the default ONNX domain. The lists are disjoint. */
export const operatorLists: OperatorLists = Object.freeze({
  rule: Object.keys(rules).toSorted(),
  estimated: [...straightThrough].toSorted(),
  zero: [...zeroByNature].toSorted(),
  decomposed: [...Object.keys(decompositions), ...raised].toSorted(),
  refused,
});
