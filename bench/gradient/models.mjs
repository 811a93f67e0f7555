// The three models of the comparison as ONNX graphs with random weights (speed does not depend on their values).
// The same architectures stand in peer_torch.py.
import { GraphBuilder, int, ints } from "../../dist/ir/index.js";
import { seeded } from "../../dist/random/index.js";
import { float32, sizeOf } from "../../dist/tensor/index.js";

const rng = seeded(0).child("bench");

function weight(b, dims, label) {
  const data = new Float32Array(sizeOf(dims));
  rng.child(label).fillNormal(data, 0, 1 / Math.sqrt(sizeOf(dims.slice(1)) || 1));
  return b.constant(float32(dims, data), label);
}
const dense = (b, x, i, o, label) =>
  b.op("Gemm", [x, weight(b, [o, i], `${label}.w`), weight(b, [o], `${label}.b`)], { transB: int(1) });
const relu = (b, x) => b.op("Relu", [x]);
const conv = (b, x, i, o, label, k = 3, stride = 1) =>
  b.op("Conv", [x, weight(b, [o, i, k, k], `${label}.w`), weight(b, [o], `${label}.b`)], {
    kernel_shape: ints([k, k]),
    strides: ints([stride, stride]),
    pads: ints(Array(4).fill((k - 1) / 2)),
  });

function finish(b, logits, classes) {
  b.output(logits, "float32", ["N", classes], "logits");
  return { irVersion: 8, opsets: { "": 18 }, producer: "bench", producerVersion: "", metadata: {}, graph: b.build() };
}

function tabular() {
  const b = new GraphBuilder();
  let x = b.input("x", "float32", ["N", 30]);
  x = relu(b, dense(b, x, 30, 64, "a"));
  x = relu(b, dense(b, x, 64, 64, "b"));
  return { model: finish(b, dense(b, x, 64, 2, "c"), 2), batch: 1024, shape: [30], classes: 2 };
}

function mnistCnn() {
  const b = new GraphBuilder();
  let x = b.input("x", "float32", ["N", 1, 28, 28]);
  x = relu(b, conv(b, x, 1, 32, "c1"));
  x = relu(b, conv(b, x, 32, 64, "c2"));
  x = b.op("MaxPool", [x], { kernel_shape: ints([2, 2]), strides: ints([2, 2]) });
  x = b.op("Flatten", [x], { axis: int(1) });
  x = relu(b, dense(b, x, 64 * 14 * 14, 128, "d1"));
  return { model: finish(b, dense(b, x, 128, 10, "d2"), 10), batch: 128, shape: [1, 28, 28], classes: 10 };
}

function block(b, x, i, o, stride, label) {
  const inner = conv(b, relu(b, conv(b, x, i, o, `${label}.a`, 3, stride)), o, o, `${label}.b`);
  const short = stride !== 1 || i !== o ? conv(b, x, i, o, `${label}.s`, 1, stride) : x;
  return relu(b, b.add(inner, short));
}

function cifarResnet() {
  const b = new GraphBuilder();
  let x = b.input("x", "float32", ["N", 3, 32, 32]);
  x = relu(b, conv(b, x, 3, 16, "stem"));
  x = block(b, x, 16, 16, 1, "b1");
  x = block(b, x, 16, 32, 2, "b2");
  x = block(b, x, 32, 64, 2, "b3");
  x = b.op("Flatten", [b.op("GlobalAveragePool", [x])], { axis: int(1) });
  return { model: finish(b, dense(b, x, 64, 10, "head"), 10), batch: 32, shape: [3, 32, 32], classes: 10 };
}

export const models = { tabular, "mnist-cnn": mnistCnn, "cifar-resnet": cifarResnet };
