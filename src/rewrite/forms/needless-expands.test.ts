import { describe, expect, it } from "vitest";
import { modelOf } from "../../../test/support/run-graph.ts";
import { dimsIn, GraphBuilder, inferTypes } from "../../ir/index.ts";
import type { Dim, Graph } from "../../ir/index.ts";
import { prune } from "../prune.ts";
import { needlessExpands } from "./needless-expands.ts";

/** column [n, 1], expanded to the shape of x [n, 3], times `other`. */
function expanded(op: string, other: readonly Dim[], swapped = false): Graph {
  const b = new GraphBuilder();
  const x = b.input("x", "float32", ["n", 3]);
  const o = b.input("other", "float32", other);
  const wide = b.op("Expand", [b.input("column", "float32", ["n", 1]), b.op("Shape", [x])]);
  b.output(b.op(op, swapped ? [o, wide] : [wide, o]), "float32", null, "y");
  return inferTypes(modelOf(b.build())).graph;
}
/** The operators that are left, without the Identity that names the output. */
const ops = (graph: Graph): string[] =>
  prune(needlessExpands(graph, dimsIn(graph)), ["y"])
    .nodes.map(({ op }) => op)
    .filter((op) => op !== "Identity");

describe("needlessExpands", () => {
  it.each(["Add", "Sub", "Mul", "Div"])("leaves it to %s, on either side", (op) => {
    expect(ops(expanded(op, ["n", 3]))).toEqual([op]);
    expect(ops(expanded(op, ["n", 3], true))).toEqual([op]);
  });

  it("keeps it where the other value has, or may have, another shape, and before other operators", () => {
    expect(ops(expanded("Mul", ["n", 1]))).toEqual(["Shape", "Expand", "Mul"]);
    expect(ops(expanded("Mul", ["m", 3]))).toEqual(["Shape", "Expand", "Mul"]);
    expect(ops(expanded("Mul", [null, 3]))).toEqual(["Shape", "Expand", "Mul"]);
    expect(ops(expanded("Max", ["n", 3]))).toEqual(["Shape", "Expand", "Max"]);
  });

  it("keeps one of two expanded values, which gives the shape", () => {
    const b = new GraphBuilder();
    const shape = b.op("Shape", [b.input("x", "float32", ["n", 3])]);
    const [one, two] = ["one", "two"].map((name) => b.op("Expand", [b.input(name, "float32", ["n", 1]), shape]));
    b.output(b.mul(one!, two!), "float32", null, "y");
    const { graph } = inferTypes(modelOf(b.build()));
    expect(ops(graph)).toEqual(["Shape", "Expand", "Mul"]);
  });
});
