import { expect, it } from "vitest";
import { modelOf, runGraph } from "../../../test/support/run-graph.ts";
import { grad } from "../../grad/index.ts";
import { dimsIn, GraphBuilder, inferTypes, int, ints, validate, type Graph } from "../../ir/index.ts";
import { seeded } from "../../random/index.ts";
import { float32, sizeOf, type Tensor } from "../../tensor/index.ts";
import { namesRead } from "../uses.ts";
import { withMoments } from "./normalize-to-linear.ts";
import { remake } from "./remake.ts";

const [N, C, SIZE] = [3, 4, 5];
const image = [C, SIZE, SIZE];
const noise = (label: string, dims: readonly number[]): Tensor<"float32"> => {
  const data = new Float32Array(sizeOf(dims));
  seeded(8).child(label).fillNormal(data, 0, 1);
  return float32(dims, data);
};
const feeds = {
  x: noise("x", [N, ...image]),
  scale: noise("scale", [C, 1, 1]),
  shift: noise("shift", [C, 1, 1]),
  w: noise("w", [C, C, 3, 3]),
  seed_y: noise("seed", [N, ...image]),
};

interface Made {
  readonly graph: Graph;
  readonly first: number;
}
/** The gradient of a convolution of relu, of what `make` gives; the backward pass begins behind y. */
function gradient(
  make: (b: GraphBuilder) => string,
  wrt = ["x", "scale", "shift"],
  end: (b: GraphBuilder, conv: string, made: string) => string = (_, conv) => conv,
  activation = "Relu",
): Made {
  const b = new GraphBuilder();
  b.input("x", "float32", ["N", ...image]);
  for (const name of ["scale", "shift", "w"] as const) b.input(name, "float32", feeds[name].dims);
  const made = make(b);
  const relu = b.op(activation, [made], {}, "relu");
  const conv = b.op("Conv", [relu, "w"], { pads: ints([1, 1, 1, 1]) }, "conv");
  b.output(end(b, conv, made), "float32", null, "y");
  const { graph } = inferTypes(grad(modelOf(withMoments(b.build())), { of: "y", wrt, seeds: "inputs" }).model);
  return { graph, first: graph.nodes.findIndex((node) => node.outputs.includes("y")) + 1 };
}
const withOutput = ({ graph, first }: Made, name: string): Made => {
  const b = new GraphBuilder(graph);
  b.output(name, "float32", null);
  return { graph: b.build(), first };
};
/** Normalized over groups of two channels, in their shape again. */
function normalized(b: GraphBuilder): string {
  if (b.build().nodes.some(({ name }) => name === "normalized")) return "normalized";
  const rows = b.reshape("x", [0, 2, -1]);
  const ones = b.ones([(C / 2) * SIZE * SIZE]);
  const made = b.op("LayerNormalization", [rows, ones], { axis: int(-1) });
  return b.op("Reshape", [made, b.indices([0, ...image])], {}, "normalized");
}
const affine = (b: GraphBuilder): string => b.add("shift", b.mul(normalized(b), "scale"));
const after = ({ graph, first }: Made): Graph => remake(graph, first, dimsIn(graph));
/** What the backward pass reads of the forward pass. */
function kept({ nodes }: Graph, first: number): Set<string> {
  const forward = new Set(nodes.slice(0, first).flatMap(({ outputs }) => outputs));
  return new Set(nodes.slice(first).flatMap((node) => namesRead(node).filter((name) => forward.has(name))));
}

it.each<[string, string, Made]>([
  ["what is scaled and shifted", "Flatten,Reshape,Mul,Add,HardSigmoid", gradient(affine)],
  [
    "quotients (which are kept) and differences",
    "Flatten,Reshape,Sub,HardSigmoid",
    gradient((b) => b.sub(b.div(normalized(b), "scale"), "shift")),
  ],
  [
    "rows, brought to their shape on the way",
    "Flatten,Reshape,Reshape,Mul,Identity,Add,HardSigmoid",
    gradient((b) => b.add(b.op("Identity", [b.mul(normalized(b), b.constant(feeds.scale))]), "shift"), ["x"]),
  ],
  ["what the graph is given", "Flatten,Reshape,Add,HardSigmoid", gradient((b) => b.add("x", "shift"), ["x", "shift"])],
])("makes masks again of %s: the same gradients, and the layer is kept no more", async (_, ops, made) => {
  const graph = after(made);
  const before = kept(made.graph, made.first);
  expect(before.delete("relu")).toBe(true);
  expect(kept(graph, made.first)).toEqual(before);
  expect(
    graph.nodes
      .slice(made.first)
      .map(({ op }) => op)
      .join(),
  ).toMatch(new RegExp(`^${ops},`));
  expect(graph.nodes.slice(0, made.first)).toEqual(made.graph.nodes.slice(0, made.first));
  const model = modelOf(graph);
  expect(validate(model)).toBe(model); // whole, and in order
  const want = await runGraph(made.graph, feeds);
  expect(await runGraph(graph, feeds)).toEqual(want);
  for (const { data } of Object.values(want)) expect(data.some((v) => Math.abs(v) > 0.01)).toBe(true);
});

it.each<[string, Made]>([
  ["that the gradient of a weight reads too", gradient(affine, ["x", "scale", "shift", "w"])],
  ["that is an output", withOutput(gradient(affine), "relu")],
  ["of a convolution", gradient((b) => b.add(b.op("Conv", ["x", "w"], { pads: ints([1, 1, 1, 1]) }), "shift"), ["x"])],
  ["of a sum of two layers", gradient((b) => b.add("x", b.mul(normalized(b), "scale")))],
  [
    "of what costs more than a pass",
    gradient((b) => b.add(b.op("PRelu", [b.mul(normalized(b), "scale"), "shift"]), "shift"), ["x", "scale"]),
  ],
  ["of what is kept itself", gradient(affine, undefined, (b, conv, made) => b.add(conv, b.mul(made, made)))],
  [
    "that one node reads, which is no mask",
    gradient(
      (b) => b.mul(normalized(b), "scale"),
      ["w", "shift"],
      (b, conv) => b.add(conv, b.mul(normalized(b), "shift")),
    ),
  ],
  [
    "of another kind",
    gradient((b) => b.add(b.mul(normalized(b), "scale"), "shift"), undefined, undefined, "LeakyRelu"),
  ],
])("leaves the output of a ReLU %s", (_, made) => {
  expect(after(made)).toBe(made.graph);
});
