import { describe, expect, it } from "vitest";
import { plainSgd } from "../../../test/support/plain-sgd.ts";
import { modelOf } from "../../../test/support/run-graph.ts";
import { ortEngine } from "../../engine/ort-node.ts";
import { float, GraphBuilder, int, ints } from "../../ir/index.ts";
import { seeded } from "../../random/index.ts";
import { float32, int64, type Tensor } from "../../tensor/index.ts";
import { buildArchitecture, type Trainable } from "../architectures.ts";
import { openClipped, probeMixing } from "./clipped.ts";
import { buildLanguageModel } from "../language-model/index.ts";
import { characterVocabulary } from "../../data/text/index.ts";
import { updateRule } from "../optimizers.ts";
import { layoutOf, pack } from "../parameters.ts";
import { perExample } from "./per-example.ts";
import { frozenOf, openPrograms } from "../programs.ts";
import type { LossId } from "../trainer.ts";

const rng = seeded(11);
const N = 6;
let drawn = 0;
const noise = (dims: readonly number[], scale = 0.5) => {
  const data = new Float32Array(dims.reduce((a, b) => a * b, 1));
  rng.child(drawn++).fillNormal(data, 0, scale);
  return float32(dims, data);
};

/** A model whose constants are named, all of them trained. */
function model(
  inputShape: (number | string)[],
  make: (b: GraphBuilder, x: string, p: (name: string, dims: number[]) => string) => string,
  dtype: "float32" | "int64" = "float32",
  out: (number | string)[] = ["N", 3],
  opset = 18,
): Trainable {
  const b = new GraphBuilder();
  const parameters: string[] = [];
  const x = b.input("x", dtype, ["N", ...inputShape]);
  const p = (name: string, dims: number[]): string => {
    parameters.push(name);
    return b.constant(noise(dims), name);
  };
  // Sizes above 16 are never shared by the builder; smaller ones here differ in their values.
  const logits = make(b, x, p);
  b.output(logits, "float32", out);
  return { model: modelOf(b.build(), opset), parameters, frozen: [], features: logits };
}

const head = (b: GraphBuilder, x: string, p: (n: string, d: number[]) => string, width: number): string =>
  b.op("Gemm", [b.op("Flatten", [x], { axis: int(1) }), p("head.w", [3, width]), p("head.b", [3])], {
    transB: int(1),
    alpha: float(0.7),
    beta: float(1.3),
  });

const conv =
  (extra: Record<string, ReturnType<typeof ints>>, dims: number[], bias: boolean) =>
  (b: GraphBuilder, x: string, p: (n: string, d: number[]) => string): string =>
    b.op("Conv", [x, p("conv.w", dims), ...(bias ? [p("conv.b", [dims[0]!])] : [])], {
      kernel_shape: ints(dims.slice(2)),
      ...extra,
    });

