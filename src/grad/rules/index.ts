import type { GradientRule } from "../context.ts";
import * as activation from "./activation.ts";
import * as conv from "./conv.ts";
import { Einsum } from "./einsum.ts";
import * as elementwise from "./elementwise.ts";
import * as indexOps from "./index-ops.ts";
import { ConvInteger } from "./integer.ts";
import * as linear from "./linear.ts";
import * as norm from "./norm.ts";
import * as pool from "./pool.ts";
import { DequantizeLinear, DynamicQuantizeLinear, MatMulInteger, QuantizeLinear } from "./quantize.ts";
import * as reduce from "./reduce.ts";
import { Resize } from "./resize.ts";
import * as select from "./select.ts";
import * as shape from "./shape.ts";
import { LogSoftmax, Softmax } from "./softmax.ts";
import { Unique } from "./unique.ts";

const { Conv, ConvTranspose } = conv;
const { MaxPool, AveragePool, LpPool, GlobalAveragePool, GlobalMaxPool, GlobalLpPool, Col2Im } = pool;
const { positive: _positive, STEEP: _steep, ...activations } = activation;

/** The gradient rule of every operator that has one. */
export const rules: Readonly<Record<string, GradientRule | undefined>> = Object.freeze({
  __proto__: null as never,
  ...elementwise,
  ...activations,
  ...linear,
  Einsum,
  Conv,
  ConvTranspose,
  MaxPool,
  AveragePool,
  GlobalAveragePool,
  GlobalMaxPool,
  LpPool,
  GlobalLpPool,
  Col2Im,
  ...norm,
  ...reduce,
  Softmax,
  LogSoftmax,
  ...shape,
  ...indexOps,
  ...select,
  Unique,
  Resize,
  QuantizeLinear,
  DequantizeLinear,
  DynamicQuantizeLinear,
  MatMulInteger,
  ConvInteger,
});

/** Operators whose floating-point inputs broadcast to the output's shape: the walk sums their gradients back. */
export const broadcasting: ReadonlySet<string> = new Set([
  "Add",
  "Sub",
  "Mul",
  "Div",
  "Mod",
  "Pow",
  "Max",
  "Min",
  "Sum",
  "Mean",
  "PRelu",
  "Where",
  "Expand",
  "LayerNormalization",
]);

/** Operators whose derivative is zero wherever it exists, or whose outputs are no floats. */
export const zeroByNature: ReadonlySet<string> = new Set([
  "Shape",
  "Size",
  "Constant",
  "ConstantOfShape",
  "EyeLike",
  "Range",
  "OneHot",
  "NonZero",
  "ArgMax",
  "ArgMin",
  "Floor",
  "Ceil",
  "Round",
  "Sign",
  "Hardmax",
  "Equal",
  "Greater",
  "GreaterOrEqual",
  "Less",
  "LessOrEqual",
  "Not",
  "And",
  "Or",
  "Xor",
  "IsNaN",
  "IsInf",
  "BitwiseAnd",
  "BitwiseOr",
  "BitwiseXor",
  "BitwiseNot",
  "BitShift",
  "RandomNormal",
  "RandomNormalLike",
  "RandomUniform",
  "RandomUniformLike",
  "Bernoulli",
  "Multinomial",
  "NonMaxSuppression",
  "BlackmanWindow",
  "HammingWindow",
  "HannWindow",
  "MelWeightMatrix",
  "RegexFullMatch",
  "SequenceLength",
  "OptionalHasElement",
  "StringConcat",
  "StringNormalizer",
  "StringSplit",
  "TfIdfVectorizer",
  "ImageDecoder",
]);
