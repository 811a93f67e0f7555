import { expect, it } from "vitest";
import { modelOf } from "../../../test/support/run-graph.ts";
import { referenceEngine } from "../../engine/reference.ts";
import { dimsIn, GraphBuilder, inferTypes, validate, type Dim, type Graph } from "../../ir/index.ts";
import { seeded } from "../../random/index.ts";
import { float32, sizeOf, type Tensor } from "../../tensor/index.ts";
import { prune } from "../prune.ts";
import { turnedProducts } from "./turned-products.ts";

const sizes: Record<string, readonly Dim[]> = {
  a: ["N", 3],
  w: [4, 3],
  v: [3, 5],
  q: [2, "N", 3],
  k: [2, 4, 3],
  s: ["N", "N"],
  u: [5, 2],
};
const N = 2;
const feeds = Object.fromEntries(
  Object.entries(sizes).map(([name, dims]) => {
    const own = dims.map((d) => (d === "N" ? N : (d as number)));
    const data = new Float32Array(sizeOf(own));
    seeded(6).child(name).fillNormal(data, 0, 1);
    return [name, float32(own, data) as Tensor];
  }),
);
type Make = (b: GraphBuilder, turn: (value: string, perm?: number[]) => string) => string | string[];

/** The outputs in the order given, under names of their own. */
function made(make: Make): Graph {
  const b = new GraphBuilder();
  for (const [name, dims] of Object.entries(sizes)) b.input(name, "float32", dims);
  const out = make(b, (value, perm = [1, 0]) => b.transpose(value, perm));
  for (const name of [out].flat()) b.output(name, "float32", null);
  return inferTypes(modelOf(b.build())).graph;
}
const ops = ({ nodes }: Graph): string => nodes.map(({ op }) => op).join();
const rewritten = (graph: Graph): Graph => prune(turnedProducts(graph, dimsIn(graph)));

async function run(graph: Graph): Promise<Record<string, Tensor>> {
  const session = await referenceEngine({ precision: "float64" }).load(modelOf(graph));
  const out = await session.run(feeds);
  await session.close();
  return out;
}

it.each<[string, string, Make]>([
  ["a product with a turned right factor", "Transpose,MatMul", (b, t) => t(b.matmul("a", t("w")))],
  ["a product with a turned left factor", "Transpose,MatMul", (b, t) => t(b.matmul(t("a"), "a"))],
  ["a product of two turned factors", "MatMul", (b, t) => t(b.matmul(t("v"), t("w")))],
  ["products of several matrices", "Transpose,MatMul", (b, t) => t(b.matmul("q", t("k", [0, 2, 1])), [0, 2, 1])],
  ["what is turned twice and read", "Relu", (b, t) => b.op("Relu", [t(t("a"))])],
  ["what is turned four times and read", "Relu", (b, t) => b.op("Relu", [t(t(t(t("a"))))])],
  ["what is turned three times and read", "Transpose,Relu", (b, t) => b.op("Relu", [t(t(t("a")))])],
  ["a product of such", "Transpose,MatMul", (b, t) => t(b.matmul(t(t("a")), t("w")))],
  [
    "the product of a turned product",
    "MatMul,MatMul,Transpose",
    (b, t) => t(b.matmul(t(b.matmul(t("v"), t("w"))), "u")),
  ],
  ["a product that is turned twice", "MatMul,Transpose", (b, t) => t(t(b.matmul(t("v"), t("w"))))],
  [
    "a turned product that is turned again and read",
    "MatMul,Transpose,Neg",
    (b, t) => b.neg(t(t(b.matmul(t("v"), t("w"))))),
  ],
])("%s: the same values, the same names", async (_, after, make) => {
  const before = made(make);
  const own = rewritten(before);
  const model = modelOf(own);
  expect(validate(model)).toBe(model); // whole, and in order
  expect(ops(own)).toBe(after);
  expect(own.outputs).toEqual(before.outputs);
  const [want, got] = [await run(before), await run(own)];
  expect(Object.keys(got)).toEqual(Object.keys(want));
  for (const [name, { dims, data }] of Object.entries(want)) {
    expect(got[name]!.dims).toEqual(dims);
    data.forEach((v, i) => expect(got[name]!.data[i]).toBeCloseTo(v as number, 12));
  }
});

it.each<[string, Make]>([
  [
    "with another reader",
    (b, t) => {
      const p = b.matmul("a", t("w"));
      return [t(p), b.neg(p)];
    },
  ],
  [
    "that is an output",
    (b, t) => {
      const p = b.matmul("a", t("w"));
      return [t(p), p];
    },
  ],
  ["whose factors lie as they are", (b, t) => t(b.matmul("a", "v"))],
  ["of factors of two ranks", (b, t) => t(b.matmul("q", t("w")), [0, 2, 1])],
  ["turned in another way", (b, t) => t(b.matmul("q", t("k", [0, 2, 1])), [1, 0, 2])],
  ["of a factor that is turned in another way", (b, t) => t(b.matmul("s", t("q", [2, 1, 0])), [0, 2, 1])],
])("leaves a product %s", (_, make) => {
  const before = made(make);
  expect(rewritten(before).nodes).toEqual(before.nodes);
});
