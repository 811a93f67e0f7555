import { getFloat, getInt, getString, toNumber } from "../../ir/attributes.ts";
import type { Node } from "../../ir/graph.ts";
import { dtypeByCode } from "../../ir/tensor-codec.ts";
import { isFloat, sizeOf, type DType } from "../../tensor/index.ts";
import {
  allocate,
  broadcastDims,
  broadcastOffsets,
  evenRound,
  fail,
  floatsOf,
  fromNumbers,
  need,
  numbers,
  toBrain,
  toHalf,
  fromBrain,
  fromHalf,
  value,
  type Kernel,
  type Value,
} from "./value.ts";

/** y = f(x), entry by entry, in the type of x. */
const map =
  (f: (x: number, node: Node) => number): Kernel =>
  (inputs, node) => {
    const x = need(inputs, 0, node);
    const source = numbers(x);
    const out = new Float64Array(source.length);
    for (let i = 0; i < out.length; i++) out[i] = f(source[i]!, node);
    return [fromNumbers(x.dtype, x.dims, out)];
  };

/** The same for functions that read attributes once. */
const mapWith =
  (make: (node: Node) => (x: number) => number): Kernel =>
  (inputs, node) => {
    const f = make(node);
    return map(f)(inputs, node, 0);
  };

export function zip(a: Value, b: Value, node: Node, dtype: DType, f: (x: number, y: number) => number): Value {
  const dims = broadcastDims(node, a.dims, b.dims);
  const [oa, ob] = [broadcastOffsets(a.dims, dims), broadcastOffsets(b.dims, dims)];
  const [xa, xb] = [numbers(a), numbers(b)];
  const out = new Float64Array(sizeOf(dims));
  for (let i = 0; i < out.length; i++) out[i] = f(xa[oa === null ? i : oa[i]!]!, xb[ob === null ? i : ob[i]!]!);
  return fromNumbers(dtype, dims, out);
}

/** y = f(a, b) with broadcasting. 64-bit integers go through `exact`, if given, so that no digit is lost. */
const zipAll =
  (f: (x: number, y: number) => number, exact?: (x: bigint, y: bigint) => bigint): Kernel =>
  (inputs, node) => {
    const [a, b] = [need(inputs, 0, node), need(inputs, 1, node)];
    if (exact !== undefined && (a.dtype === "int64" || a.dtype === "uint64") && a.dtype === b.dtype) {
      const dims = broadcastDims(node, a.dims, b.dims);
      const [oa, ob] = [broadcastOffsets(a.dims, dims), broadcastOffsets(b.dims, dims)];
      const data = allocate(a.dtype, sizeOf(dims)) as BigInt64Array;
      const [xa, xb] = [a.data as BigInt64Array, b.data as BigInt64Array];
      for (let i = 0; i < data.length; i++)
        data[i] = exact(xa[oa === null ? i : oa[i]!]!, xb[ob === null ? i : ob[i]!]!);
      return [value(a.dtype, dims, data)];
    }
    return [zip(a, b, node, a.dtype, f)];
  };

const fold =
  (f: (x: number, y: number) => number): Kernel =>
  (inputs, node) => [
    inputs
      .slice(1)
      .reduce<Value>((a, b, i) => zip(a, b ?? need(inputs, i + 1, node), node, a.dtype, f), need(inputs, 0, node)),
  ];

export const Add = zipAll(
  (x, y) => x + y,
  (x, y) => x + y,
);
export const Sub = zipAll(
  (x, y) => x - y,
  (x, y) => x - y,
);
export const Mul = zipAll(
  (x, y) => x * y,
  (x, y) => x * y,
);
export const Div = zipAll(
  (x, y) => x / y,
  (x, y) => (y === 0n ? 0n : x / y),
);
export const Pow = zipAll((x, y) => Math.pow(x, y));
export const Mod: Kernel = (inputs, node) =>
  zipAll((x, y) => (getInt(node, "fmod", 0) !== 0 ? x % y : x - y * Math.floor(x / y)))(inputs, node, 0);
export const Max = fold((x, y) => (Number.isNaN(x) || x > y ? x : y));
export const Min = fold((x, y) => (Number.isNaN(x) || x < y ? x : y));
export const Sum = fold((x, y) => x + y);
export const Mean: Kernel = (inputs, node) => {
  const total = Sum(inputs, node, 0)[0]!;
  return [
    value(
      total.dtype,
      total.dims,
      floatsOf(total).map((x) => x / inputs.length),
    ),
  ];
};

