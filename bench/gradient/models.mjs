// The models of the comparison as ONNX graphs with random weights (speed does not depend on their values).
// The same architectures stand in peer_torch.py. Convolutions have a bias and no batch normalization on both sides: an
// exported model has it folded away.
import { GraphBuilder, float, int, ints } from "../../dist/ir/index.js";
import { seeded } from "../../dist/random/index.js";
import { float32, sizeOf } from "../../dist/tensor/index.js";

const rng = seeded(0).child("bench");

function weight(b, dims, label, scale = 1) {
  const data = new Float32Array(sizeOf(dims));
  rng.child(label).fillNormal(data, 0, scale / Math.sqrt(sizeOf(dims.slice(1)) || 1));
  return b.constant(float32(dims, data), label);
}
const dense = (b, x, i, o, label) =>
  b.op("Gemm", [x, weight(b, [o, i], `${label}.w`), weight(b, [o], `${label}.b`)], { transB: int(1) });
const relu = (b, x) => b.op("Relu", [x]);
const conv = (b, x, i, o, label, k = 3, stride = 1, pad = (k - 1) / 2) =>
  b.op("Conv", [x, weight(b, [o, i, k, k], `${label}.w`), weight(b, [o], `${label}.b`)], {
    kernel_shape: ints([k, k]),
    strides: ints([stride, stride]),
    pads: ints([pad, pad, pad, pad]),
  });
const flatten = (b, x) => b.op("Flatten", [x], { axis: int(1) });
const globalPool = (b, x) => flatten(b, b.op("GlobalAveragePool", [x]));

function finish(b, logits, classes) {
  b.output(logits, "float32", ["N", classes], "logits");
  return { irVersion: 8, opsets: { "": 18 }, producer: "bench", producerVersion: "", metadata: {}, graph: b.build() };
}

function build(shape, batch, classes, make) {
  const b = new GraphBuilder();
  const x = b.input("x", "float32", ["N", ...shape]);
  return { model: finish(b, make(b, x), classes), batch, shape, classes };
}

const tabular = () =>
  build([30], 1024, 2, (b, x) => {
    const hidden = relu(b, dense(b, relu(b, dense(b, x, 30, 64, "a")), 64, 64, "b"));
    return dense(b, hidden, 64, 2, "c");
  });

const mnistCnn = () =>
  build([1, 28, 28], 128, 10, (b, input) => {
    let x = relu(b, conv(b, input, 1, 32, "c1"));
    x = relu(b, conv(b, x, 32, 64, "c2"));
    x = b.op("MaxPool", [x], { kernel_shape: ints([2, 2]), strides: ints([2, 2]) });
    x = relu(b, dense(b, flatten(b, x), 64 * 14 * 14, 128, "d1"));
    return dense(b, x, 128, 10, "d2");
  });

function block(b, x, i, o, stride, label) {
  const inner = conv(b, relu(b, conv(b, x, i, o, `${label}.a`, 3, stride)), o, o, `${label}.b`);
  const short = stride !== 1 || i !== o ? conv(b, x, i, o, `${label}.s`, 1, stride) : x;
  return relu(b, b.add(inner, short));
}

/** ResNet-2B of VNN-COMP 2021, layer by layer. */
const resnet2b = () =>
  build([3, 32, 32], 100, 10, (b, input) => {
    let x = relu(b, conv(b, input, 3, 8, "stem", 3, 2));
    x = block(b, x, 8, 16, 2, "b1");
    x = block(b, x, 16, 16, 1, "b2");
    return dense(b, relu(b, dense(b, flatten(b, x), 1024, 100, "d1")), 100, 10, "d2");
  });

/** ResNet-18 with the stem for 32 x 32 images. */
const resnet18 = () =>
  build([3, 32, 32], 32, 10, (b, input) => {
    let x = relu(b, conv(b, input, 3, 64, "stem"));
    let from = 64;
    for (const [i, to] of [64, 128, 256, 512].entries()) {
      x = block(b, x, from, to, i === 0 ? 1 : 2, `s${i}.0`);
      x = block(b, x, to, to, 1, `s${i}.1`);
      from = to;
    }
    return dense(b, globalPool(b, x), 512, 10, "head");
  });

function fire(b, x, i, squeeze, expand, label) {
  const s = relu(b, conv(b, x, i, squeeze, `${label}.s`, 1));
  const parts = [1, 3].map((k) => relu(b, conv(b, s, squeeze, expand, `${label}.e${k}`, k)));
  return b.op("Concat", parts, { axis: int(1) });
}

