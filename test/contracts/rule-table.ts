import type { GraphBuilder } from "../../src/ir/index.ts";
import { at, float, int, int64, ints, row, string, tensor, type InputSpec, type Row } from "./rule-rows.ts";

type Attributes = Parameters<GraphBuilder["op"]>[2];

/** An operator applied to the inputs as they come. */
const apply =
  (op: string, attributes: Attributes = {}) =>
  (b: GraphBuilder, names: string[]): string =>
    b.op(op, names, attributes);
const one = (op: string, x: InputSpec, attributes: Attributes = {}, label = "plain", more: Partial<Row> = {}): Row =>
  row(op, label, { x }, apply(op, attributes), more);

const smooth: Record<string, readonly [number, number]> = {
  Neg: [-2, 2],
  Sqrt: [0.3, 3],
  Exp: [-2, 1],
  Log: [0.3, 3],
  Reciprocal: [0.5, 2],
  Erf: [-2, 2],
  Sin: [-3, 3],
  Cos: [-3, 3],
  Tan: [-1, 1],
  Asin: [-0.8, 0.8],
  Acos: [-0.8, 0.8],
  Atan: [-2, 2],
  Sinh: [-2, 2],
  Cosh: [-2, 2],
  Asinh: [-2, 2],
  Acosh: [1.3, 3],
  Atanh: [-0.8, 0.8],
  Sigmoid: [-3, 3],
  Tanh: [-2, 2],
  Softplus: [-3, 3],
  Mish: [-3, 3],
  Gelu: [-3, 3],
};

const unary: Row[] = Object.entries(smooth).flatMap(([op, from]) => [
  one(op, { dims: [3, 4], from }),
  one(op, { dims: [], from }, {}, "scalar"),
  row(op, "fan-out", { x: { dims: [2, 3], from } }, (b, [x]) => b.mul(b.op(op, [x!]), b.sub(x!, b.op(op, [x!])))),
  one(op, { dims: [3, 2], declared: ["batch", 2], from }, {}, "dynamic batch"),
]);

const kinked: Row[] = [
  one("Abs", { dims: [3, 4], kinks: [0] }),
  one("Relu", { dims: [3, 4], kinks: [0] }),
  one("Relu", { dims: [], data: [0.5] }, {}, "scalar"),
  one("LeakyRelu", { dims: [3, 4], kinks: [0] }, { alpha: float(0.25) }),
  one("Elu", { dims: [3, 4], kinks: [0] }, { alpha: float(1.5) }),
  one("Celu", { dims: [3, 4], kinks: [0] }, { alpha: float(1.5) }),
  one("Selu", { dims: [3, 4], kinks: [0] }),
  one("Gelu", at(3, 4), { approximate: string("tanh") }, "tanh"),
  one("HardSigmoid", { dims: [3, 4], from: [-4, 4], kinks: [-2.5, 2.5] }),
  one("HardSwish", { dims: [3, 4], from: [-5, 5], kinks: [-3, 3] }),
  one("Softsign", { dims: [3, 4], kinks: [0] }),
  one("ThresholdedRelu", { dims: [3, 4], kinks: [1] }),
  one("Shrink", { dims: [3, 4], kinks: [-0.5, 0.5] }, { bias: float(0.3) }),
  row("PRelu", "per channel", { x: { dims: [2, 3, 2], kinks: [0] }, s: at(3, 1) }, apply("PRelu")),
  row("PRelu", "one slope", { x: { dims: [2, 3], kinks: [0] }, s: at(1) }, apply("PRelu")),
];