export const Neg = map((x) => -x);
export const Abs = map(Math.abs);
export const Sqrt = map(Math.sqrt);
export const Exp = map(Math.exp);
export const Log = map(Math.log);
export const Reciprocal = map((x) => 1 / x);
export const Sign = map(Math.sign);
export const Floor = map(Math.floor);
export const Ceil = map(Math.ceil);
export const Round = map(evenRound);
export const Sin = map(Math.sin);
export const Cos = map(Math.cos);
export const Tan = map(Math.tan);
export const Asin = map(Math.asin);
export const Acos = map(Math.acos);
export const Atan = map(Math.atan);
export const Sinh = map(Math.sinh);
export const Cosh = map(Math.cosh);
export const Asinh = map(Math.asinh);
export const Acosh = map(Math.acosh);
export const Atanh = map(Math.atanh);
export const Erf = map((x) => erf(x));

/** The error function: Taylor series near 0, continued fraction of erfc outside; about 1e-15. */
export function erf(x: number): number {
  const a = Math.abs(x);
  if (Number.isNaN(x)) return NaN;
  if (a > 6) return Math.sign(x);
  if (a < 2.5) {
    let term = a;
    let sum = a;
    for (let n = 1; Math.abs(term) > 1e-18 * Math.abs(sum) && n < 200; n++) {
      term *= (-a * a) / n;
      sum += term / (2 * n + 1);
    }
    return (Math.sign(x) * 2 * sum) / Math.sqrt(Math.PI);
  }
  let fraction = a;
  for (let n = 120; n >= 1; n--) fraction = a + n / 2 / fraction;
  return Math.sign(x) * (1 - Math.exp(-a * a) / (fraction * Math.sqrt(Math.PI)));
}

const sigmoid = (x: number): number => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x)));
const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
const clamp01 = (x: number): number => Math.max(0, Math.min(1, x));

export const Relu = map((x) => (x < 0 ? 0 : x));
export const Sigmoid = map(sigmoid);
export const Tanh = map(Math.tanh);
export const Softplus = map(softplus);
export const Softsign = map((x) => x / (1 + Math.abs(x)));
export const Mish = map((x) => x * Math.tanh(softplus(x)));
export const HardSwish = map((x) => x * clamp01(x / 6 + 0.5));
export const LeakyRelu = mapWith((node) => {
  const alpha = getFloat(node, "alpha", 0.01);
  return (x) => (x < 0 ? alpha * x : x);
});
export const Elu = mapWith((node) => {
  const alpha = getFloat(node, "alpha", 1);
  return (x) => (x < 0 ? alpha * Math.expm1(x) : x);
});
export const Celu = mapWith((node) => {
  const alpha = getFloat(node, "alpha", 1);
  return (x) => Math.max(0, x) + Math.min(0, alpha * Math.expm1(x / alpha));
});
export const Selu = mapWith((node) => {
  const alpha = getFloat(node, "alpha", 1.6732632423543772);
  const gamma = getFloat(node, "gamma", 1.0507009873554805);
  return (x) => gamma * (x > 0 ? x : alpha * Math.expm1(x));
});
export const HardSigmoid = mapWith((node) => {
  const alpha = getFloat(node, "alpha", 0.2);
  const beta = getFloat(node, "beta", 0.5);
  return (x) => clamp01(alpha * x + beta);
});
export const ThresholdedRelu = mapWith((node) => {
  const alpha = getFloat(node, "alpha", 1);
  return (x) => (x > alpha ? x : 0);
});
export const Shrink = mapWith((node) => {
  const lambd = getFloat(node, "lambd", 0.5);
  const bias = getFloat(node, "bias", 0);
  return (x) => (x < -lambd ? x + bias : x > lambd ? x - bias : 0);
});
export const Gelu = mapWith((node) =>
  getString(node, "approximate", "none") === "tanh"
    ? (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))
    : (x) => 0.5 * x * (1 + erf(x / Math.SQRT2)),
);
export const Swish = mapWith((node) => {
  const alpha = getFloat(node, "alpha", 1);
  return (x) => x * sigmoid(alpha * x);
});
export const PRelu: Kernel = (inputs, node) => {
  const x = need(inputs, 0, node);
  return [zip(x, need(inputs, 1, node), node, x.dtype, (v, slope) => (v < 0 ? slope * v : v))];
};

const compare =
  (f: (x: number, y: number) => boolean): Kernel =>
  (inputs, node) => [zip(need(inputs, 0, node), need(inputs, 1, node), node, "bool", (x, y) => (f(x, y) ? 1 : 0))];