/** SqueezeNet 1.1. */
const squeezenet = () =>
  build([3, 224, 224], 8, 1000, (b, input) => {
    const pool = (x) => b.op("MaxPool", [x], { kernel_shape: ints([3, 3]), strides: ints([2, 2]), ceil_mode: int(1) });
    let x = pool(relu(b, conv(b, input, 3, 64, "stem", 3, 2, 0)));
    x = fire(b, fire(b, x, 64, 16, 64, "f1"), 128, 16, 64, "f2");
    x = fire(b, fire(b, pool(x), 128, 32, 128, "f3"), 256, 32, 128, "f4");
    x = fire(b, fire(b, pool(x), 256, 48, 192, "f5"), 384, 48, 192, "f6");
    x = fire(b, fire(b, x, 384, 64, 256, "f7"), 512, 64, 256, "f8");
    return globalPool(b, relu(b, conv(b, x, 512, 1000, "head", 1)));
  });

/** Two LSTM layers of 128 over 64 one-hot characters of an alphabet of 65 (the defaults of char-rnn); the next one. */
const charLstm = () =>
  build([64, 65], 32, 65, (b, input) => {
    let x = b.transpose(input, [1, 0, 2]);
    for (const [i, width] of [65, 128].entries()) {
      const name = `l${i}`;
      const [y] = b.opN(
        "LSTM",
        [
          x,
          weight(b, [1, 512, width], `${name}.w`, Math.sqrt(512)),
          weight(b, [1, 512, 128], `${name}.r`, Math.sqrt(512)),
          weight(b, [1, 1024], `${name}.b`),
        ],
        1,
        { hidden_size: int(128) },
      );
      x = b.squeeze(y, [1]);
    }
    const last = b.op("Gather", [x, b.constant({ dtype: "int64", dims: [], data: BigInt64Array.of(63n) })], {
      axis: int(0),
    });
    return dense(b, last, 128, 65, "head");
  });

/** Four pre-norm encoder layers in the primitive form that exporters write, on 128 embeddings of 128. */
const transformer = () =>
  build([128, 128], 16, 2, (b, input) => {
    const linear = (x, i, o, label) =>
      b.add(b.matmul(x, weight(b, [i, o], `${label}.w`)), weight(b, [o], `${label}.b`));
    const norm = (x, label) => {
      const ones = b.constant(float32([128], new Float32Array(128).fill(1)), `${label}.s`);
      return b.op("LayerNormalization", [x, ones, weight(b, [128], `${label}.b`)], {
        axis: int(-1),
        epsilon: float(1e-5),
      });
    };
    const heads = (x, perm) => b.transpose(b.reshape(x, [0, 128, 4, 32]), perm);
    let x = input;
    for (let i = 0; i < 4; i++) {
      const h = norm(x, `n${i}.a`);
      const q = heads(linear(h, 128, 128, `q${i}`), [0, 2, 1, 3]);
      const k = heads(linear(h, 128, 128, `k${i}`), [0, 2, 3, 1]);
      const v = heads(linear(h, 128, 128, `v${i}`), [0, 2, 1, 3]);
      const attention = b.op("Softmax", [b.mul(b.matmul(q, k), b.scalar(1 / Math.sqrt(32)))], { axis: int(-1) });
      const mixed = b.reshape(b.transpose(b.matmul(attention, v), [0, 2, 1, 3]), [0, 128, 128]);
      x = b.add(x, linear(mixed, 128, 128, `o${i}`));
      const up = linear(norm(x, `n${i}.b`), 128, 512, `u${i}`);
      const gelu = b.mul(b.mul(up, b.add(b.op("Erf", [b.div(up, b.scalar(Math.SQRT2))]), b.scalar(1))), b.scalar(0.5));
      x = b.add(x, linear(gelu, 512, 128, `w${i}`));
    }
    const pooled = b.op("ReduceMean", [norm(x, "final"), b.indices([1])], { keepdims: int(0) });
    return dense(b, pooled, 128, 2, "head");
  });

export const models = {
  tabular,
  "mnist-cnn": mnistCnn,
  "resnet-2b": resnet2b,
  "resnet-18": resnet18,
  squeezenet,
  "char-lstm": charLstm,
  transformer,
};
