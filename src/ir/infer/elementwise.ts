import { getInt, getInts } from "../attributes.ts";
import { dtypeByCode } from "../tensor-codec.ts";
import { broadcast, known, MAX_CONTENT, nothing, type InferRule, type Known, type Site } from "./types.ts";
import type { Dim } from "../graph.ts";
import type { DType } from "../../tensor/index.ts";

const like = (x: Known, dtype: DType | null = x.dtype): Known => known(dtype, x.dims);

/** Same type and shape as the first input. */
export const same: InferRule = (s) => [like(s.in(0))];

export const dtypeOfCode = (code: number): DType | null =>
  Object.hasOwn(dtypeByCode, code) ? dtypeByCode[code]! : null;

export const dtypeAttribute = (s: Site, name: string, otherwise: DType | null): DType | null =>
  s.node.attributes[name] === undefined ? otherwise : dtypeOfCode(getInt(s.node, name, 0));

const spread = (s: Site, from = 0): readonly Dim[] | null =>
  broadcast(s.node.inputs.slice(from).map((_, i) => s.in(i + from).dims));

type Fold = (a: Dim, b: Dim) => Dim;
const numeric =
  (f: (a: number, b: number) => number): Fold =>
  (a, b) => {
    if (typeof a !== "number" || typeof b !== "number") return null;
    const v = f(a, b);
    return Number.isFinite(v) ? v : null;
  };

/** Arithmetic on known content; symbols survive where the other side is neutral. */
const folds: Readonly<Record<string, Fold>> = {
  Add: (a, b) => (a === 0 ? b : b === 0 ? a : numeric((x, y) => x + y)(a, b)),
  Sub: (a, b) => (b === 0 ? a : typeof a === "string" && a === b ? 0 : numeric((x, y) => x - y)(a, b)),
  Mul: (a, b) => (a === 1 ? b : b === 1 ? a : numeric((x, y) => x * y)(a, b)),
  Div: (a, b) => (b === 1 ? a : b === 0 ? null : numeric((x, y) => x / y)(a, b)),
  Mod: (a, b) => (b === 0 ? null : numeric((x, y) => x - y * Math.floor(x / y))(a, b)),
  Min: (a, b) => (a === b ? a : numeric(Math.min)(a, b)),
  Max: (a, b) => (a === b ? a : numeric(Math.max)(a, b)),
  Equal: (a, b) => {
    if (typeof a === "number" && typeof b === "number") return a === b ? 1 : 0;
    if (typeof a === "string" && a === b) return 1;
    // A symbol is a size, so it is no negative number.
    const number = typeof a === "number" ? a : typeof b === "number" ? b : 0;
    return number < 0 && (typeof a === "string" || typeof b === "string") ? 0 : null;
  },
  Less: numeric((x, y) => (x < y ? 1 : 0)),
  Greater: numeric((x, y) => (x > y ? 1 : 0)),
};

/** Content of a value broadcast to `n` elements: vectors and single elements only. */
function stretched(content: readonly Dim[] | undefined, n: number): readonly Dim[] | null {
  if (content === undefined) return null;
  if (content.length === n) return content;
  return content.length === 1 ? Array.from({ length: n }, () => content[0]!) : null;
}

function foldContent(s: Site, dtype: DType | null): Dim[] | undefined {
  const fold = folds[s.node.op];
  const [a, b] = [s.in(0), s.in(1)];
  if (fold === undefined || s.node.inputs.length !== 2 || a.content === undefined || b.content === undefined) return;
  if ((a.dims?.length ?? 2) > 1 || (b.dims?.length ?? 2) > 1) return;
  const n = a.content.length === 1 ? b.content.length : a.content.length;
  const [left, right] = [stretched(a.content, n), stretched(b.content, n)];
  if (left === null || right === null) return;
  // Integer division truncates towards zero.
  const whole = s.node.op === "Div" && dtype !== "float32" && dtype !== "float64";
  return left.map((d, i) => {
    const v = fold(d, right[i]!);
    return whole && typeof v === "number" ? Math.trunc(v) : v;
  });
}

const binary: InferRule = (s) => {
  const dtype = s.in(0).dtype ?? (s.node.op === "Pow" ? null : s.in(1).dtype);
  return [known(dtype, spread(s), foldContent(s, dtype))];
};
const comparison: InferRule = (s) => [known("bool", spread(s), foldContent(s, "bool"))];