const cases: Record<string, { made: Trainable; x: Tensor; loss?: LossId; targets?: Tensor }> = {
  "linear over time, few positions (ghost)": {
    made: model([3, 8], (b, x, p) => head(b, b.op("Tanh", [b.add(b.matmul(x, p("w", [8, 7])), p("b", [7]))]), p, 21)),
    x: noise([N, 3, 8]),
  },
  "linear over time, many positions": {
    made: model([9, 2], (b, x, p) => head(b, b.op("Tanh", [b.add(b.matmul(x, p("w", [2, 3])), p("b", [3]))]), p, 27)),
    x: noise([N, 9, 2]),
  },
  "linear over two axes": {
    made: model([2, 2, 6], (b, x, p) => head(b, b.op("Tanh", [b.matmul(x, p("w", [6, 5]))]), p, 20)),
    x: noise([N, 2, 2, 6]),
  },
  "convolution, strides, dilations, uneven pads": {
    made: model([2, 7, 8], (b, x, p) =>
      head(
        b,
        b.op("Relu", [
          conv({ strides: ints([2, 1]), dilations: ints([1, 2]), pads: ints([0, 2, 1, 1]) }, [4, 2, 3, 2], true)(
            b,
            x,
            p,
          ),
        ]),
        p,
        4 * 3 * 9,
      ),
    ),
    x: noise([N, 2, 7, 8]),
  },
  "convolution in groups": {
    made: model([4, 5, 5], (b, x, p) => head(b, conv({ group: int(2) as never }, [6, 2, 3, 3], true)(b, x, p), p, 54)),
    x: noise([N, 4, 5, 5]),
  },
  "convolution, few positions (ghost)": {
    made: model([6, 4, 4], (b, x, p) =>
      head(b, b.op("Tanh", [conv({ strides: ints([2, 2]) }, [5, 6, 3, 3], false)(b, x, p)]), p, 5),
    ),
    x: noise([N, 6, 4, 4]),
  },
  "convolution of one axis, 1 x 1": {
    made: model([3, 6], (b, x, p) => head(b, conv({}, [4, 3, 1], true)(b, x, p), p, 24)),
    x: noise([N, 3, 6]),
  },
  "normalizations, slopes, scales": {
    made: model([4, 6], (b, x, p) => {
      const layer = b.op("LayerNormalization", [x, p("ln.s", [6]), p("ln.b", [6])], { axis: int(-1) });
      const one = b.op("PRelu", [b.mul(layer, p("scale", [4, 1])), p("slope", [1])]);
      const inst = b.op("InstanceNormalization", [b.div(one, p("div", [6])), p("in.s", [4]), p("in.b", [4])]);
      const fixed = [float32([4], [0.1, 0.2, -0.1, 0]), float32([4], [1, 2, 0.5, 1])].map((t, i) =>
        b.constant(t, `bn${i}`),
      );
      const batch = b.op("BatchNormalization", [b.op("Sigmoid", [inst]), p("bn.s", [4]), p("bn.b", [4]), ...fixed]);
      return head(b, b.sub(batch, p("place", [1, 4, 6])), p, 24);
    }),
    x: noise([N, 4, 6]),
  },
  "group normalization": {
    made: model(
      [4, 6],
      (b, x, p) => {
        const group = b.op("GroupNormalization", [x, p("gn.s", [4]), p("gn.b", [4])], { num_groups: int(2) });
        return head(b, b.op("Tanh", [group]), p, 24);
      },
      "float32",
      ["N", 3],
      21,
    ),
    x: noise([N, 4, 6]),
  },
  "convolution of many channels, by minimal filtering": {
    made: model([64, 8, 4], (b, x, p) =>
      head(b, b.op("Relu", [conv({ pads: ints([1, 1, 1, 1]) }, [64, 64, 3, 3], true)(b, x, p)]), p, 64 * 32),
    ),
    x: noise([N, 64, 8, 4]),
  },
  "a weight that is turned, reshaped and used twice": {
    made: model([6], (b, x, p) => {
      const w = b.reshape(p("tied", [2, 3, 6]), [6, 6]);
      const h = b.op("Tanh", [b.matmul(x, w)]);
      return head(b, b.op("Tanh", [b.matmul(h, b.transpose(w, [1, 0]))]), p, 6);
    }),
    x: noise([N, 6]),
  },
  "a language model with one table for words in and words out": {
    made: model(
      [4],
      (b, x, p) => {
        const table = p("table", [7, 6]);
        const e = b.add(b.op("Gather", [table, x]), p("place", [4, 6]));
        const n = b.op("LayerNormalization", [e, p("ln.s", [6]), p("ln.b", [6])], { axis: int(-1) });
        const [q, k, v] = ["q", "k", "v"].map((name) => b.matmul(n, p(name, [6, 6])));
        const weights = b.op("Softmax", [b.mul(b.matmul(q!, b.transpose(k!, [0, 2, 1])), b.scalar(0.4))], {
          axis: int(-1),
        });
        const h = b.add(e, b.matmul(b.matmul(weights, v!), p("out", [6, 6])));
        return b.matmul(h, b.transpose(table, [1, 0]));
      },
      "int64",
      ["N", 4, 7],
    ),
    x: int64([N, 4], [0, 1, 2, 3, 4, 4, 4, 5, 6, 0, 6, -1, 1, 1, 1, 1, 3, 2, 3, 2, 5, 0, 5, 5]),
    loss: "next-token",
    targets: int64([N, 4], [1, 2, 3, 0, 4, 4, 5, -1, 0, 6, 6, 1, 1, -1, -1, 1, 2, 3, 2, 0, 0, 5, 5, -1]),
  },
  "a table alone (ghost)": {
    made: model([4], (b, x, p) => head(b, b.op("Tanh", [b.op("Gather", [p("table", [7, 6]), x])]), p, 24), "int64"),
    x: int64([N, 4], [0, 1, 2, 3, 4, 4, 4, 5, 6, 0, 6, -1, 1, 1, 1, 1, 3, 2, 3, 2, 5, 0, 5, 5]),
  },
};
for (const [arch, shape] of [
  ["logistic", [5]],
  ["mlp", [5]],
  ["cnn", [2, 8, 9]],
  ["resnet", [2, 5, 6]],
] as const) {
  const normalization = { mean: float32([1], [0.25]), scale: float32([1], [2]) };
  const spec = { inputShape: shape, classes: 3, rng, normalization, ...(arch === "logistic" ? {} : { hidden: [6] }) };
  cases[arch] = { made: buildArchitecture(arch, { ...spec, channels: [3, 4] }), x: noise([N, ...shape]) };
}