/** Shapes that broadcast either way, scalars and size-1 axes among them. */
const pairs: [string, number[], number[]][] = [
  ["equal", [2, 3], [2, 3]],
  ["right", [2, 3], [3]],
  ["left", [1], [2, 3]],
  ["both", [2, 1, 3], [4, 1]],
  ["scalar", [], [2, 2]],
  ["scalars", [], []],
];
const binary: Row[] = ["Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "Sum", "Mean"].flatMap((op) => {
  const from: [number, number] = op === "Pow" || op === "Div" ? [0.5, 2] : [-2, 2];
  const apart = (low: number, dims: number[]): InputSpec =>
    op === "Max" || op === "Min" ? { dims, from: [low, low + 2], distinct: true } : { dims, from };
  return [
    ...pairs.map(([label, a, b]) => row(op, label, { a: apart(-1, a), b: apart(-0.933, b) }, apply(op))),
    row(
      op,
      "dynamic batch",
      { a: { ...apart(-1, [3, 2]), declared: ["batch", 2] }, b: apart(-0.933, [1, 2]) },
      apply(op),
    ),
    row(
      op,
      "unknown sizes",
      { a: { ...apart(-1, [3, 2]), declared: [null, null] }, b: { ...apart(-0.933, [1, 2]), declared: [null, null] } },
      apply(op),
    ),
    row(
      op,
      "unknown rank",
      { a: { ...apart(-1, [3, 2]), declared: null }, b: { ...apart(-0.933, [2]), declared: null } },
      apply(op),
    ),
  ];
});
const more: Row[] = [
  row("Mul", "square", { x: at(2, 3) }, (b, [x]) => b.mul(x!, x!)),
  row("Pow", "whole exponent", { x: at(2, 3) }, (b, [x]) => b.op("Pow", [x!, b.scalar(3)])),
  row("Pow", "square", { x: at(2, 3) }, (b, [x]) => b.op("Pow", [x!, b.scalar(2)])),
  row("Pow", "integer exponent", { x: at(2, 3) }, (b, [x]) => b.op("Pow", [x!, b.constant(int64([], [4]))])),
  row(
    "Max",
    "three",
    {
      a: { dims: [2, 3], distinct: true },
      c: { dims: [3], from: [-1.9, 2.1], distinct: true },
      d: { dims: [], data: [0.05] },
    },
    apply("Max"),
  ),
];

more.push(
  row(
    "Mod",
    "fmod",
    { a: { dims: [5], data: [3.5, -3.3, 2.2, 7.1, 0.4] }, b: { dims: [5], data: [1.1, 1.2, -0.9, 2.3, 3] } },
    apply("Mod", { fmod: int(1) }),
  ),
);
const matmulShapes: [string, number[], number[]][] = [
  ["matrices", [2, 3], [3, 4]],
  ["vector by matrix", [3], [3, 4]],
  ["matrix by vector", [2, 3], [3]],
  ["vectors", [3], [3]],
  ["batched", [2, 2, 3], [2, 3, 4]],
  ["batch by matrix", [2, 2, 3], [3, 4]],
  ["matrix by batch", [2, 3], [2, 3, 4]],
  ["broadcast batch", [2, 1, 2, 3], [3, 3, 1]],
  ["batch by vector", [2, 2, 3], [3]],
  ["vector by batch", [3], [2, 3, 2]],
  ["size-1 axes", [1, 1, 3], [2, 3, 1]],
];
const linear: Row[] = [
  ...matmulShapes.map(([label, a, b]) => row("MatMul", label, { a: at(...a), b: at(...b) }, apply("MatMul"))),
  row(
    "MatMul",
    "dynamic batch",
    { a: { dims: [3, 2], declared: ["batch", 2] }, b: { dims: [2, 4], constant: true } },
    apply("MatMul"),
  ),
  row(
    "MatMul",
    "dynamic batches",
    { a: { dims: [2, 3, 2], declared: ["batch", 3, 2] }, b: { dims: [2, 2, 4], declared: ["batch", 2, 4] } },
    apply("MatMul"),
  ),
  ...[0, 1].flatMap((ta) =>
    [0, 1].map((tb) =>
      row(
        "Gemm",
        `transA=${ta} transB=${tb}`,
        {
          a: at(...(ta ? [3, 2] : [2, 3])),
          b: at(...(tb ? [4, 3] : [3, 4])),
          c: at(...[[4], [2, 1], [], [2, 4]][2 * ta + tb]!),
        },
        apply("Gemm", { alpha: float(0.5), beta: float(2), transA: int(ta), transB: int(tb) }),
      ),
    ),
  ),
  row(
    "Gemm",
    "dynamic batch",
    {
      a: { dims: [3, 2], declared: ["batch", 2] },
      b: { dims: [4, 2], constant: true },
      c: { dims: [4], constant: true },
    },
    apply("Gemm", { transB: int(1) }),
  ),
];

