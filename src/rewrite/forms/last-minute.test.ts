import { expect, it } from "vitest";
import { modelOf, runGraph } from "../../../test/support/run-graph.ts";
import { GraphBuilder, validate, type Graph } from "../../ir/index.ts";
import { float32, tensor } from "../../tensor/index.ts";
import { lastMinute } from "./last-minute.ts";

/** A branch that reads a value of the graph around it, directly or one branch further in. */
function branch(op: string, name: string, deeper: boolean): Graph {
  const b = new GraphBuilder();
  const inner = deeper ? choice(b, op, name, false, "inner") : b.op(op, [name], {}, "inner");
  b.output(inner, "float32", null);
  return b.build();
}
const choice = (b: GraphBuilder, op: string, name: string, deeper: boolean, out: string): string =>
  b.op(
    "If",
    ["flag"],
    {
      then_branch: { type: "graph", value: branch(op, name, deeper) },
      else_branch: { type: "graph", value: branch("Abs", name, deeper) },
    },
    out,
  );

const b = new GraphBuilder();
b.input("x", "float32", ["N", 2]);
b.input("targets", "float32", ["N", 2]);
b.input("w", "float32", [2, 2]);
b.input("state", "float32", [2, 2]);
b.input("flag", "bool", []);
b.op("Relu", ["x"], {}, "h");
b.op("Neg", ["w"], {}, "kernel");
choice(b, "Exp", "h", true, "sees.x"); // reads no example itself: its innermost branch does
choice(b, "Exp", "kernel", true, "sees.w");
b.op("MatMul", ["sees.x", "sees.w"], {}, "y");
b.op("Mul", ["state", b.scalar(0.5)], {}, "decayed");
b.op("Sub", ["y", "targets"], {}, "apart");
b.op("Abs", ["targets"], {}, "only.targets");
b.op("Transpose", ["kernel"], {}, "turned");
b.opN("Split", ["turned"], 2, { axis: { type: "int", value: 0n }, num_outputs: { type: "int", value: 2n } }, "part");
b.op("ReduceSum", [b.op("Mul", ["apart", "only.targets"], {}, "weighted")], {}, "loss");
b.op("Add", ["decayed", "loss"], {}, "next");
for (const name of ["next", "y", "part"]) b.output(name, "float32", null);
const graph = b.build();
const outputs = ({ nodes }: Graph): string[] => nodes.map((node) => node.outputs[0]!);

it("makes what needs no examples first, each half in its old order, captured names followed", () => {
  const after = lastMinute(graph, ["x", "targets"]);
  expect(outputs(after).join(" ")).toBe(
    "kernel sees.w decayed turned part h sees.x y apart only.targets weighted loss next",
  );
  expect({ ...after, nodes: graph.nodes }).toEqual(graph);
  // Examples of which nothing is known wait for nobody.
  expect(outputs(lastMinute(graph, ["targets"])).slice(0, 3)).toEqual(["h", "kernel", "sees.x"]);
  expect(lastMinute(graph, []).nodes).toEqual(graph.nodes);
});

it("keeps every value behind what it is made of, and its numbers", async () => {
  const feeds = {
    x: float32([3, 2], [1, -2, 0.5, 3, -1, 0.25]),
    targets: float32([3, 2], [1, 2, -3, 4, 5, -6]),
    w: float32([2, 2], [1, 2, 3, -4]),
    state: float32([2, 2], [8, 6, 4, 2]),
    flag: tensor("bool", [], Uint8Array.of(1)),
  };
  const want = await runGraph(graph, feeds);
  for (const examples of [["x", "targets"], ["targets"], ["w"], ["state", "x"], ["flag"], []]) {
    const after = modelOf(lastMinute(graph, examples));
    expect(validate(after)).toBe(after); // sorted as it is
    expect(await runGraph(after.graph, feeds)).toEqual(want);
  }
});
