// The gradient of an ONNX graph is another ONNX graph: it can be saved, run anywhere, and differentiated again.
import { float32, grad, GraphBuilder, ortEngine, printModel, type Model, type Tensor } from "marauder-ml";

// y = tanh(w x), element by element.
const b = new GraphBuilder();
const x = b.input("x", "float32", [3]);
const w = b.constant(float32([3], [0.5, 1, 2]), "w");
b.output(b.op("Tanh", [b.op("Mul", [x, w])]), "float32", [3], "y");
const model: Model = {
  irVersion: 9,
  opsets: { "": 18 },
  graph: b.build(),
  producer: "example",
  producerVersion: "",
  metadata: {},
};

const first = grad(model, { of: "y", wrt: ["x"] });
const dx = first.gradients.get("x")!;
const second = grad(first.model, { of: dx, wrt: ["x"] });
const ddx = second.gradients.get("x")!;
console.log(printModel(first.model));

const session = await ortEngine.load(second.model, { threads: 1 });
const answer = await session.run({ x: float32([3], [0.1, -0.4, 0.8]) }, [dx, ddx]);
const text = (t: Tensor): string => [...(t.data as Float32Array)].map((v) => v.toFixed(4)).join("  ");
const by = (f: (x: number, w: number) => number): string =>
  [0.1, -0.4, 0.8].map((v, i) => f(v, [0.5, 1, 2][i]!).toFixed(4)).join("  ");
console.log("dy/dx    ", text(answer[dx]!));
console.log(
  "by hand  ",
  by((v, k) => k * (1 - Math.tanh(k * v) ** 2)),
);
console.log("d2y/dx2  ", text(answer[ddx]!));
console.log(
  "by hand  ",
  by((v, k) => -2 * k * k * Math.tanh(k * v) * (1 - Math.tanh(k * v) ** 2)),
);
await session.close();