const conv = (
  op: string,
  label: string,
  x: number[],
  w: number[],
  attributes: Attributes = {},
  bias = true,
  declared?: InputSpec["declared"],
): Row =>
  row(
    op,
    label,
    {
      x: { dims: x, ...(declared === undefined ? {} : { declared }) },
      w: { dims: w, constant: true },
      ...(bias
        ? {
            b: at(
              op === "Conv" ? w[0]! : w[1]! * Number((attributes as { group?: { value: bigint } }).group?.value ?? 1),
            ),
          }
        : {}),
    },
    apply(op, attributes),
  );
const convs: Row[] = [
  conv("Conv", "3x3", [2, 2, 5, 5], [3, 2, 3, 3]),
  conv("Conv", "same pads", [2, 2, 4, 5], [3, 2, 3, 3], { pads: ints([1, 1, 1, 1]) }),
  conv("Conv", "1x1", [2, 3, 3, 3], [2, 3, 1, 1], {}, false),
  conv("Conv", "strided, lopsided", [1, 2, 6, 7], [2, 2, 3, 2], { strides: ints([2, 3]), pads: ints([1, 0, 0, 2]) }),
  conv("Conv", "dilated", [1, 1, 7, 7], [2, 1, 3, 3], { dilations: ints([2, 3]) }),
  conv("Conv", "groups", [2, 4, 4, 4], [6, 2, 3, 3], { group: int(2), pads: ints([1, 1, 1, 1]) }),
  conv("Conv", "depthwise, strided", [2, 3, 5, 5], [3, 1, 2, 2], { group: int(3), strides: ints([2, 2]) }),
  conv("Conv", "SAME_UPPER", [1, 2, 5, 6], [2, 2, 3, 3], { auto_pad: string("SAME_UPPER"), strides: ints([2, 2]) }),
  conv("Conv", "SAME_LOWER", [1, 2, 4, 4], [2, 2, 2, 2], { auto_pad: string("SAME_LOWER") }),
  conv("Conv", "VALID", [1, 2, 4, 4], [2, 2, 2, 2], { auto_pad: string("VALID") }),
  conv("Conv", "wide padding", [1, 1, 3, 3], [1, 1, 2, 2], { pads: ints([2, 3, 1, 2]) }),
  conv("Conv", "many channels of few", [2, 1, 4, 5], [4, 1, 3, 3], { pads: ints([1, 0, 1, 2]) }),
  conv("Conv", "many of few, wide padding, dilated", [1, 1, 3, 3], [4, 1, 2, 2], {
    pads: ints([2, 3, 1, 2]),
    dilations: ints([1, 2]),
  }),
  conv("Conv", "1-D", [2, 2, 6], [3, 2, 3], { strides: ints([2]), pads: ints([1, 1]) }),
  conv("Conv", "3-D", [1, 2, 3, 4, 3], [2, 2, 2, 2, 2], { strides: ints([1, 2, 1]) }),
  conv("Conv", "very long kernel", [2, 4, 2101], [1, 4, 2050], { strides: ints([3]), pads: ints([2, 1]) }, false),
  conv("Conv", "dynamic batch", [2, 2, 4, 4], [3, 2, 3, 3], {}, true, ["batch", 2, 4, 4]),
  conv("Conv", "dynamic sizes", [2, 2, 6, 5], [3, 2, 3, 3], { strides: ints([2, 2]), pads: ints([1, 1, 0, 1]) }, true, [
    "batch",
    2,
    null,
    "w",
  ]),
  conv("ConvTranspose", "3x3", [2, 2, 3, 3], [2, 3, 3, 3]),
  conv("ConvTranspose", "strided", [1, 2, 3, 3], [2, 2, 3, 3], {
    strides: ints([2, 2]),
    pads: ints([1, 1, 1, 1]),
    output_padding: ints([1, 1]),
  }),
  conv("ConvTranspose", "groups", [1, 4, 3, 3], [4, 2, 2, 2], { group: int(2), dilations: ints([2, 1]) }),
  conv("ConvTranspose", "output_shape", [1, 1, 3, 3], [1, 1, 3, 3], {
    strides: ints([2, 2]),
    output_shape: ints([6, 6]),
  }),
  conv("ConvTranspose", "1-D", [2, 2, 4], [2, 3, 3], { strides: ints([2]) }),
];

