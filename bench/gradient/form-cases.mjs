// The cases of forms.mjs: for each question the forms that answer it, as small models.
import { grad } from "../../dist/grad/index.js";
import { float, GraphBuilder, inferTypes, int, ints, string } from "../../dist/ir/index.js";
import { attachLoss } from "../../dist/rewrite/attach-loss.js";
import {
  findGelu,
  gatherHeads,
  geluByErf,
  mergeReshapes,
  narrowSums,
  normalizeToLinear,
  withMoments,
  withoutMeans,
} from "../../dist/rewrite/index.js";
import { channelBlocks } from "../../dist/rewrite/forms/channel-blocks.js";
import { poolBeforeRelu } from "../../dist/rewrite/forms/pool-before-relu.js";
import { prune } from "../../dist/rewrite/prune.js";
import { shareWeights } from "../../dist/rewrite/forms/share-weights.js";
import { winograd } from "../../dist/rewrite/forms/winograd.js";
import { gradientModel } from "../../dist/target/gradient-model.js";
import { prepareModel } from "../../dist/target/prepare-model.js";
import { shapesOf } from "../../dist/target/shapes.js";
import { float32, int64 } from "../../dist/tensor/index.js";
import { models } from "./models.mjs";

const modelOf = (graph) => ({
  irVersion: 8,
  opsets: { "": 20 },
  producer: "",
  producerVersion: "",
  metadata: {},
  graph,
});

/** A model of one input x and one output. */
function model(x, make, dims = ["N", ...x.dims.slice(1)]) {
  const b = new GraphBuilder();
  b.output(make(b, b.input("x", "float32", dims)), "float32", null, "y");
  return modelOf(b.build());
}

/** The gradient of the sum of y by x, of a model after a rewrite; `after` rewrites the gradient. Both are told shapes. */
function gradientOf(forward, rewrite = (graph) => graph, after = (graph) => graph) {
  const told = (graph) => shapesOf(modelOf(graph));
  const before = rewrite(forward.graph, told(forward.graph));
  const { model: whole, gradients } = grad({ ...forward, graph: before }, { of: "y", wrt: ["x"] });
  return { ...whole, graph: prune(after(whole.graph, told(whole.graph)), [gradients.get("x")]) };
}

const form = (name, made, x, used = false) => ({ name, model: made, feeds: { x }, used });

/** Kernel [M, C, k, k] as [C, M, k, k], flipped. */
function flipped({ dims, data }) {
  const [m, c, k] = dims;
  const out = new Float32Array(data.length);
  for (let i = 0; i < m; i++)
    for (let j = 0; j < c; j++)
      for (let t = 0; t < k * k; t++) out[(j * m + i) * k * k + (k * k - 1 - t)] = data[(i * c + j) * k * k + t];
  return float32([c, m, k, k], out);
}

function inputGradient(random, [n, many, few, k, stride, pad, size]) {
  const w = random([many, few, k, k], "w");
  const out = Math.floor((size + 2 * pad - k) / stride) + 1;
  const x = random([n, many, out, out], "dy");
  const lost = (size + 2 * pad - k) % stride;
  const square = (v) => ints([v, v, v, v]);
  const back = k - 1 - pad;
  const transposed = model(x, (b, dy) =>
    b.op("ConvTranspose", [dy, b.constant(w)], {
      strides: ints([stride, stride]),
      pads: square(pad),
      output_padding: ints([lost, lost]),
    }),
  );
  const other =
    stride === 1
      ? [
          "Conv with the flipped kernel",
          model(x, (b, dy) => b.op("Conv", [dy, b.constant(flipped(w))], { pads: square(back) })),
        ]
      : [
          "dY spread out, then Conv",
          model(x, (b, dy) => {
            const apart = b.reshape(dy, [0, 0, out, 1, out, 1]);
            const wide = b.op("Pad", [apart, b.indices([0, 0, 0, 0, 0, 0, 0, 0, 0, stride - 1, 0, stride - 1])]);
            const end = size + k - 1 - back - out * stride;
            const flat = b.reshape(wide, [0, 0, out * stride, out * stride]);
            return b.op("Conv", [flat, b.constant(flipped(w))], { pads: ints([back, back, end, end]) });
          }),
        ];
  const usesConv = stride === 1 && few >= 8;
  return {
    title: `input gradient of a convolution ${few} to ${many} channels, ${k} x ${k}, stride ${stride}, ${size} x ${size}, batch ${n}`,
    forms: [form("ConvTranspose", transposed, x, !usesConv), form(...other, x, usesConv)],
  };
}

