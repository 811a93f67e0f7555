import type { GraphBuilder } from "../../src/ir/index.ts";
import { emptyGraph, tensorInfo, type Attribute, type Graph } from "../../src/ir/index.ts";
import { GraphBuilder as Builder } from "../../src/ir/index.ts";
import {
  at,
  float,
  float32,
  floats,
  int,
  int64,
  ints,
  row,
  string,
  tensor,
  type Inputs,
  type Row,
} from "./rule-rows.ts";
import { apply, one } from "./rule-table.ts";

type Attributes = Record<string, Attribute>;
const strings = (values: string[]): Attribute => ({
  type: "strings",
  value: values.map((v) => new TextEncoder().encode(v)),
});

const gates: Record<string, number> = { LSTM: 4, GRU: 3, RNN: 1 };

/** A recurrent row: which of the optional inputs are there, and whose outputs count. */
function recurrent(
  op: string,
  label: string,
  settings: {
    ways?: number;
    steps?: number;
    bias?: boolean;
    lengths?: number[];
    start?: boolean;
    peephole?: boolean;
    layout?: number;
    attributes?: Attributes;
    outputs?: number[];
  } = {},
  more: Partial<Row> = {},
): Row {
  const { ways = 1, steps = 3, bias = true, start = true, layout = 0, outputs = [0, 1] } = settings;
  const [batch, width, size, g] = [2, 3, 2, gates[op]!];
  const state = layout === 1 ? [batch, ways, size] : [ways, batch, size];
  const near = { from: [-0.9, 0.9] as const };
  const inputs: Inputs = {
    x: { dims: layout === 1 ? [batch, steps, width] : [steps, batch, width], ...near },
    w: { dims: [ways, g * size, width], ...near },
    r: { dims: [ways, g * size, size], ...near },
    ...(bias ? { b: { dims: [ways, 2 * g * size], ...near } } : {}),
    ...(start ? { h: { dims: state, ...near }, ...(op === "LSTM" ? { c: { dims: state, ...near } } : {}) } : {}),
    ...(settings.peephole === true ? { p: { dims: [ways, 3 * size], ...near } } : {}),
  };
  const emit = (b: GraphBuilder, names: string[]): string[] => {
    const has = (name: string): string => (names.includes(name) ? name : "");
    const lengths =
      settings.lengths === undefined
        ? ""
        : b.constant(tensor("int32", [batch], Int32Array.from(settings.lengths)), "lengths");
    const args = ["x", "w", "r", has("b"), lengths, has("h"), ...(op === "LSTM" ? [has("c"), has("p")] : [])];
    while (args.at(-1) === "") args.pop();
    const made = b.opN(op, args, op === "LSTM" ? 3 : 2, {
      hidden_size: int(size),
      ...(ways === 2 ? { direction: string("bidirectional") } : {}),
      ...(layout === 1 ? { layout: int(1) } : {}),
      ...settings.attributes,
    });
    return outputs.map((i) => made[i]!);
  };
  return row(op, label, inputs, emit, more);
}

const recurrentRows: Row[] = [
  ...["LSTM", "GRU", "RNN"].flatMap((op) => [
    recurrent(op, "forward"),
    recurrent(op, "no bias, no start, one step", { bias: false, start: false, steps: 1 }),
    recurrent(op, "reverse, only the last state", {
      attributes: { direction: string("reverse") },
      outputs: [1],
    }),
    recurrent(op, "both ways", { ways: 2 }),
    recurrent(op, "lengths, both ways", { ways: 2, lengths: [3, 2] }),
    recurrent(op, "full lengths", { lengths: [3, 3] }),
    recurrent(op, "batch first", { layout: 1, ways: 2 }, { noOrt: "its layout 1 is not implemented" }),
  ]),
  recurrent("LSTM", "all states and peepholes", { peephole: true, outputs: [0, 1, 2], ways: 2 }),
  recurrent("LSTM", "other activations", {
    attributes: {
      activations: strings(["HardSigmoid", "Softsign", "ScaledTanh"]),
      activation_alpha: floats([0.3, 0.9]),
      activation_beta: floats([0.4, 0.8]),
    },
  }),
  recurrent("LSTM", "coupled gates", { attributes: { input_forget: int(1) }, outputs: [0, 2] }),
  recurrent("LSTM", "wide clip", { attributes: { clip: float(50) } }),
  recurrent("GRU", "reset after the product", { attributes: { linear_before_reset: int(1) }, ways: 2 }),
  recurrent("RNN", "affine", {
    attributes: { activations: strings(["Affine"]), activation_alpha: floats([0.7]), activation_beta: floats([0.2]) },
  }),
];