const where: InferRule = (s) => {
  const [c, a, b] = [s.in(0), s.in(1), s.in(2)];
  const dims = spread(s);
  const n = dims !== null && dims.length <= 1 ? (dims[0] ?? 1) : null;
  let content: Dim[] | undefined;
  if (typeof n === "number" && n <= MAX_CONTENT) {
    const [test, yes, no] = [stretched(c.content, n), stretched(a.content, n), stretched(b.content, n)];
    if (test !== null && yes !== null && no !== null)
      content = test.map((t, i) => (t === 1 ? yes[i]! : t === 0 ? no[i]! : yes[i] === no[i] ? yes[i]! : null));
  }
  return [known(a.dtype ?? b.dtype, dims, content)];
};

const kept =
  (f: (v: number) => number): InferRule =>
  (s) => {
    const x = s.in(0);
    return [
      known(
        x.dtype,
        x.dims,
        x.content?.map((d) => (typeof d === "number" ? f(d) : null)),
      ),
    ];
  };

const cast: InferRule = (s) => {
  const x = s.in(0);
  const dtype = s.node.op === "CastLike" ? s.in(1).dtype : dtypeAttribute(s, "to", null);
  if (x.content === undefined || dtype === "bool" || dtype === "string") return [like(x, dtype)];
  const truncate = dtype !== "float32" && dtype !== "float64";
  // The narrow types could wrap around.
  if (truncate && dtype !== "int64" && dtype !== "int32") return [like(x, dtype)];
  return [
    known(dtype, x.dims, truncate ? x.content.map((d) => (typeof d === "number" ? Math.trunc(d) : d)) : x.content),
  ];
};

const dropout: InferRule = (s) => [like(s.in(0)), like(s.in(0), s.opset >= 10 ? "bool" : s.in(0).dtype)];

const likeWithDtype: InferRule = (s) => [like(s.in(0), dtypeAttribute(s, "dtype", s.in(0).dtype))];

const randomShape: InferRule = (s) => [known(dtypeAttribute(s, "dtype", "float32"), getInts(s.node, "shape"))];

const quantize: InferRule = (s) => [
  like(s.in(0), s.has(2) ? s.in(2).dtype : (dtypeAttribute(s, "output_dtype", null) ?? "uint8")),
];
const dynamicQuantize: InferRule = (s) => [like(s.in(0), "uint8"), known("float32", []), known("uint8", [])];

const table = (rule: InferRule, names: string): [string, InferRule][] => names.split(" ").map((name) => [name, rule]);

export const elementwiseRules: readonly (readonly [string, InferRule])[] = [
  ...table(
    same,
    "Relu LeakyRelu Elu Selu Celu ThresholdedRelu Sigmoid HardSigmoid HardSwish Tanh Softplus Softsign Exp Log Sqrt " +
      "Reciprocal Sign Round Erf Sin Cos Tan Asin Acos Atan Sinh Cosh Asinh Acosh Atanh Mish Gelu Swish Softmax " +
      "LogSoftmax Hardmax Clip CumSum CumProd Trilu LpNormalization LRN InstanceNormalization GroupNormalization " +
      "MeanVarianceNormalization RMSNormalization Shrink ReverseSequence BitwiseNot Not ScatterElements ScatterND " +
      "Scatter PRelu TensorScatter RotaryEmbedding",
  ),
  ...table(binary, "Add Sub Mul Div Pow Mod BitShift BitwiseAnd BitwiseOr BitwiseXor Sum Mean Max Min"),
  ...table(comparison, "Equal Less LessOrEqual Greater GreaterOrEqual And Or Xor"),
  ["Where", where],
  ["Neg", kept((v) => -v)],
  ["Abs", kept(Math.abs)],
  ["Floor", kept(Math.floor)],
  ["Ceil", kept(Math.ceil)],
  ["Identity", (s) => [s.in(0)]],
  ["Cast", cast],
  ["CastLike", cast],
  ["BitCast", (s) => [like(s.in(0), dtypeAttribute(s, "to", null))]],
  ["Dropout", dropout],
  ["IsNaN", (s) => [like(s.in(0), "bool")]],
  ["IsInf", (s) => [like(s.in(0), "bool")]],
  ...table(likeWithDtype, "EyeLike RandomNormalLike RandomUniformLike Bernoulli"),
  ...table(randomShape, "RandomNormal RandomUniform"),
  ["QuantizeLinear", quantize],
  ["DequantizeLinear", (s) => [like(s.in(0), s.in(1).dtype ?? "float32")]],
  ["DynamicQuantizeLinear", dynamicQuantize],
  ["Optional", () => [nothing]],
];