export const Equal = compare((x, y) => x === y);
export const Greater = compare((x, y) => x > y);
export const GreaterOrEqual = compare((x, y) => x >= y);
export const Less = compare((x, y) => x < y);
export const LessOrEqual = compare((x, y) => x <= y);
export const And = compare((x, y) => x !== 0 && y !== 0);
export const Or = compare((x, y) => x !== 0 || y !== 0);
export const Xor = compare((x, y) => (x !== 0) !== (y !== 0));

const test =
  (make: (node: Node) => (x: number) => boolean): Kernel =>
  (inputs, node) => {
    const x = need(inputs, 0, node);
    const f = make(node);
    return [
      fromNumbers(
        "bool",
        x.dims,
        Array.from(numbers(x), (v) => (f(v) ? 1 : 0)),
      ),
    ];
  };
export const Not = test(() => (x) => x === 0);
export const IsNaN = test(() => (x) => Number.isNaN(x));
export const IsInf = test((node) => {
  const up = getInt(node, "detect_positive", 1) !== 0;
  const down = getInt(node, "detect_negative", 1) !== 0;
  return (x) => (up && x === Infinity) || (down && x === -Infinity);
});

/** Rounds as a narrower float type does; other types convert in `fromNumbers`. */
function convert(x: Value, dtype: DType, node: Node): Value {
  if (dtype === x.dtype) return x;
  if (dtype === "string" || x.dtype === "string")
    return fail(node, "texts and numbers do not turn into each other here");
  if (x.dtype === "int64" || x.dtype === "uint64") {
    if (dtype === "int64" || dtype === "uint64") {
      const data = allocate(dtype, x.data.length) as BigInt64Array;
      for (let i = 0; i < data.length; i++) data[i] = x.data[i] as bigint;
      return value(dtype, x.dims, data);
    }
  }
  const source = numbers(x);
  if (dtype === "float16")
    return value(
      dtype,
      x.dims,
      Float64Array.from(source, (v) => fromHalf(toHalf(v))),
    );
  if (dtype === "bfloat16")
    return value(
      dtype,
      x.dims,
      Float64Array.from(source, (v) => fromBrain(toBrain(v))),
    );
  if (isFloat(dtype)) return value(dtype, x.dims, Float64Array.from(source));
  return fromNumbers(dtype, x.dims, dtype === "bool" ? source : Array.from(source, Math.trunc));
}

export const Cast: Kernel = (inputs, node) => {
  const to = node.attributes["to"];
  const dtype = dtypeByCode[to?.type === "int" ? toNumber(to.value) : 0];
  return [dtype === undefined ? fail(node, "an unknown element type") : convert(need(inputs, 0, node), dtype, node)];
};
export const CastLike: Kernel = (inputs, node) => [convert(need(inputs, 0, node), need(inputs, 1, node).dtype, node)];

export const Where: Kernel = (inputs, node) => {
  const [c, a, b] = [need(inputs, 0, node), need(inputs, 1, node), need(inputs, 2, node)];
  const dims = broadcastDims(node, c.dims, a.dims, b.dims);
  const [oc, oa, ob] = [c, a, b].map((v) => broadcastOffsets(v.dims, dims)) as (Int32Array | null)[];
  const data = allocate(a.dtype, sizeOf(dims));
  for (let i = 0; i < data.length; i++) {
    data[i] = c.data[oc ? oc[i]! : i] ? a.data[oa ? oa[i]! : i]! : b.data[ob ? ob[i]! : i]!;
  }
  return [value(a.dtype, dims, data)];
};

export const Clip: Kernel = (inputs, node) => {
  const x = need(inputs, 0, node);
  const low = inputs[1] == null ? -Infinity : Number(inputs[1].data[0]);
  const high = inputs[2] == null ? Infinity : Number(inputs[2].data[0]);
  return [
    fromNumbers(
      x.dtype,
      x.dims,
      Float64Array.from(numbers(x), (v) => Math.min(Math.max(v, low), high)),
    ),
  ];
};

/** Inference only: the input passes through. */
export const Dropout: Kernel = (inputs, node) => {
  const x = need(inputs, 0, node);
  const training = inputs[2] != null && Boolean(inputs[2].data[0]);
  if (training && Number(inputs[1]?.data[0] ?? 0.5) !== 0) fail(node, "training mode");
  return [x, fromNumbers("bool", x.dims, new Float64Array(x.data.length).fill(1))];
};