/** A body for If, Loop and Scan; names of inputs in order. */
function body(inputs: [string, "float32" | "int64" | "bool", number[]][], make: (b: Builder) => string[]): Attribute {
  const b = new Builder({ ...emptyGraph, inputs: inputs.map(([name, dtype, dims]) => tensorInfo(name, dtype, dims)) });
  const outputs = make(b);
  const graph: Graph = { ...b.build(), outputs: outputs.map((name) => tensorInfo(name, null, null)) };
  return { type: "graph", value: graph };
}
const typed = (a: Attribute, dtypes: ("float32" | "bool")[]): Attribute =>
  a.type === "graph"
    ? { type: "graph", value: { ...a.value, outputs: a.value.outputs.map((o, i) => ({ ...o, dtype: dtypes[i]! })) } }
    : a;

const controlRows: Row[] = [
  ...[0, 1].map((taken) =>
    row("If", taken === 1 ? "then" : "else", { x: at(2, 3) }, (b, [x]) =>
      b.op("If", [b.constant(tensor("bool", [], Uint8Array.of(taken)))], {
        then_branch: typed(
          body([], (inner) => [inner.op("Tanh", [x!])]),
          ["float32"],
        ),
        else_branch: typed(
          body([], (inner) => [inner.mul(x!, x!)]),
          ["float32"],
        ),
      }),
    ),
  ),
  // Of the branch that is not taken nothing may come: the root of a negative number is none.
  ...["then", "else"].map((taken) =>
    row(
      "If",
      `${taken}, known at run time`,
      { x: { dims: [2, 3], from: taken === "then" ? [0.3, 1.5] : [-1.5, -0.3] }, w: at(3) },
      (b, [x, w]) =>
        b.op("If", [b.op("Greater", [b.op("ReduceSum", [x!], { keepdims: int(0) }), b.scalar(0)])], {
          then_branch: typed(
            body([], (inner) => [inner.mul(inner.op("Sqrt", [x!]), w!)]),
            ["float32"],
          ),
          else_branch: typed(
            body([], (inner) => [inner.mul(x!, inner.mul(x!, inner.constant(float32([3], [1, 2, 3]))))]),
            ["float32"],
          ),
        }),
    ),
  ),
  row("If", "one in another, handing on", { x: { dims: [4], from: [0.3, 1.5] } }, (b, [x]) => {
    const positive = b.op("Greater", [b.op("ReduceSum", [x!], { keepdims: int(0) }), b.scalar(0)]);
    const inner = body([], (c) => [
      c.op("If", [positive], {
        then_branch: typed(
          body([], (d) => [d.op("Exp", [x!])]),
          ["float32"],
        ),
        else_branch: typed(
          body([], (d) => [d.neg(x!)]),
          ["float32"],
        ),
      }),
    ]);
    const outer = b.op("If", [positive], {
      then_branch: typed(inner, ["float32"]),
      else_branch: typed(
        body([], (c) => [c.op("Identity", [x!])]),
        ["float32"],
      ),
    });
    return b.mul(outer, x!);
  }),
  row(
    "Loop",
    "stops when it has enough",
    { x: { dims: [2], from: [0.5, 1] }, w: { dims: [2], from: [0.5, 1] } },
    (b, [x, w]) =>
      b.opN("Loop", [b.constant(tensor("int64", [], BigInt64Array.of(6n))), "", x!], 1, {
        body: typed(
          body(
            [
              ["i", "int64", []],
              ["go", "bool", []],
              ["v", "float32", [2]],
            ],
            (inner) => {
              const next = inner.add(inner.mul("v", inner.op("Exp", [w!])), w!);
              const enough = inner.constant(float32([], [20]));
              return [inner.op("Less", [inner.op("ReduceSum", [next], { keepdims: int(0) }), enough]), next];
            },
          ),
          ["bool", "float32"],
        ),
      })[0]!,
  ),
  row("Loop", "carried and collected", { x: at(2, 3), w: at(2, 3) }, (b, [x, w]) =>
    b.opN(
      "Loop",
      [b.constant(tensor("int64", [], BigInt64Array.of(3n))), b.constant(tensor("bool", [], Uint8Array.of(1))), x!],
      2,
      {
        body: typed(
          body(
            [
              ["i", "int64", []],
              ["go", "bool", []],
              ["v", "float32", [2, 3]],
            ],
            (inner) => {
              const next = inner.op("Tanh", [inner.add("v", w!)]);
              return [inner.op("Identity", ["go"]), next, inner.mul(next, w!)];
            },
          ),
          ["bool", "float32", "float32"],
        ),
      },
    ),
  ),
  row("Scan", "there and back", { x: at(3, 2), w: at(2), s: at(2) }, (b, [x, w, s]) =>
    b.opN("Scan", [s!, x!, x!], 2, {
      num_scan_inputs: int(2),
      scan_input_directions: ints([0, 1]),
      scan_output_directions: ints([1]),
      scan_output_axes: ints([-1]),
      body: typed(
        body(
          [
            ["state", "float32", [2]],
            ["one", "float32", [2]],
            ["two", "float32", [2]],
          ],
          (inner) => {
            const next = inner.op("Tanh", [inner.add(inner.mul("state", w!), inner.sub("one", inner.mul("two", w!)))]);
            return [next, inner.mul(next, next)];
          },
        ),
        ["float32", "float32"],
      ),
    }),
  ),
];