for (const arch of ["char-lstm", "gpt"] as const) {
  for (const tied of arch === "gpt" ? [false, true] : [false]) {
    const vocabulary = characterVocabulary("abcdefg");
    const spec = { vocabulary, context: 4, width: 6, layers: 2, heads: 2, embedding: 5, tied, rng };
    cases[tied ? `${arch}, tied` : arch] = {
      made: buildLanguageModel(arch, spec),
      x: int64([N, 4], [0, 1, 2, 3, 4, 4, 4, 5, 6, 0, 6, 1, 1, 1, 1, 1, 3, 2, 3, 2, 5, 0, 5, 5]),
      loss: "next-token",
      targets: int64([N, 4], [1, 2, 3, 0, 4, 4, 5, -1, 0, 6, 6, 1, 1, -1, -1, 1, 2, 3, 2, 0, 0, 5, 5, -1]),
    };
  }
}

const sgd = updateRule(plainSgd(0));

const row = (t: Tensor, i: number): Tensor => {
  const width = t.data.length / t.dims[0]!;
  return {
    ...t,
    dims: [1, ...t.dims.slice(1)],
    data: (t.data as Float32Array).slice(i * width, (i + 1) * width),
  } as Tensor;
};

describe("clipped gradients against a loop of single examples", () => {
  it.each(Object.keys(cases))("%s", async (name) => {
    const { made, x, loss = "cross-entropy" } = cases[name]!;
    const targets =
      cases[name]!.targets ??
      float32(
        [N, 3],
        Array.from({ length: N * 3 }, (_, i) => (i % 4 === 0 ? 1 : 0.1)),
      );
    const frozen = frozenOf(made);
    const parameters = pack(made.model, layoutOf(made.model, made.parameters));
    const programs = openPrograms(ortEngine, made, 1);
    const states = [new Float32Array(parameters.length)];
    const single: Float32Array[] = [];
    const norms: number[] = [];
    for (let i = 0; i < N; i++) {
      const batch = { features: row(x, i), targets: row(targets, i), weights: Float32Array.of(1) };
      const done = await programs.step({ rule: sgd, loss }, { parameters, states }, frozen, [1, 0], batch);
      single.push(done.state.states[0]!);
      norms.push(Math.hypot(...done.state.states[0]!));
    }
    await programs.close();
    const clip = norms.toSorted((a, b) => a - b)[2]! * 1.01; // some are cut, some are not
    const expected = new Float64Array(parameters.length);
    single.forEach((g, i) => g.forEach((v, k) => (expected[k]! += v * Math.min(1, clip / norms[i]!))));
    const clipped = await openClipped(ortEngine, made, { loss, threads: 1 });
    const got = await clipped.run(parameters, frozen, x, targets, clip);
    norms.forEach((v, i) => expect(Math.abs(got.norms[i]! / v - 1)).toBeLessThan(1e-5));
    const size = Math.hypot(...expected);
    expect(Math.hypot(...got.sum.map((v, k) => v - expected[k]!)) / size).toBeLessThan(1e-5);
    expect(got.losses).toHaveLength(N);
    if (x.dtype === "float32")
      expect(await probeMixing(clipped, parameters, frozen, x as Tensor<"float32">, targets)).toEqual([]);
    await clipped.close();
  });
});

