import { expect, test } from "vitest";
import { modelOf, runGraph } from "../../../test/support/run-graph.ts";
import { grad } from "../../grad/index.ts";
import { GraphBuilder, inferTypes, type Graph } from "../../ir/index.ts";
import { seeded } from "../../random/index.ts";
import { float32, int64, type Tensor } from "../../tensor/index.ts";
import { tableProducts } from "./table-products.ts";

const noise = (label: string, dims: number[]): Tensor<"float32"> => {
  const data = new Float32Array(dims.reduce((p, d) => p * d, 1));
  seeded(3).child(label).fillNormal(data, 0, 1);
  return float32(dims, data);
};
const feeds = {
  ids: int64([2, 3], [0, 4, 4, 1, 0, 3]),
  e: noise("e", [5, 4]),
  w: noise("w", [4, 6]),
  bias: noise("b", [6]),
};

function lookedUp(rows: number, finish: (b: GraphBuilder, x: string) => string): Graph {
  const b = new GraphBuilder();
  b.input("ids", "int64", ["N", "T"]);
  b.input("e", "float32", [rows, 4]);
  b.input("w", "float32", [4, 6]);
  b.input("bias", "float32", [6]);
  b.output(finish(b, b.op("Gather", ["e", "ids"], {}, "x")), "float32", null, "y");
  return b.build();
}
const rewritten = (graph: Graph): Graph => {
  const typed = inferTypes(modelOf(graph)).graph;
  const types = new Map([...typed.values, ...typed.inputs.map((v) => [v.name, v] as const)]);
  return tableProducts(typed, (name) => types.get(name)?.dims ?? null);
};
const ops = (graph: Graph): string => graph.nodes.map((node) => node.op).join();

test.each<[string, string, (b: GraphBuilder, x: string) => string]>([
  ["a product", "MatMul,Gather,Exp,Identity", (b, x) => b.op("Exp", [b.matmul(x, "w")])],
  [
    "a product and its bias",
    "MatMul,Add,Gather,Exp,Identity",
    (b, x) => b.op("Exp", [b.add("bias", b.matmul(x, "w"))]),
  ],
])("%s of looked-up rows: the same values and gradients", async (_name, made, finish) => {
  const before = lookedUp(5, finish);
  const after = rewritten(before);
  expect(ops(after)).toBe(made);
  const [one, other] = await Promise.all(
    [before, after].map((graph) =>
      runGraph(grad(modelOf(graph), { of: "y", wrt: ["e", "w", "bias"] }).model.graph, feeds),
    ),
  );
  expect(Object.keys(one!)).toEqual(["y", "grad_e", "grad_w", "grad_bias"]);
  for (const [name, { dims, data }] of Object.entries(one!)) {
    expect(other![name]!.dims).toEqual(dims);
    const scale = Math.max(1, ...data.map(Math.abs));
    data.forEach((v, i) => expect(Math.abs(other![name]!.data[i]! - v)).toBeLessThan(1e-5 * scale));
  }
});

test("rows that something else reads, and a table with many rows, are looked up first", () => {
  const twice = lookedUp(5, (b, x) => b.add(b.matmul(x, "w"), b.matmul(b.op("Exp", [x]), "w")));
  expect(ops(rewritten(twice))).toBe(ops(twice));
  const large = lookedUp(9, (b, x) => b.matmul(x, "w"));
  expect(ops(rewritten(large))).toBe(ops(large));
});
