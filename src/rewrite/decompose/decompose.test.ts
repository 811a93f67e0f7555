import { expect, test } from "vitest";
import { grad } from "../../grad/index.ts";
import { emptyGraph, GraphBuilder, int, tensorInfo, type Attribute, type Dim, type Model } from "../../ir/index.ts";
import { float32, tensor } from "../../tensor/index.ts";
import { decompose } from "./decompose.ts";
import { asBranch } from "./inline.ts";

function model(emit: (b: GraphBuilder) => string, dims: readonly Dim[]): Model {
  const b = new GraphBuilder(emptyGraph);
  b.input("x", "float32", dims);
  const y = emit(b);
  const graph = { ...b.build(), outputs: [tensorInfo(y, "float32", null)] };
  return { irVersion: 8, opsets: { "": 18 }, producer: "", producerVersion: "", metadata: {}, graph };
}

/** A loop that doubles what it carries, `rounds` times. */
function loop(rounds: bigint): Model {
  const inner = new GraphBuilder({
    ...emptyGraph,
    inputs: [tensorInfo("i", "int64", []), tensorInfo("go", "bool", []), tensorInfo("v", "float32", [2])],
  });
  const outputs = [inner.op("Identity", ["go"]), inner.add("v", "v")];
  const body: Attribute = {
    type: "graph",
    value: {
      ...inner.build(),
      outputs: outputs.map((name, i) => tensorInfo(name, i === 0 ? "bool" : "float32", null)),
    },
  };
  const count = tensor("int64", [], BigInt64Array.of(rounds));
  return model((b) => b.op("Loop", [b.constant(count), "", "x"], { body }), [2]);
}

const lstm = (steps: Dim): Model =>
  model(
    (b) =>
      b.opN(
        "LSTM",
        [
          "x",
          b.constant(float32([1, 8, 3], new Float32Array(24).fill(0.1))),
          b.constant(float32([1, 8, 2], new Float32Array(16).fill(0.1))),
        ],
        1,
        { hidden_size: int(2) },
      )[0]!,
    [steps, 1, 3],
  );

test("a loop is unrolled, and its output keeps its name", () => {
  const before = loop(3n);
  const { model: after, replaced, kept } = decompose(before);
  expect(replaced.map((r) => r.op)).toEqual(["Loop"]);
  expect(kept.size).toBe(0);
  expect(after.graph.outputs.map((v) => v.name)).toEqual(before.graph.outputs.map((v) => v.name));
  expect(after.graph.nodes.filter((n) => n.op === "Add")).toHaveLength(3);
});

test("a trip count that a file can claim but nobody can unroll is left alone, with the reason", () => {
  const { model: after, kept } = decompose(loop(10n ** 15n));
  expect(after.graph.nodes.map((n) => n.op)).toEqual(["Loop"]);
  expect([...kept.values()].join()).toMatch(/more than are unrolled/);
});

test("a sequence of unknown length: the gradient is refused, and the message says what to do", () => {
  expect(decompose(lstm(4)).kept.size).toBe(0);
  const open = lstm("steps");
  expect(() => grad(open, { of: open.graph.outputs[0]!.name, wrt: ["x"] })).toThrow(/give "x" a fixed size/);
});

test("only what is asked for is taken apart", () => {
  expect(decompose(lstm(2), { only: () => false }).model.graph.nodes.map((n) => n.op)).toEqual(["LSTM"]);
});

test("as a branch, an input that has a default is the value it is bound to", () => {
  const inner = new GraphBuilder({ ...emptyGraph, inputs: [tensorInfo("v", "float32", [1])] });
  inner.output(inner.neg("v"), "float32", [1]);
  const body = { ...inner.build(), constants: new Map([["v", float32([1], [3])]]) };
  const branch = asBranch(body, ["outside"], "branch");
  expect(branch.constants.size).toBe(0);
  expect(branch.nodes.map((n) => n.inputs)).toEqual([["outside"]]);
});