const pool = (
  op: string,
  label: string,
  dims: number[],
  attributes: Attributes,
  declared?: InputSpec["declared"],
): Row => one(op, { dims, distinct: true, ...(declared === undefined ? {} : { declared }) }, attributes, label);
const windows: [string, number[], Attributes][] = [
  ["tiles", [2, 2, 4, 4], { kernel_shape: ints([2, 2]), strides: ints([2, 2]) }],
  ["rest", [1, 2, 5, 5], { kernel_shape: ints([2, 2]), strides: ints([2, 2]) }],
  ["overlapping", [1, 2, 5, 5], { kernel_shape: ints([3, 3]), strides: ints([1, 2]) }],
  ["padded", [1, 2, 4, 4], { kernel_shape: ints([3, 3]), strides: ints([2, 2]), pads: ints([1, 1, 1, 1]) }],
  ["lopsided", [1, 1, 4, 5], { kernel_shape: ints([2, 3]), pads: ints([1, 0, 0, 2]) }],
  ["ceil", [1, 1, 5, 6], { kernel_shape: ints([3, 3]), strides: ints([2, 2]), ceil_mode: int(1) }],
  ["SAME_UPPER", [1, 1, 5, 5], { kernel_shape: ints([2, 2]), strides: ints([2, 2]), auto_pad: string("SAME_UPPER") }],
  ["1-D", [2, 1, 6], { kernel_shape: ints([2]), strides: ints([2]) }],
  ["3-D", [1, 1, 3, 3, 4], { kernel_shape: ints([2, 2, 2]) }],
];
const pools: Row[] = [
  ...["MaxPool", "AveragePool"].flatMap((op) =>
    windows.map(([label, dims, attributes]) => pool(op, label, dims, attributes)),
  ),
  pool("MaxPool", "dilated", [1, 1, 5, 5], { kernel_shape: ints([2, 2]), dilations: ints([2, 2]) }),
  pool("MaxPool", "dynamic", [2, 1, 4, 4], { kernel_shape: ints([2, 2]), strides: ints([2, 2]) }, ["n", 1, null, null]),
  ...windows
    .slice(3, 6)
    .map(([label, dims, attributes]) =>
      pool("AveragePool", `${label}, pads count`, dims, { ...attributes, count_include_pad: int(1) }),
    ),
  pool("AveragePool", "dynamic", [2, 2, 4, 5], { kernel_shape: ints([2, 2]) }, ["n", 2, null, null]),
  one("GlobalAveragePool", at(2, 3, 3, 4)),
  one("GlobalAveragePool", { dims: [2, 3, 3, 4], declared: ["n", 3, null, null] }, {}, "dynamic"),
  ...[1, 2, 3].flatMap((p) => [
    ...[windows[0]!, windows[2]!, windows[3]!, windows[8]!].map(([label, dims, attributes]) =>
      one("LpPool", { dims, kinks: [0] }, { ...attributes, p: int(p) }, `${label} p=${p}`),
    ),
    one("GlobalLpPool", { dims: [2, 2, 3, 2], kinks: [0] }, { p: int(p) }, `p=${p}`),
  ]),
  one("LpPool", at(1, 1, 5, 6), { kernel_shape: ints([3, 3]), strides: ints([2, 2]), ceil_mode: int(1) }, "ceil"),
  one("LpPool", at(1, 1, 5, 5), { kernel_shape: ints([2, 2]), dilations: ints([2, 2]) }, "dilated"),
  one("GlobalMaxPool", { dims: [2, 3, 3, 4], distinct: true }),
];

