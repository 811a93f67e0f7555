// The models of the comparison with random weights, and which of their constants are trained.
// The same architectures stand in peer_torch.py.
import { GraphBuilder, int, ints } from "../../dist/ir/index.js";
import { seeded } from "../../dist/random/index.js";
import { float32, sizeOf } from "../../dist/tensor/index.js";

const rng = seeded(0).child("bench");

/** A builder that remembers its weights. */
function start(shape) {
  const b = new GraphBuilder();
  const parameters = [];
  const weight = (dims, label) => {
    const data = new Float32Array(sizeOf(dims));
    rng.child(label).fillNormal(data, 0, 1 / Math.sqrt(sizeOf(dims.slice(1)) || 1));
    parameters.push(b.constant(float32(dims, data), label));
    return parameters.at(-1);
  };
  const x = b.input("x", "float32", ["N", ...shape]);
  const dense = (v, i, o, label) => b.op("Gemm", [v, weight([i, o], `${label}.w`), weight([o], `${label}.b`)]);
  const relu = (v) => b.op("Relu", [v]);
  const conv = (v, i, o, label) =>
    b.op("Conv", [v, weight([o, i, 3, 3], `${label}.w`), weight([o], `${label}.b`)], {
      kernel_shape: ints([3, 3]),
      pads: ints([1, 1, 1, 1]),
    });
  const finish = (logits, classes, batch) => {
    b.output(logits, "float32", ["N", classes], "logits");
    const model = {
      irVersion: 8,
      opsets: { "": 18 },
      producer: "bench",
      producerVersion: "",
      metadata: {},
      graph: b.build(),
    };
    return { trainable: { model, parameters, frozen: [], features: logits }, batch, shape, classes };
  };
  return { b, x, dense, relu, conv, finish };
}

function tabular() {
  const { x, dense, relu, finish } = start([30]);
  return finish(dense(relu(dense(relu(dense(x, 30, 64, "a")), 64, 64, "b")), 64, 2, "c"), 2, 1024);
}

/** The same functions as conv, relu, conv, relu, pool: ReLU behind the pooling gives the same values on a quarter. */
function mnistCnn() {
  const { b, x, dense, relu, conv, finish } = start([1, 28, 28]);
  const wide = conv(relu(conv(x, 1, 32, "c1")), 32, 64, "c2");
  const pooled = relu(b.op("MaxPool", [wide], { kernel_shape: ints([2, 2]), strides: ints([2, 2]) }));
  const flat = b.op("Flatten", [pooled], { axis: int(1) });
  return finish(dense(relu(dense(flat, 64 * 14 * 14, 128, "d1")), 128, 10, "d2"), 10, 128);
}

export const models = { tabular, "mnist-cnn": mnistCnn };