function mask(random) {
  const x = random([8, 64, 56, 56], "mask");
  const times = (name, of, used) =>
    form(
      name,
      model(x, (b, v) => b.mul(v, of(b, v))),
      x,
      used,
    );
  return {
    title: "ReLU mask of 1.6 M values and the product with it",
    forms: [
      times("steep HardSigmoid", (b, v) => b.op("HardSigmoid", [v], { alpha: float(3e38), beta: float(0) }), true),
      times("Sign", (b, v) => b.op("Sign", [v])),
      times("Greater, Cast", (b, v) => b.op("Cast", [b.op("Greater", [v, b.scalar(0)])], { to: int(1) })),
      times("in blocked layout (a 1 x 1 convolution with HardSigmoid fused)", (b, v) =>
        b.op(
          "HardSigmoid",
          [b.op("Conv", [v, b.constant(float32([64, 1, 1, 1], new Float32Array(64).fill(1)))], { group: int(64) })],
          {
            alpha: float(3e38),
            beta: float(0),
          },
        ),
      ),
    ],
  };
}

function reluAndPool(random) {
  const x = random([16, 32, 28, 28], "pool");
  const w = random([64, 32, 3, 3], "pw", 0.1);
  const forward = (dims) =>
    model(
      x,
      (b, v) =>
        b.op("MaxPool", [b.op("Relu", [b.op("Conv", [v, b.constant(w)], { pads: ints([1, 1, 1, 1]) })])], {
          kernel_shape: ints([2, 2]),
          strides: ints([2, 2]),
        }),
      dims,
    );
  const fixed = gradientOf(forward(x.dims), poolBeforeRelu);
  const blocked = { ...fixed, graph: channelBlocks(fixed.graph, shapesOf(fixed), 16) };
  return {
    title: "gradient of Conv, ReLU, MaxPool 2 x 2 (32 to 64 channels, 28 x 28, batch 16)",
    forms: [
      form("as in the model", gradientOf(forward()), x),
      form("pool before ReLU", gradientOf(forward(), poolBeforeRelu), x),
      form("the same with all sizes known", fixed, x),
      form("and with masks in blocks of channels", blocked, x, true),
    ],
  };
}

function filtering(random, channels, size) {
  const x = random([16, channels, size, size], "win");
  const w = random([channels, channels, 3, 3], "ww", 0.05);
  const tiled = (graph) => winograd(graph, shapesOf(modelOf(graph)), 1);
  // Linear: the gradient of its sum alone would need no forward pass, so the seed is the output itself.
  const squared = (rewrite) => {
    const f = model(x, (b, v) =>
      b.op("ReduceSumSquare", [b.op("Conv", [v, b.constant(w)], { pads: ints([1, 1, 1, 1]) })], { keepdims: int(0) }),
    );
    return gradientOf(f, rewrite);
  };
  const direct = squared((graph) => graph);
  const fewer = squared(tiled);
  const shared = { ...fewer, graph: shareWeights(fewer.graph) };
  const used = channels / 2 >= 40;
  return {
    title: `convolution ${channels} to ${channels}, 3 x 3, ${size} x ${size}, batch 16, forward and input gradient`,
    forms: [
      form("direct", direct, x, !used),
      form("minimal filtering, matrices kept twice", fewer, x),
      form("minimal filtering, matrices kept once", shared, x, used),
    ],
  };
}

function lossForms(random, classes) {
  const n = 1024;
  const x = random([n, classes], "scores");
  const labels = { dtype: "int32", dims: [n], data: Int32Array.from({ length: n }, (_, i) => i % classes) };
  const b = new GraphBuilder();
  const z = b.input("x", "float32", ["N", classes]);
  const { graph, names } = attachLoss(b.build(), { scores: z, classes, kind: "cross-entropy", targeted: false });
  const { model: whole, gradients } = grad(modelOf(graph), { of: names.total, wrt: ["x"] });
  const cut = (slope) => ({ ...whole, graph: prune(whole.graph, [names.loss, slope]) });
  const feeds = { x, [names.labels]: labels };
  return {
    title: `cross-entropy and its slope, ${n} x ${classes}`,
    forms: [
      { name: "loss differentiated", model: cut(gradients.get("x")), feeds },
      { name: "slope in closed form", model: cut(names.slope), feeds, used: true },
    ],
  };
}