const labels = (b: GraphBuilder, dims: number[], values: number[]): string => b.constant(int64(dims, values));
const lossRows: Row[] = ["NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss"].flatMap((op) => [
  ...["mean", "sum", "none"].map((reduction) =>
    row(op, reduction, { x: at(4, 3) }, (b, [x]) =>
      b.op(op, [x!, labels(b, [4], [0, 2, 1, 2])], { reduction: string(reduction) }),
    ),
  ),
  row(op, "weights, ignored labels, space", { x: at(2, 3, 2), w: { dims: [3], from: [0.5, 2] } }, (b, [x, w]) =>
    b.op(op, [x!, labels(b, [2, 2], [0, -1, 1, 2]), w!], { ignore_index: int(-1) }),
  ),
  row(op, "one label ignored", { x: at(3, 3) }, (b, [x]) =>
    b.op(op, [x!, labels(b, [3], [0, 1, 2])], { ignore_index: int(1) }),
  ),
]);

/** A row of an operator that needs a newer opset than the others. */
export const newer = (opset: number, r: Row): Row => ({ ...r, model: { ...r.model, opsets: { "": opset } } });

export const decomposedRows: readonly Row[] = [
  ...recurrentRows,
  ...controlRows,
  ...lossRows,
  row("SoftmaxCrossEntropyLoss", "log probabilities too", { x: at(3, 4) }, (b, [x]) =>
    b.opN("SoftmaxCrossEntropyLoss", [x!, labels(b, [3], [0, 1, 2])], 2),
  ),
  row(
    "GroupNormalization",
    "by group",
    { x: at(2, 4, 3), s: at(2), b: at(2) },
    apply("GroupNormalization", { num_groups: int(2) }),
  ),
  newer(
    21,
    row(
      "GroupNormalization",
      "by channel",
      { x: at(2, 4, 3, 2), s: at(4), b: at(4) },
      apply("GroupNormalization", { num_groups: int(2), epsilon: float(0.01) }),
    ),
  ),
  newer(23, row("RMSNormalization", "last axis", { x: at(2, 3, 4), s: at(4) }, apply("RMSNormalization"))),
  newer(
    23,
    row(
      "RMSNormalization",
      "from axis 1",
      { x: at(2, 3, 4), s: at(3, 4) },
      apply("RMSNormalization", { axis: int(1) }),
    ),
  ),
  one("MeanVarianceNormalization", at(2, 3, 2, 2)),
  one("MeanVarianceNormalization", at(3, 4), { axes: ints([1]) }, "one axis"),
  newer(24, one("Swish", at(2, 3), { alpha: float(1.5) })),
  newer(23, row("Attention", "heads", { q: at(2, 2, 3, 4), k: at(2, 2, 5, 4), v: at(2, 2, 5, 3) }, apply("Attention"))),
  newer(
    23,
    row(
      "Attention",
      "flat, shared keys, causal, capped",
      { q: at(1, 3, 8), k: at(1, 3, 4), v: at(1, 3, 4) },
      apply("Attention", { q_num_heads: int(4), kv_num_heads: int(2), is_causal: int(1), softcap: float(2) }),
    ),
  ),
  newer(
    23,
    row(
      "Attention",
      "mask and past",
      { q: at(1, 2, 2, 3), k: at(1, 2, 2, 3), v: at(1, 2, 2, 3), m: at(2, 5), pk: at(1, 2, 3, 3), pv: at(1, 2, 3, 3) },
      (b, names) => b.opN("Attention", names, 3, { scale: float(0.7) }),
    ),
  ),
  newer(
    23,
    row("Attention", "mask of truth values", { q: at(1, 1, 2, 3), k: at(1, 1, 3, 3), v: at(1, 1, 3, 3) }, (b, names) =>
      b.op("Attention", [...names, b.constant(tensor("bool", [2, 3], Uint8Array.from([1, 0, 1, 1, 1, 0])))]),
    ),
  ),
];