const norms: Row[] = [
  row(
    "BatchNormalization",
    "4-D",
    { x: at(2, 3, 2, 2), s: at(3), b: at(3), m: at(3), v: { dims: [3], from: [0.5, 2] } },
    apply("BatchNormalization", { epsilon: float(0.01) }),
  ),
  row(
    "BatchNormalization",
    "2-D",
    { x: at(4, 3), s: at(3), b: at(3), m: at(3), v: { dims: [3], from: [0.5, 2] } },
    apply("BatchNormalization"),
  ),
  row("LayerNormalization", "last axis", { x: at(2, 3, 4), s: at(4), b: at(4) }, apply("LayerNormalization")),
  row(
    "LayerNormalization",
    "two axes, no bias",
    { x: at(2, 3, 4), s: at(3, 4) },
    apply("LayerNormalization", { axis: int(1) }),
  ),
  row("LayerNormalization", "mean and deviation too", { x: at(2, 3, 4), s: at(4), b: at(4) }, (b, names) =>
    b.opN("LayerNormalization", names, 3),
  ),
  row(
    "LayerNormalization",
    "only the deviation",
    { x: at(2, 3, 4), s: { ...at(4), fixed: true } },
    (b, names) => b.opN("LayerNormalization", names, 3)[2]!,
  ),
  row("InstanceNormalization", "4-D", { x: at(2, 3, 2, 3), s: at(3), b: at(3) }, apply("InstanceNormalization")),
  row("InstanceNormalization", "neither scaled nor shifted", { x: at(2, 3, 2, 3) }, (b, [x]) => {
    const [ones, zeros] = [1, 0].map((v) => b.constant(tensor("float32", [3], Float32Array.of(v, v, v))));
    return b.op("InstanceNormalization", [x!, ones!, zeros!], { epsilon: float(0.01) });
  }),
  row("LayerNormalization", "neither scaled nor shifted, all outputs", { x: at(2, 3, 4) }, (b, [x]) =>
    b.opN("LayerNormalization", [x!, b.constant(tensor("float32", [4], Float32Array.of(1, 1, 1, 1)))], 3),
  ),
  one("LRN", at(2, 5, 2, 2), { size: int(3), alpha: float(0.5), beta: float(0.75), bias: float(2) }),
  one("LRN", at(1, 4, 3), { size: int(2), alpha: float(0.5) }, "even size", { noOrt: "its LRN wants an odd size" }),
  one("LpNormalization", at(2, 4), { axis: int(1) }),
  one("LpNormalization", { dims: [2, 4], kinks: [0] }, { axis: int(0), p: int(1) }, "p=1"),
];

const reductions: Row[] = [
  "ReduceSum",
  "ReduceMean",
  "ReduceMax",
  "ReduceMin",
  "ReduceProd",
  "ReduceL1",
  "ReduceL2",
  "ReduceSumSquare",
  "ReduceLogSum",
  "ReduceLogSumExp",
].flatMap((op) => {
  const x: InputSpec =
    op === "ReduceLogSum" ? { dims: [2, 3, 2], from: [0.5, 2] } : { dims: [2, 3, 2], distinct: true, from: [-1.3, 2] };
  const over = (axes: number[], keepdims: number, label: string, spec: InputSpec = x): Row =>
    row(op, label, { x: spec }, (b, [name]) => b.op(op, [name!, b.indices(axes)], { keepdims: int(keepdims) }));
  return [
    over([1], 1, "keeps"),
    over([-1, 0], 0, "drops"),
    row(op, "all", { x }, (b, [name]) => b.op(op, [name!], { keepdims: int(0) })),
    row(
      op,
      "none",
      { x },
      (b, [name]) => b.op(op, [name!], { noop_with_empty_axes: int(1) }),
      op === "ReduceSum" || op === "ReduceMean" ? {} : { noOrt: "its no-op leaves out the point-wise part" },
    ),
    over([0], 0, "dynamic", { ...x, declared: ["n", 3, null] }),
    row(op, "run-time axes", { x }, (b, [name]) => {
      const axes = b.op("Sub", [b.indices([2]), b.op("Shape", [b.op("Shape", [b.op("Squeeze", [b.indices([4])])])])]);
      return b.op(op, [name!, axes], { keepdims: int(0) });
    }),
  ];
});
reductions.push(
  row("ReduceProd", "zeros", { x: { dims: [2, 3], data: [0, 2, 3, 0, 0, 1.5] } }, (b, [x]) =>
    b.op("ReduceProd", [x!, b.indices([1])]),
  ),
);
const soft: Row[] = ["Softmax", "LogSoftmax"].flatMap((op) => [
  one(op, at(3, 4)),
  one(op, at(2, 3, 2), { axis: int(1) }, "inner axis"),
  one(op, { dims: [3, 4], declared: ["batch", 4] }, {}, "dynamic batch"),
]);
export const rows: readonly Row[] = [
  ...unary,
  ...kinked,
  ...binary,
  ...more,
  ...linear,
  ...convs,
  ...pools,
  ...norms,
  ...reductions,
  ...soft,
];
export { apply, one, tensor };
