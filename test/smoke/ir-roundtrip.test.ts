import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { MarauderError } from "../../src/errors.ts";
import { decodeModel, encodeModel, inferTypes, printModel, summarize, validate } from "../../src/ir/index.ts";
import { ModelProtoSchema } from "../../src/ir/proto/onnx_pb.ts";
import { sharedData } from "../support/shared-data.ts";
import { sharedModels } from "../support/shared-models.ts";

/** What cannot be read, and why: anything else that fails is a fault. */
const corrupt: Readonly<Record<string, string>> = { "corrupt-model.onnx": "illegal tag" };
/** What is read and written back, but makes no sense. */
const senseless: Readonly<Record<string, string>> = {
  // Two Constant nodes with different values write the same name.
  "gpt2_past.onnx": "makes '284' a second time",
};
const nameOf = (path: string): string => path.split("/").at(-1)!;

/** Element types and sizes that this code and the file state differently, by model: the file is wrong there. */
const wrongInFile: Readonly<Record<string, string>> = {
  // Shrunk to 4 features by its authors, who left the declared 768; the engine answers [2, 3, 4] as well.
  "GPT2Model.onnx": "hidden_states",
};

describe.skipIf(!sharedData)("every model of the shared data", () => {
  it("comes back byte for byte, after the file's own bytes were normalized by protobuf", () => {
    const failures: string[] = [];
    let same = 0;
    for (const { path, bytes } of sharedModels()) {
      try {
        const normal = Buffer.from(toBinary(ModelProtoSchema, fromBinary(ModelProtoSchema, bytes)));
        if (normal.equals(encodeModel(decodeModel(bytes)))) same++;
        else failures.push(`${path}: other bytes`);
      } catch (error) {
        const expected = corrupt[nameOf(path)];
        expect(() => decodeModel(bytes), path).toThrow(MarauderError);
        expect(() => decodeModel(bytes), path).toThrow(expected ?? "no refusal is expected");
        expect(error, path).toBeInstanceOf(Error);
      }
    }
    expect(failures).toEqual([]);
    expect(same).toBeGreaterThan(1600);
  });

  it("passes validation, prints and sums up; what is inferred does not contradict what the file declares", () => {
    const failures: string[] = [];
    let [compared, complete] = [0, 0];
    for (const { path, bytes } of sharedModels()) {
      if (nameOf(path) in corrupt) continue;
      if (nameOf(path) in senseless) {
        expect(() => validate(decodeModel(bytes)), path).toThrow(senseless[nameOf(path)]);
        continue;
      }
      const model = validate(decodeModel(bytes));
      const outputs = model.graph.outputs.map((o) => ({
        name: o.name,
        dtype: null,
        dims: null,
        kind: "unknown" as const,
      }));
      const sparse = new Map([...model.graph.values].filter(([, v]) => v.kind === "sparse-tensor"));
      const typed = inferTypes({ ...model, graph: { ...model.graph, outputs, values: sparse } });
      expect(printModel(typed)).toContain("output");
      expect(summarize(typed).nodes).toBeGreaterThanOrEqual(model.graph.nodes.length);
      for (const said of [...model.graph.outputs, ...model.graph.values.values()]) {
        const made = typed.graph.values.get(said.name);
        if (said.kind !== "tensor" || made === undefined || made.kind !== "tensor") continue;
        compared++;
        const clash =
          (made.dtype !== null && said.dtype !== null && made.dtype !== said.dtype) ||
          (made.dims !== null &&
            said.dims !== null &&
            (made.dims.length !== said.dims.length ||
              said.dims.some(
                (d, i) => typeof d === "number" && typeof made.dims![i] === "number" && d !== made.dims![i],
              )));
        if (clash && wrongInFile[nameOf(path)] !== said.name)
          failures.push(
            `${path} ${said.name}: file ${said.dtype} ${JSON.stringify(said.dims)}, inferred ${made.dtype} ${JSON.stringify(made.dims)}`,
          );
        if (!clash && made.dtype !== null && made.dims?.every((d, i) => d !== null || said.dims?.[i] === null))
          complete++;
      }
    }
    expect(failures).toEqual([]);
    expect(compared).toBeGreaterThan(2000);
    expect(complete / compared).toBeGreaterThan(0.7);
    console.log(`inferred types: ${complete} of ${compared} complete`);
  });
});
