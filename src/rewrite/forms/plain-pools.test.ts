import { describe, expect, it } from "vitest";
import { modelOf, runGraph } from "../../../test/support/run-graph.ts";
import {
  dimsIn,
  GraphBuilder,
  inferTypes,
  int,
  ints,
  string,
  type Attribute,
  type Dim,
  type Graph,
} from "../../ir/index.ts";
import { seeded } from "../../random/index.ts";
import { float32, sizeOf } from "../../tensor/index.ts";
import { plainPools } from "./plain-pools.ts";

type Attributes = Record<string, Attribute>;
const square = (k: number, stride = k): Attributes => ({ kernel_shape: ints([k, k]), strides: ints([stride, stride]) });

function pooled(op: string, dims: readonly Dim[], attributes: Attributes, outputs = 1): Graph {
  const b = new GraphBuilder();
  const made = b.opN(op, [b.input("x", "float32", dims)], outputs, attributes, "pooled");
  b.output(b.op("Neg", [made[0]!], {}, "y"), "float32", null);
  b.output(made[0]!, "float32", null);
  if (outputs > 1) b.output(made[1]!, "int64", null);
  return inferTypes(modelOf(b.build())).graph;
}
const rewritten = (graph: Graph): Graph => plainPools(graph, dimsIn(graph));
const ops = ({ nodes }: Graph): string => nodes.map(({ op }) => op).join();

const MAX = "Reshape,MaxPool,Reshape,Neg";
const MEAN = "Reshape,MatMul,Reshape,Neg";
describe("poolings of values as they are", () => {
  it.each<[string, string, string, number[], Attributes]>([
    ["MaxPool that tiles", MAX, "MaxPool", [2, 3, 4, 6], square(2)],
    ["MaxPool without strides", MAX, "MaxPool", [2, 3, 4, 5], { kernel_shape: ints([3, 2]) }],
    ["MaxPool, strides and pads", MAX, "MaxPool", [2, 3, 7, 8], { ...square(3, 2), pads: ints([1, 0, 1, 2]) }],
    ["MaxPool, the last window cut", MAX, "MaxPool", [1, 2, 5, 6], { ...square(3, 2), ceil_mode: int(1) }],
    ["MaxPool, dilations", MAX, "MaxPool", [2, 3, 7, 8], { ...square(2, 1), dilations: ints([3, 2]) }],
    ["MaxPool, padded by itself", MAX, "MaxPool", [2, 3, 5, 6], { ...square(2), auto_pad: string("SAME_UPPER") }],
    ["AveragePool that tiles", MEAN, "AveragePool", [2, 3, 4, 6], square(2)],
    [
      "AveragePool of an uneven window",
      MEAN,
      "AveragePool",
      [2, 3, 4, 6],
      { kernel_shape: ints([2, 3]), strides: ints([2, 3]) },
    ],
    ["AveragePool of whole images", MEAN, "AveragePool", [2, 3, 4, 4], square(4)],
    ["AveragePool of rows as wide as may be", MEAN, "AveragePool", [1, 2, 4, 32], square(2)],
  ])("%s: the same values and shapes, under the same names", async (_, after, op, dims, attributes) => {
    const graph = pooled(op, ["N", ...dims.slice(1)], attributes);
    const other = rewritten(graph);
    expect(ops(other)).toBe(after);
    const data = new Float32Array(sizeOf(dims));
    seeded(4).child(ops(other)).fillNormal(data, -3, 1); // below zero: what is padded must not win
    const [want, got] = await Promise.all([graph, other].map((g) => runGraph(g, { x: float32(dims, data) })));
    expect(Object.keys(got!)).toEqual(["y", "pooled"]);
    for (const [name, { dims: shape, data: values }] of Object.entries(want!)) {
      expect(got![name]!.dims).toEqual(shape);
      values.forEach((v, i) => expect(got![name]!.data[i]).toBeCloseTo(v, op === "MaxPool" ? 12 : 5));
    }
  });

  it.each<[string, string, Dim[], Attributes, number?]>([
    ["MaxPool that says where", "MaxPool", ["N", 3, 4, 6], square(2), 2],
    ["MaxPool of open sizes", "MaxPool", ["N", 3, "H", 6], square(2)],
    ["MaxPool of open channels", "MaxPool", ["N", "C", 4, 6], square(2)],
    ["MaxPool of rows", "MaxPool", ["N", 3, 6], { kernel_shape: ints([2]), strides: ints([2]) }],
    ["MaxPool of volumes", "MaxPool", ["N", 3, 4, 4, 4], { kernel_shape: ints([2, 2, 2]), strides: ints([2, 2, 2]) }],
    ["AveragePool with pads", "AveragePool", ["N", 3, 4, 6], { ...square(2), pads: ints([1, 1, 1, 1]) }],
    ["AveragePool that rounds up", "AveragePool", ["N", 3, 4, 6], { ...square(2), ceil_mode: int(1) }],
    ["AveragePool that counts pads", "AveragePool", ["N", 3, 4, 6], { ...square(2), count_include_pad: int(1) }],
    ["AveragePool of windows that overlap", "AveragePool", ["N", 3, 4, 6], square(2, 1)],
    [
      "AveragePool of windows that overlap in rows",
      "AveragePool",
      ["N", 3, 4, 6],
      { kernel_shape: ints([2, 2]), strides: ints([2, 1]) },
    ],
    ["AveragePool without strides", "AveragePool", ["N", 3, 4, 6], { kernel_shape: ints([2, 2]) }],
    ["AveragePool that leaves a row", "AveragePool", ["N", 3, 5, 6], square(2)],
    ["AveragePool that leaves a column", "AveragePool", ["N", 3, 4, 7], square(2)],
    ["AveragePool of wide rows", "AveragePool", ["N", 3, 4, 34], square(2)],
    ["AveragePool of open sizes", "AveragePool", ["N", 3, "H", "W"], square(2)],
    ["AveragePool of rows", "AveragePool", ["N", 3, 6], { kernel_shape: ints([2]), strides: ints([2]) }],
    [
      "AveragePool of volumes",
      "AveragePool",
      ["N", 3, 4, 4, 4],
      { kernel_shape: ints([2, 2, 2]), strides: ints([2, 2, 2]) },
    ],
    ["another pooling", "GlobalAveragePool", ["N", 3, 4, 4], {}],
  ])("leaves %s", (_, op, dims, attributes, outputs) => {
    const graph = pooled(op, dims, attributes, outputs);
    expect(rewritten(graph).nodes).toEqual(graph.nodes);
  });

  it("leaves other operators beside it", () => {
    const b = new GraphBuilder();
    const x = b.input("x", "float32", ["N", 3, 4, 4]);
    for (const op of ["MaxPool", "LpPool"]) b.output(b.op(op, [x], square(2)), "float32", null);
    expect(ops(rewritten(inferTypes(modelOf(b.build())).graph))).toBe("Reshape,MaxPool,Reshape,LpPool");
  });
});