/** Norms of the parameter's gradients where the gradient of the output is given. */
async function normsOf(
  x: Tensor,
  parameter: number[],
  y: (b: GraphBuilder, x: string, p: string) => string,
  g: number[],
): Promise<number[]> {
  const b = new GraphBuilder();
  const input = b.input("x", x.dtype, ["N", ...x.dims.slice(1)]);
  const out = y(b, input, b.constant(noise(parameter), "p"));
  const rows = b.reduceSum(b.mul(out, b.input("g", "float32", ["N", 3, 3])), [1, 2], false);
  b.output(rows, "float32", ["N"]);
  const whole = modelOf(b.build());
  const made = perExample(whole, rows, ["x", "g"], layoutOf(whole, ["p"]));
  made.b.output(made.squaredNorms, "float32", [null], "norms");
  const session = await ortEngine.load({ ...made.model, graph: made.b.build() });
  const answer = await session.run({ x, g: float32([2, 3, 3], g) }, ["norms"]);
  await session.close();
  return [...(answer["norms"]!.data as Float32Array)];
}

describe("known answers", () => {
  const a = float32([2, 3, 2], [1, 2, 0, 1, 3, -1, 0.5, 0, 1, 1, 0, 2]);
  const g = [1, 0, -1, 2, 1, 0, 0, 1, 1, 1, 1, 1, 0, -1, 2, 0.5, 0, 0];
  it("of a linear layer over three positions", async () => {
    expect(await normsOf(a, [2, 3], (b, x, p) => b.matmul(x, p), g)).toEqual([39, 12.75]);
  });
  it("of its bias", async () => {
    const plus = (b: GraphBuilder, x: string, p: string): string =>
      b.add(b.matmul(x, b.constant(noise([2, 3]), "w")), p);
    expect(await normsOf(a, [3], plus, g)).toEqual([13, 11.25]);
  });
  it("of an embedding that reads one row twice", async () => {
    const ids = int64([2, 3], [0, 2, 0, 1, 1, 1]);
    expect(await normsOf(ids, [4, 3], (b, x, p) => b.op("Gather", [p, x]), g)).toEqual([7, 11.25]);
  });
});

