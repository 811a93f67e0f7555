// The models of the comparison with random weights, and which of their constants are trained.
// The same architectures stand in peer_torch.py.
import { characterVocabulary } from "../../dist/data/index.js";
import { GraphBuilder, int, ints } from "../../dist/ir/index.js";
import { seeded } from "../../dist/random/index.js";
import { buildLanguageModel } from "../../dist/train/language-model/index.js";
import { Weights } from "../../dist/train/weights.js";
import { float32, int64, sizeOf } from "../../dist/tensor/index.js";

const rng = seeded(0).child("bench");
const VOCABULARY = 65;

/** The layers that the models below are made of, in a graph of their own. */
function start(shape) {
  const b = new GraphBuilder();
  const weights = new Weights(b, rng);
  const weight = (dims, label, fanIn = sizeOf(dims.slice(1)) || 1) =>
    weights.add(label, dims, { normal: 1 / Math.sqrt(fanIn) });
  const filled = (dims, label, value) => weights.add(label, dims, { all: value });
  const x = b.input("x", "float32", ["N", ...shape]);
  const dense = (v, i, o, label) => b.op("Gemm", [v, weight([i, o], `${label}.w`, i), filled([o], `${label}.b`, 0)]);
  const relu = (v) => b.op("Relu", [v]);
  const conv = (v, i, o, label, { kernel = 3, stride = 1, bias = true } = {}) => {
    const pad = (kernel - 1) / 2;
    const w = weight([o, i, kernel, kernel], `${label}.w`);
    return b.op("Conv", bias ? [v, w, filled([o], `${label}.b`, 0)] : [v, w], {
      kernel_shape: ints([kernel, kernel]),
      pads: ints([pad, pad, pad, pad]),
      strides: ints([stride, stride]),
    });
  };
  const groupNorm = (v, channels, groups, label) =>
    b.op("GroupNormalization", [v, filled([channels], `${label}.s`, 1), filled([channels], `${label}.b`, 0)], {
      num_groups: int(groups),
    });
  const finish = (logits, out, batch) => {
    b.output(logits, "float32", ["N", ...out], "logits");
    const graph = b.build();
    const model = {
      irVersion: 10,
      opsets: { "": 21 },
      producer: "bench",
      producerVersion: "",
      metadata: {},
      graph: { ...graph, constants: new Map([...graph.constants, ...weights.constants]) },
    };
    const trainable = { model, parameters: [...weights.constants.keys()], frozen: [], features: logits };
    return { trainable, batch, shape, dtype: "float32", classes: out.at(-1), loss: "cross-entropy" };
  };
  return { b, x, dense, relu, conv, groupNorm, finish };
}

function tabular() {
  const { x, dense, relu, finish } = start([30]);
  return finish(dense(relu(dense(relu(dense(x, 30, 64, "a")), 64, 64, "b")), 64, 2, "c"), [2], 1024);
}

/** The same functions as conv, relu, conv, relu, pool: ReLU behind the pooling gives the same values on a quarter. */
function mnistCnn() {
  const { b, x, dense, relu, conv, finish } = start([1, 28, 28]);
  const wide = conv(relu(conv(x, 1, 32, "c1")), 32, 64, "c2");
  const pooled = relu(b.op("MaxPool", [wide], { kernel_shape: ints([2, 2]), strides: ints([2, 2]) }));
  const flat = b.op("Flatten", [pooled], { axis: int(1) });
  return finish(dense(relu(dense(flat, 64 * 14 * 14, 128, "d1")), 128, 10, "d2"), [10], 128);
}

/** ResNet-18 for images of 32 x 32 (He et al. 2016 with a first convolution of 3 x 3), GroupNorm of 16 groups. */
function resnet18() {
  const { b, x, dense, relu, conv, groupNorm, finish } = start([3, 32, 32]);
  const norm = (v, i, o, label, options) =>
    groupNorm(conv(v, i, o, label, { ...options, bias: false }), o, 16, `${label}.n`);
  let v = relu(norm(x, 3, 64, "stem"));
  let from = 64;
  [64, 128, 256, 512].forEach((to, stage) => {
    for (let block = 0; block < 2; block++) {
      const label = `s${stage}b${block}`;
      const stride = stage > 0 && block === 0 ? 2 : 1;
      const inner = norm(relu(norm(v, from, to, `${label}.1`, { stride })), to, to, `${label}.2`);
      const skip = from === to ? v : norm(v, from, to, `${label}.s`, { stride, kernel: 1 });
      v = relu(b.add(inner, skip));
      from = to;
    }
  });
  const pooled = b.op("Flatten", [b.op("GlobalAveragePool", [v])], { axis: int(1) });
  return finish(dense(pooled, 512, 10, "fc"), [10], 32);
}

const text = { dtype: "int64", classes: VOCABULARY, loss: "next-token" };
const vocabulary = characterVocabulary(Array.from({ length: VOCABULARY }, (_, i) => String.fromCharCode(33 + i)));

/** Embedding 64, one LSTM layer of 128, T = 64. */
function charLstm() {
  const spec = { vocabulary, context: 64, width: 128, layers: 1, heads: 1, embedding: 64, tied: false, rng };
  return { ...text, trainable: buildLanguageModel("char-lstm", spec), batch: 32, shape: [64] };
}

/** Pre-norm decoder: 4 layers, width 128, 4 heads, MLP 512 with GELU, T = 128, learned positions. */
function transformer() {
  const spec = { vocabulary, context: 128, width: 128, layers: 4, heads: 4, embedding: 0, tied: false, rng };
  return { ...text, trainable: buildLanguageModel("gpt", spec), batch: 16, shape: [128] };
}

export const models = {
  tabular,
  "mnist-cnn": mnistCnn,
  "resnet18-gn": resnet18,
  "char-lstm": charLstm,
  transformer,
};

/** Random inputs and targets of a model. */
export function dataOf({ batch, shape, dtype, classes, loss }) {
  const own = rng.child("data");
  const count = batch * sizeOf(shape);
  if (dtype === "int64") {
    const ids = () =>
      int64(
        [batch, ...shape],
        Array.from({ length: count }, () => own.int(VOCABULARY)),
      );
    return { features: ids(), targets: ids(), loss };
  }
  const x = new Float32Array(count);
  own.fillUniform(x, 0, 1);
  const targets = float32([batch, classes]);
  for (let i = 0; i < batch; i++) targets.data[i * classes + own.int(classes)] = 1;
  return { features: float32([batch, ...shape], x), targets, loss };
}