function normalization(random) {
  const x = random([512, 128], "norm");
  const ones = float32([128], new Float32Array(128).fill(1));
  const mean = (b, v) => b.op("ReduceMean", [v, b.indices([-1])], { keepdims: int(1) });
  const parts = model(x, (b, v) => {
    const centred = b.sub(v, mean(b, v));
    const variance = b.add(mean(b, b.mul(centred, centred)), b.scalar(1e-5));
    return b.mul(centred, b.op("Reciprocal", [b.op("Sqrt", [variance])]));
  });
  const whole = model(x, (b, v) => b.opN("LayerNormalization", [v, b.constant(ones)], 3, { axis: int(-1) })[0]);
  return {
    title: "normalized value inside the gradient of LayerNormalization, 512 x 128",
    forms: [form("from means", parts, x), form("LayerNormalization again", whole, x, true)],
  };
}

function gelu(random) {
  const x = random([512, 512], "gelu");
  const u = (b, v) => b.mul(v, b.scalar(Math.SQRT1_2));
  const old = model(x, (b, v) => {
    const cdf = b.mul(b.scalar(0.5), b.add(b.scalar(1), b.op("Erf", [u(b, v)])));
    const pdf = b.mul(b.scalar(1 / Math.sqrt(2 * Math.PI)), b.op("Exp", [b.mul(b.scalar(-0.5), b.mul(v, v))]));
    return b.add(cdf, b.mul(v, pdf));
  });
  const less = model(x, (b, v) => {
    const w = u(b, v);
    const cdf = b.op("HardSigmoid", [b.op("Erf", [w])], { alpha: float(0.5), beta: float(0.5) });
    return b.add(cdf, b.mul(v, b.op("Exp", [b.sub(b.scalar(-0.5 * Math.log(2 * Math.PI)), b.mul(w, w))])));
  });
  return {
    title: "derivative of Gelu, 512 x 512",
    forms: [form("as in the formula", old, x), form("two passes less", less, x, true)],
  };
}

function geluGradient(random) {
  const x = random([4, 128, 512], "gelu");
  const exported = model(x, (b, v) => {
    const one = b.add(b.op("Erf", [b.div(v, b.scalar(Math.SQRT2))]), b.scalar(1));
    return b.op("ReduceSumSquare", [b.mul(b.mul(v, one), b.scalar(0.5))], { keepdims: int(0) });
  });
  return {
    title: "Gelu in five operators and its gradient, 4 x 128 x 512",
    forms: [
      form("operator by operator", gradientOf(exported), x),
      form("Gelu found, the distribution function shared", gradientOf(exported, findGelu, geluByErf), x, true),
    ],
  };
}

function normalizedLinear(random) {
  const x = random([4, 128, 128], "norm");
  const [scale, bias, w] = [random([128], "ns"), random([128], "nb"), random([128, 128], "nw", 0.1)];
  const exported = model(x, (b, v) => {
    const n = b.op("LayerNormalization", [v, b.constant(scale), b.constant(bias)], { axis: int(-1) });
    const y = b.matmul(n, b.constant(w));
    return b.op("ReduceSumSquare", [y], { keepdims: int(0) });
  });
  const moved = (graph, dimsOf) => withMoments(normalizeToLinear(graph, dimsOf));
  return {
    title: "LayerNormalization, a linear layer and their input gradient, 4 x 128 x 128",
    forms: [
      form("normalized again", gradientOf(exported), x),
      form("mean and deviation as outputs", gradientOf(exported, withMoments), x),
      form("and scale, bias and mean inside the matrix", gradientOf(exported, moved, withoutMeans), x, true),
    ],
  };
}

