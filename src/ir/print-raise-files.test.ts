import { mkdtempSync, rmSync, symlinkSync, writeFileSync, mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, toBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { float32 } from "../tensor/index.ts";
import {
  decodeModel,
  encodeModel,
  float,
  floats,
  GraphBuilder,
  int,
  ints,
  loadModel,
  printModel,
  raiseOpset,
  saveModel,
  summarize,
  type Attribute,
  type Model,
} from "./index.ts";
import { ModelProtoSchema, TensorProto_DataLocation } from "./proto/onnx_pb.ts";

const modelOf = (b: GraphBuilder, opset: number, irVersion = 8): Model => ({
  irVersion,
  opsets: { "": opset },
  producer: "pro\u001b[31mducer",
  producerVersion: "2",
  metadata: {},
  graph: b.build(),
});

function one(
  op: string,
  attributes: Record<string, Attribute>,
  opset: number,
  dims: readonly (number | string)[] = ["n", 2, 4],
): Model {
  const b = new GraphBuilder();
  b.output(b.op(op, [b.input("x", "float32", dims)], attributes, "y"), "float32", null);
  return modelOf(b, opset);
}
const ops = (m: Model): string[] => m.graph.nodes.map((n) => n.op);

describe("raiseOpset", () => {
  it("turns attributes into inputs", () => {
    const up = raiseOpset(one("Unsqueeze", { axes: ints([0]) }, 11));
    expect(up.opsets[""]).toBe(18);
    const [node] = up.graph.nodes;
    expect(node!.attributes).toEqual({});
    expect(Array.from(up.graph.constants.get(node!.inputs[1]!)!.data as BigInt64Array)).toEqual([0n]);
    const clip = raiseOpset(one("Clip", { max: float(6) }, 7)).graph;
    expect(clip.nodes[0]!.inputs[1]).toBe("");
    expect(Array.from(clip.constants.get(clip.nodes[0]!.inputs[2]!)!.data as Float32Array)).toEqual([6]);
  });
  it("rewrites the coerced Softmax only where it differs from today's", () => {
    expect(ops(raiseOpset(one("Softmax", { axis: int(2) }, 11)))).toEqual(["Softmax"]);
    expect(ops(raiseOpset(one("Softmax", {}, 11)))).toEqual(["Flatten", "Softmax", "Shape", "Reshape"]);
    expect(ops(raiseOpset(one("Softmax", {}, 13)))).toEqual(["Softmax"]);
  });
  it("turns Upsample into Resize", () => {
    const [node] = raiseOpset(one("Upsample", { scales: floats([1, 1, 2, 2]) }, 7, [1, 1, 2, 2])).graph.nodes;
    expect(node!.op).toBe("Resize");
    expect(node!.inputs[1]).toBe("");
  });
  it("leaves newer models as they are, and refuses what it does not know", () => {
    const newer = one("Relu", {}, 21);
    expect(raiseOpset(newer)).toBe(newer);
    expect(() => raiseOpset(one("Relu", {}, 6))).toThrow(/opset 6; expected 7 to 26/);
    expect(() => raiseOpset(one("Relu", {}, 314159))).toThrow(/opset 314159/);
  });
  it("makes constants of an old file constants only", () => {
    const b = new GraphBuilder();
    const x = b.input("x", "float32", [1]);
    const w = b.constant(float32([1], [2]), "w");
    b.output(b.mul(x, w), "float32", [1]);
    const graph = b.build();
    const old = {
      ...modelOf(b, 8, 3),
      graph: { ...graph, inputs: [...graph.inputs, { ...graph.inputs[0]!, name: w }] },
    };
    expect(raiseOpset(old).graph.inputs.map((i) => i.name)).toEqual(["x"]);
  });
});

it("prints one line for a node, and nothing that acts on a terminal", () => {
  const b = new GraphBuilder();
  const x = b.input("x", "float32", ["N", 3]);
  const w = b.constant(
    float32(
      [10, 3],
      Array.from({ length: 30 }, (_, i) => i - 10),
    ),
    "w",
  );
  b.output(b.op("Gemm", [x, w], { transB: int(1) }, "y"), "float32", ["N", 10]);
  const model = modelOf(b, 18);
  const text = printModel(model).split("\n");
  expect(text).toContain("  %y: float32[N, 10] = Gemm(%x, %w) {transB=1}");
  expect(text).toContain("  constant %w: float32[10, 3] in [-10, 19]");
  expect(text.join("")).not.toContain("\u001b");
  expect(summarize(model)).toMatchObject({ parameters: 30, constantBytes: 120, nodes: 1, operators: [["Gemm", 1]] });
});

describe("files", () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "marauder-ir-"));
    mkdirSync(join(folder, "in"));
    writeFileSync(join(folder, "secret"), new Uint8Array(8));
    writeFileSync(join(folder, "in/weights"), new Uint8Array(Float32Array.of(0, 1, 2, 3).buffer));
    symlinkSync(join(folder, "secret"), join(folder, "in/link"));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  async function open(entries: Record<string, string>): Promise<Model> {
    const path = join(folder, "in/m.onnx");
    const externalData = Object.entries(entries).map(([key, value]) => ({ key, value }));
    const w = { name: "w", dims: [2n], dataType: 1, dataLocation: TensorProto_DataLocation.EXTERNAL, externalData };
    const graph = { name: "g", initializer: [w], output: [{ name: "w" }] };
    writeFileSync(
      path,
      toBinary(ModelProtoSchema, create(ModelProtoSchema, { irVersion: 8n, opsetImport: [{ version: 18n }], graph })),
    );
    return loadModel(path);
  }

  it("reads tensors beside the model, from an unaligned place on", async () => {
    const model = await open({ location: "weights", offset: "4", length: "8" });
    expect(Array.from(model.graph.constants.get("w")!.data as Float32Array)).toEqual([1, 2]);
  });
  it("writes such tensors into the file, so that it can be moved", async () => {
    const model = await open({ location: "weights", offset: "4", length: "8" });
    await saveModel(model, join(folder, "elsewhere.onnx"));
    const back = await loadModel(join(folder, "elsewhere.onnx"));
    expect(Array.from(back.graph.constants.get("w")!.data as Float32Array)).toEqual([1, 2]);
    expect(decodeModel(encodeModel(model)).graph.constants.size).toBe(1);
  });
  it.each([
    [{ location: "../secret" }, /outside the model's folder/],
    [{ location: "/etc/passwd" }, /outside the model's folder/],
    [{ location: "link" }, /through a link/],
    [{ location: "nothing" }, /does not exist/],
    [{ location: "weights", offset: "12" }, /too short/],
    [{ location: "weights", offset: "-4" }, /expected a whole number/],
    [{ location: "weights", length: "4000000000" }, /expected 8/],
  ])("refuses %j", async (entries, message) => {
    await expect(open(entries as Record<string, string>)).rejects.toThrow(message);
  });
});
