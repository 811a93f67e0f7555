import { create, toBinary } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { ortEngine } from "../engine/index.ts";
import { MarauderError } from "../errors.ts";
import { grad } from "../grad/index.ts";
import { decodeModel, encodeModel, type Model } from "../ir/index.ts";
import { float32 } from "../tensor/index.ts";
import {
  AttributeProto_AttributeType as Kind,
  AttributeProtoSchema,
  FunctionProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  TensorShapeProto_DimensionSchema,
  TensorShapeProtoSchema,
  TypeProto_TensorSchema,
  TypeProtoSchema,
  ValueInfoProtoSchema,
  GraphProtoSchema,
} from "../ir/proto/onnx_pb.ts";
import { inlineFunctions } from "./inline-functions.ts";

const opset = (domain: string, version: number) =>
  create(OperatorSetIdProtoSchema, { domain, version: BigInt(version) });

const value = (name: string) =>
  create(ValueInfoProtoSchema, {
    name,
    type: create(TypeProtoSchema, {
      value: {
        case: "tensorType",
        value: create(TypeProto_TensorSchema, {
          elemType: 1,
          shape: create(TensorShapeProtoSchema, {
            dim: [create(TensorShapeProto_DimensionSchema, { value: { case: "dimValue", value: 3n } })],
          }),
        }),
      },
    }),
  });

/** y = leaky(leaky(x)·x), where leaky(a; slope) is a function of the model with the default slope 0.5. */
function withFunction(inner: { op: string; domain: string }, version = 18): Model {
  const leaky = create(FunctionProtoSchema, {
    domain: "own",
    name: "leaky",
    input: ["a"],
    output: ["t"],
    attribute: [],
    attributeProto: [create(AttributeProtoSchema, { name: "slope", type: Kind.FLOAT, f: 0.5 })],
    opsetImport: [opset("", version), opset("own", 1)],
    node: [
      create(NodeProtoSchema, {
        opType: inner.op,
        domain: inner.domain,
        input: ["a"],
        output: ["t"],
        attribute: [create(AttributeProtoSchema, { name: "alpha", refAttrName: "slope", type: Kind.FLOAT })],
      }),
    ],
  });
  const node = (op: string, domain: string, input: string[], output: string, slope?: number) =>
    create(NodeProtoSchema, {
      opType: op,
      domain,
      name: output,
      input,
      output: [output],
      attribute:
        slope === undefined ? [] : [create(AttributeProtoSchema, { name: "slope", type: Kind.FLOAT, f: slope })],
    });
  const proto = create(ModelProtoSchema, {
    irVersion: 8n,
    opsetImport: [opset("", 18), opset("own", 1)],
    functions: [leaky],
    graph: create(GraphProtoSchema, {
      name: "g",
      input: [value("x")],
      output: [value("y")],
      node: [
        node("leaky", "own", ["x"], "t"),
        node("Mul", "", ["t", "x"], "m"),
        node("leaky", "own", ["m"], "y", 0.25),
      ],
    }),
  });
  return decodeModel(toBinary(ModelProtoSchema, proto));
}

test("a model with a function of its own: outputs stay, and the gradient goes through", async () => {
  const model = withFunction({ op: "LeakyRelu", domain: "" });
  const x = float32([3], [-2, 1, 3]);
  const run = async (m: Model, fetch: string): Promise<number[]> => {
    const session = await ortEngine.load(decodeModel(encodeModel(m)), { threads: 1 });
    const out = await session.run({ x }, [fetch]);
    await session.close();
    return Array.from(out[fetch]!.data as Float32Array);
  };
  expect(inlineFunctions(model).graph.nodes.filter((n) => n.domain !== "")).toEqual([]);
  expect(await run(inlineFunctions(model), "y")).toEqual(await run(model, "y"));
  // leaky(x)·x = 0.5·x² below 0 and x² above, both positive: the outer function is the identity.
  const g = grad(model, { of: "y", wrt: ["x"] });
  expect(await run(g.model, g.gradients.get("x")!)).toEqual([-2, 2, 6]);
});

test("a function that calls itself is refused", () => {
  expect(() => inlineFunctions(withFunction({ op: "leaky", domain: "own" }))).toThrow(MarauderError);
});

test("a function of another opset stays a call", () => {
  const model = withFunction({ op: "LeakyRelu", domain: "" }, 15);
  expect(inlineFunctions(model).graph).toBe(model.graph);
});