function attention(random) {
  const x = random([4, 128, 128], "att");
  const weights = ["q", "k", "v"].map((label) => random([128, 128], label, 0.1));
  const exported = model(x, (b, v) => {
    const [q, k, w] = weights.map((weight, i) =>
      b.transpose(b.reshape(b.matmul(v, b.constant(weight)), [0, 128, 4, 32]), i === 1 ? [0, 2, 3, 1] : [0, 2, 1, 3]),
    );
    const scores = b.mul(b.matmul(q, k), b.scalar(1 / Math.sqrt(32)));
    const mixed = b.transpose(b.matmul(b.op("Softmax", [scores], { axis: int(-1) }), w), [0, 2, 1, 3]);
    return b.op("ReduceSumSquare", [b.reshape(mixed, [0, 128, 128])], { keepdims: int(0) });
  });
  const gathered = (graph, dimsOf) => mergeReshapes(gatherHeads(graph, dimsOf));
  const both = (graph, dimsOf) => gathered(narrowSums(graph, dimsOf), dimsOf);
  return {
    title: "attention of 4 heads of 32 over 128 positions and its input gradient, batch 4",
    forms: [
      form("transposed", gradientOf(exported), x),
      form("rows gathered", gradientOf(exported, undefined, gathered), x),
      form("and sums over the width of a head", gradientOf(exported, undefined, both), x, true),
    ],
  };
}

function spread(random) {
  const x = random([16, 64, 14, 14], "spread");
  const scales = (b) => b.constant(float32([4], [1, 1, 2, 2]));
  const resize = (more) => model(x, (b, v) => b.op("Resize", [v, "", scales(b)], { mode: string("nearest"), ...more }));
  return {
    title: "values repeated over windows of 2 x 2, 16 x 64 x 14 x 14",
    forms: [
      form(
        "Resize, asymmetric and floor",
        resize({ coordinate_transformation_mode: string("asymmetric"), nearest_mode: string("floor") }),
        x,
        true,
      ),
      form("Resize, default modes", resize({}), x),
      form(
        "Expand",
        model(x, (b, v) =>
          b.reshape(
            b.op("Expand", [b.reshape(v, [0, 64, 14, 1, 14, 1]), b.indices([1, 1, 1, 2, 1, 2])]),
            [0, 64, 28, 28],
          ),
        ),
        x,
      ),
    ],
  };
}

/** Examples that a chunked step is counted for. */
const PER = 1024;

/** A whole model's step in chunks of several sizes, for each example. */
function chunks(random, name, sizes, used) {
  const { model: file, shape, classes } = models[name]();
  const prepared = prepareModel(file, {});
  const { input, scores } = prepared;
  const request = { input, scores, classes, probabilities: false, loss: "cross-entropy", targeted: false };
  const made = gradientModel(inferTypes(prepared.model), request);
  return {
    title: `step of ${name}, for ${PER} examples`,
    forms: sizes.map((n) => ({
      name: `${n} at once`,
      model: made.model,
      feeds: {
        [input]: random([n, ...shape], "chunk"),
        [made.labels]: { dtype: "int32", dims: [n], data: new Int32Array(n) },
      },
      fetches: [made.loss, made.scores, made.gradient],
      per: n / PER,
      used: n === used,
    })),
  };
}

/** Two layers of LSTM step by step: where the products of a step stand. */
function recurrence(random) {
  const [steps, batch, width] = [32, 32, 128];
  const x = random([steps, batch, width], "steps");
  const weights = [0, 1].map((l) => [0, 1].map((k) => random([width, 4 * width], `lstm${l}${k}`, 0.1)));
  const split = (b, v, sizes, axis) => b.opN("Split", [v, b.indices(sizes)], sizes.length, { axis: int(axis) });
  const ones = Array.from({ length: steps }, () => 1);
  const of = (joint) => {
    const layer = (b, input, own) => {
      const [wx, wh] = own.map((w) => b.constant(w));
      const both = joint ? b.op("Concat", [wx, wh], { axis: int(0) }) : "";
      const zero = b.constant(float32([1, 1, width], new Float32Array(width)));
      let h = b.op("Expand", [zero, b.indices([1, batch, width])]);
      let c = h;
      const states = split(b, joint ? input : b.matmul(input, wx), ones, 0).map((x) => {
        const z = joint ? b.matmul(b.op("Concat", [x, h], { axis: int(2) }), both) : b.add(x, b.matmul(h, wh));
        const [gates, fresh] = split(b, z, [3 * width, width], 2);
        const [i, o, f] = split(b, b.op("Sigmoid", [gates]), [width, width, width], 2);
        c = b.add(b.mul(f, c), b.mul(i, b.op("Tanh", [fresh])));
        h = b.mul(o, b.op("Tanh", [c]));
        return h;
      });
      return b.op("Concat", states, { axis: int(0) });
    };
    const last = (b, y) => b.op("Gather", [y, b.constant(int64([], [steps - 1]))], { axis: int(0) });
    const network = (b, v) => weights.reduce((y, own) => layer(b, y, own), v);
    return gradientOf(model(x, (b, v) => last(b, network(b, v)), x.dims));
  };
  return {
    title: `input gradient of two LSTM layers of ${width} over ${steps} steps, batch ${batch}`,
    forms: [
      form("inputs of all steps in one product", of(false), x),
      form("input and state of a step in one product", of(true), x, true),
    ],
  };
}

