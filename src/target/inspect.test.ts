import { describe, expect, it } from "vitest";
import { modelOf } from "../../test/support/run-graph.ts";
import { sharedData } from "../../test/support/shared-data.ts";
import { thirdParty } from "../../test/support/third-party.ts";
import { GraphBuilder } from "../ir/index.ts";
import { float32 } from "../tensor/index.ts";
import { inspectModel } from "./inspect.ts";

describe("inspectModel", () => {
  it("says what was found, assumed and cut", () => {
    const b = new GraphBuilder();
    const x = b.input("image", "float32", [1, 3, 4, 4]);
    const flat = b.reshape(b.op("Relu", [x]), [1, 48]);
    b.op("Round", [b.input("other", "float32", [1])]);
    const z = b.matmul(flat, b.constant(float32([48, 5])));
    b.output(b.op("Softmax", [z]), "float32", [1, 5], "p");
    const got = inspectModel(modelOf(b.build()));
    expect(got).toMatchObject({
      parameters: 240,
      cut: ["Softmax"],
      scoresAre: "logits",
      gradient: { available: true, reason: null },
      withoutRule: [],
      kinked: [{ op: "Relu", count: 1, onPath: 1 }],
      batch: { inFile: "fixed at 1", open: true, reason: null },
      problems: [],
    });
    expect(Object.fromEntries(got.assumptions.map((a) => [a.what, a.value]))).toMatchObject({
      input: "image float32",
      output: "p",
      classes: "5",
      layout: "one example has shape [3, 4, 4] (channels, height, width)",
    });
    expect(JSON.parse(JSON.stringify(got))).toEqual(got);
  });

  it("finds operators that hide gradients, and lists problems instead of throwing", () => {
    const b = new GraphBuilder();
    const x = b.input("x", "float32", ["n", 3]);
    b.output(b.op("BitCast", [b.op("Round", [x])]), "float32", ["n", 3]);
    const hidden = inspectModel(modelOf(b.build()));
    expect(hidden.flat).toEqual([{ op: "Round", count: 1, onPath: 1 }]);
    expect(hidden.withoutRule).toEqual([{ op: "BitCast", count: 1, onPath: 1 }]);
    const two = new GraphBuilder();
    two.output(two.add(two.input("a", "float32", [2]), two.input("b", "float32", [2])), "float32", [2]);
    const got = inspectModel(modelOf(two.build()));
    expect(got.problems[0]).toMatch(/2 tensors of float numbers/);
    expect(got.gradient.available).toBe(false);
    expect(got.inputs.map((i) => i.name)).toEqual(["a", "b"]);
  });

  it.skipIf(!sharedData)("reads real models", () => {
    const forest = inspectModel(thirdParty("models/tabular/sklearn_randomforest.onnx"));
    expect(forest.cut).toEqual(["ZipMap"]);
    expect(forest.withoutRule).toContainEqual({ op: "ai.onnx.ml.TreeEnsembleClassifier", count: 1, onPath: 1 });
    expect(forest.gradient.reason).toMatch(/TreeEnsembleClassifier/);
    expect(inspectModel(thirdParty("models/imagenet/SqueezeNet_fp16.onnx"))).toMatchObject({
      cut: ["Softmax"],
      batch: { inFile: "fixed at 1", open: true },
    });
    expect(inspectModel(thirdParty("models/tabular/model_181031_12.onnx")).problems[0]).toMatch(/--input/);
  });
});
