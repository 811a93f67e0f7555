// Floating-point operations of a model's products (a multiplication and an addition each), counted from its graph, and
// the speed of one large product in ONNX Runtime: what they are compared with.
import { getInt, GraphBuilder, inferTypes } from "../../dist/ir/index.js";
import { ortEngine } from "../../dist/engine/index.js";
import { float32, sizeOf } from "../../dist/tensor/index.js";

/** Operations of a forward pass and of the gradient by the input, for `batch` examples. */
export function flopsOf(model, batch) {
  const typed = inferTypes({ ...model, graph: { ...model.graph, inputs: model.graph.inputs.map(fixed(batch)) } }).graph;
  const known = new Map([...typed.inputs, ...typed.outputs, ...typed.values.values()].map((v) => [v.name, v.dims]));
  for (const [name, value] of typed.constants) known.set(name, value.dims);
  const size = (name) => sizeOf(known.get(name).map((d) => (typeof d === "number" ? d : batch)));
  let forward = 0;
  let backward = 0;
  for (const { op, inputs, outputs, attributes } of typed.nodes) {
    const w = known.get(inputs[1]);
    let once = 0;
    if (op === "Conv") once = 2 * size(outputs[0]) * sizeOf(w.slice(1));
    if (op === "Gemm") once = 2 * size(outputs[0]) * w[getInt({ attributes }, "transB", 0) === 1 ? 1 : 0];
    if (op === "MatMul") once = 2 * size(outputs[0]) * w.at(-2);
    if (op === "LSTM") once = 2 * (size(outputs[0]) / known.get(inputs[2])[2]) * (size(inputs[1]) + size(inputs[2]));
    forward += once;
    // A product of two values that both depend on the input has two gradients.
    backward += once * (op === "MatMul" && !typed.constants.has(inputs[1]) ? 2 : 1);
  }
  return { forward, step: forward + backward };
}

const fixed = (batch) => (info) => ({ ...info, dims: [batch, ...info.dims.slice(1)] });

/** GFLOP/s of a product of two matrices of 1024 x 1024: the best of many. */
export async function gemmPeak(threads) {
  const n = 1024;
  const b = new GraphBuilder();
  const w = b.constant(float32([n, n], new Float32Array(n * n).fill(0.01)));
  b.output(b.matmul(b.input("x", "float32", [n, n]), w), "float32", [n, n], "y");
  const model = { irVersion: 8, opsets: { "": 18 }, producer: "", producerVersion: "", metadata: {}, graph: b.build() };
  const session = await ortEngine.load(model, { threads });
  let best = Infinity;
  for (let i = 0; i < 30; i++) {
    const start = performance.now();
    await session.run({ x: float32([n, n], new Float32Array(n * n).fill(0.5)) });
    best = Math.min(best, performance.now() - start);
  }
  await session.close();
  return (2 * n ** 3) / best / 1e6;
}