/** The gradient of a table that is read, by the table. */
function table(random, rows) {
  const [positions, width] = [2048, 64];
  const dy = random([positions, width], "rows");
  const ids = Array.from({ length: positions }, (_, i) => (i * 7919) % rows);
  const summed = (b, v) => {
    const at = int64(
      [positions, width],
      ids.flatMap((id) => Array.from({ length: width }, () => id)),
    );
    const zeros = b.constant(float32([rows, width], new Float32Array(rows * width)));
    return b.op("ScatterElements", [zeros, b.constant(at), v], { axis: int(0), reduction: string("add") });
  };
  const product = (b, v) => {
    // As at run time: the positions are known then, and so they hang on dy here.
    const known = b.op(
      "Cast",
      [
        b.op("Squeeze", [
          b.op("Mul", [b.op("Slice", [v, b.indices([0]), b.indices([1]), b.indices([1])]), b.scalar(0)]),
          b.indices([1]),
        ]),
      ],
      { to: int(7) },
    );
    const read = b.add(known, b.constant(int64([positions], ids)));
    const hot = b.op("OneHot", [read, b.constant(int64([], [rows])), b.constant(float32([2], [0, 1]))], {
      axis: int(0),
    });
    return b.matmul(hot, v);
  };
  return {
    title: `gradient of a table of ${rows} rows of ${width} that ${positions} positions read`,
    forms: [
      form("rows added up", model(dy, summed, dy.dims), dy, rows > 128),
      form("product with who read which row", model(dy, product, dy.dims), dy, rows <= 128),
    ],
  };
}

/** [batch, channels out, channels in, kernel, stride, padding, size] of convolutions whose input gradient is wanted. */
const convolutions = [
  [32, 32, 1, 3, 1, 1, 28],
  [8, 64, 3, 3, 1, 1, 32],
  [8, 64, 16, 3, 1, 1, 55],
  [8, 256, 64, 3, 1, 1, 13],
  [32, 64, 32, 3, 1, 1, 28],
  [2, 64, 3, 3, 2, 0, 224],
  [8, 128, 64, 3, 2, 1, 32],
  [8, 128, 64, 1, 2, 0, 32],
];

export const cases = (random) => [
  ...convolutions.map((c) => inputGradient(random, c)),
  ...[
    [64, 32],
    [128, 16],
    [256, 8],
    [512, 4],
  ].map(([channels, size]) => filtering(random, channels, size)),
  mask(random),
  reluAndPool(random),
  spread(random),
  lossForms(random, 2),
  lossForms(random, 10),
  normalization(random),
  gelu(random),
  geluGradient(random),
  normalizedLinear(random),
  attention(random),
  recurrence(random),
  ...[64, 128, 256].map((rows) => table(random, rows)),
  chunks(random, "transformer", [1, 2, 4, 8, 16], 4),
  chunks(random, "resnet-18", [4, 8, 12, 16], 12),
  chunks(random, "mnist-cnn", [8, 16, 32, 64, 128], 64),
  chunks(random, "squeezenet", [1, 2, 4, 8], 2),
  chunks(random, "tabular", [128, 256, 512, 1024], 1024),
];