describe("what cannot be bounded", () => {
  type Make = (b: GraphBuilder, x: string, p: (name: string, dims: number[]) => string) => string;
  const linear: Make = (b, x, p) => b.matmul(x, p("w", [4, 3]));
  it.each<[string, Make, RegExp]>([
    [
      "a mean over the batch",
      (b, x, p) => b.sub(linear(b, x, p), b.op("ReduceMean", [x, b.indices([0, 1])], {}, "average")),
      /ReduceMean \(node "average"\) works across/,
    ],
    [
      "a softmax over the batch",
      (b, x, p) => b.op("Softmax", [linear(b, x, p)], { axis: int(0) }, "wrong"),
      /Softmax \(node "wrong"\) works across/,
    ],
    [
      "batch statistics",
      (b, x, p) => {
        const stats = [0, 1].map((i) => b.constant(float32([3], [i, 1, 2]), `s${i}`));
        const affine = [2, 3].map((i) => b.constant(float32([3], [i, 1, 2]), `s${i}`));
        return b.opN(
          "BatchNormalization",
          [linear(b, x, p), ...affine, ...stats],
          3,
          { training_mode: int(1) },
          "bn",
        )[0]!;
      },
      /BatchNormalization \(node "bn"\) takes its statistics over the batch/,
    ],
    [
      "dynamic quantization",
      (b, x, p) => {
        const [q, s, z] = b.opN("DynamicQuantizeLinear", [x], 3, {}, "range");
        return linear(b, b.op("DequantizeLinear", [q!, s!, z!]), p);
      },
      /DynamicQuantizeLinear \(node "range"\) is not known/,
    ],
    [
      "a product of examples",
      (b, x, p) => linear(b, b.matmul(b.matmul(x, b.transpose(x, [1, 0])), x), p),
      /MatMul .* works across/,
    ],
    [
      "a shape that joins examples",
      (b, x, p) =>
        b.reshape(
          linear(b, b.reshape(x, [-1, 8]), (n) => p(n, [8, 3])),
          [-1, 3],
        ),
      /Reshape .* may join several examples/,
    ],
    [
      "a parameter for each place in the batch",
      (b, x, p) => b.mul(linear(b, x, p), p("m", [6, 1])),
      /by their place in the batch/,
    ],
    [
      "a sum of rows and columns",
      (b, x, p) => b.add(linear(b, x, p), b.op("ReduceSum", [x, b.indices([1])], { keepdims: int(0) })),
      /Add .* works across/,
    ],
    [
      "cutting the batch",
      (b, x, p) => b.op("Slice", [linear(b, x, p), b.indices([0]), b.indices([2]), b.indices([0])]),
      /Slice .* works across/,
    ],
    [
      "a parameter in an unknown place",
      (b, x, p) => b.op("Tanh", [b.mul(linear(b, x, p), b.op("Exp", [p("e", [3])]))]),
      /Exp .* changes a parameter/,
    ],
  ])("%s", async (_name, make, message) => {
    const act = openClipped(ortEngine, model([4], make));
    await expect(act).rejects.toThrow(message);
    await expect(act).rejects.toMatchObject({ code: "MODEL_UNSUPPORTED" });
  });

  it("an example whose gradient is no number adds nothing; an empty batch adds nothing", async () => {
    const made = model([4], (b, x, p) => linear(b, b.op("Sqrt", [x]), p));
    const x = noise([N, 4]).data.map(Math.abs);
    const targets = float32(
      [N, 3],
      Array.from({ length: 3 * N }, (_, i) => (i % 3 === 0 ? 1 : 0)),
    );
    const clipped = await openClipped(ortEngine, made, { threads: 1 });
    const parameters = pack(made.model, clipped.layout);
    x[5] = -1; // the square root of it is no number
    const got = await clipped.run(parameters, {}, float32([N, 4], x), targets, 0.1);
    const keep = [0, 2, 3, 4, 5];
    const rows = float32(
      [5, 4],
      keep.flatMap((i) => Array.from(x.slice(4 * i, 4 * i + 4))),
    );
    const rest = float32(
      [5, 3],
      keep.flatMap((i) => Array.from(targets.data.slice(3 * i, 3 * i + 3))),
    );
    expect(got.norms[1]).toBeNaN();
    expect(got.sum).toEqual((await clipped.run(parameters, {}, rows, rest, 0.1)).sum);
    expect(got.sum.some((v) => v !== 0)).toBe(true);
    const none = await clipped.run(parameters, {}, float32([0, 4]), float32([0, 3]), 1);
    expect([none.norms.length, none.sum.some((v) => v !== 0)]).toEqual([0, false]);
    await expect(clipped.run(parameters, {}, rows, rest, 0)).rejects.toMatchObject({ code: "OPTION_RANGE" });
    await clipped.close();
  });
});
