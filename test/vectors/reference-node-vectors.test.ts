import { fromBinary } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { referenceEngine } from "../../src/engine/index.ts";
import { isControl } from "../../src/engine/reference/control.ts";
import { kernels } from "../../src/engine/reference/index.ts";
import { decodeModel, OLDEST_OPSET, raiseOpset } from "../../src/ir/index.ts";
import { TensorProtoSchema } from "../../src/ir/proto/onnx_pb.ts";
import { decodeTensor } from "../../src/ir/tensor-codec.ts";
import { isFloat, type Tensor } from "../../src/tensor/index.ts";
import { fromTensor, numbers } from "../../src/engine/reference/value.ts";
import { shared, sharedData } from "../support/shared-data.ts";
import { untarFile } from "../support/tar.ts";
import { disputed, refused, rounded } from "./refused.ts";

interface Vector {
  model?: Uint8Array;
  inputs: Uint8Array[];
  outputs: Uint8Array[];
}

/** The ONNX project's own vectors for single operators (v1.17.0), by name. */
function readVectors(): Map<string, Vector> {
  const all = new Map<string, Vector>();
  for (const { path, bytes } of untarFile(shared("onnx-node-tests/onnx-node-v1.17.0.tar.gz"))) {
    const parts = path.split("/");
    const name = parts.find((p) => p.startsWith("test_") && !p.startsWith("test_data_set"));
    if (name === undefined) continue;
    const vector = all.get(name) ?? { inputs: [], outputs: [] };
    all.set(name, vector);
    const file = parts.at(-1)!;
    if (file === "model.onnx") vector.model = bytes;
    if (!parts.includes("test_data_set_0")) continue;
    const index = Number(/_(\d+)\.pb$/.exec(file)?.[1]);
    if (file.startsWith("input_")) vector.inputs[index] = bytes;
    if (file.startsWith("output_")) vector.outputs[index] = bytes;
  }
  return all;
}

/** Scan had another form in opset 8, with sequence lengths: raising the opset refuses it. */
const scan8 = /^test_scan_sum$/;

const tensorOf = (bytes: Uint8Array): Tensor => decodeTensor(fromBinary(TensorProtoSchema, bytes), null);

/** Relative error allowed: the expected values were computed in the declared type. */
const tolerance = (t: Tensor): number =>
  t.dtype === "float16" || t.dtype === "bfloat16" ? 1e-2 : t.dtype === "float64" ? 1e-7 : 1e-5;

describe.skipIf(!sharedData)("reference engine on the ONNX node vectors", () => {
  const vectors = sharedData ? readVectors() : new Map<string, Vector>();
  const supported = [...vectors].flatMap(([name, vector]) => {
    if (vector.model === undefined) return [];
    const model = decodeModel(vector.model);
    const single = model.graph.nodes.every((n) => n.domain === "" && (kernels[n.op] !== undefined || isControl(n)));
    if (!single || (model.opsets[""] ?? 0) < OLDEST_OPSET || scan8.test(name)) return [];
    return [{ name, vector, model: raiseOpset(model) }];
  });

  const named = (list: typeof refused, name: string): boolean => list.some(([pattern]) => pattern.test(name));
  const refusals = supported.filter((s) => named(refused, s.name));
  const disputes = supported.filter((s) => named(disputed, s.name));
  const checked = supported.filter((s) => !refusals.includes(s) && !disputes.includes(s));

  test("counts, and no stale exception", () => {
    for (const [pattern] of [...refused, ...disputed]) expect(supported.some((s) => pattern.test(s.name))).toBe(true);
    const ops = new Set(supported.flatMap((s) => s.model.graph.nodes.map((n) => n.op)));
    console.info(
      `node vectors: ${vectors.size} in all, ${supported.length} of the ${ops.size} operators that the reference knows: ` +
        `${checked.length} checked, ${refusals.length} refused, ${disputes.length} disputed`,
    );
    expect(checked.length).toBeGreaterThan(980);
  });

  test.each(checked.map((s) => [s.name, s] as const))("%s", async (_, s) => {
    const session = await referenceEngine().load(s.model);
    const names = s.model.graph.inputs.map((v) => v.name);
    const feeds = Object.fromEntries(s.vector.inputs.map((bytes, i) => [names[i]!, tensorOf(bytes)]));
    const got = await session.run(feeds);
    for (const [i, name] of s.model.graph.outputs.map((v) => v.name).entries()) {
      const expected = tensorOf(s.vector.outputs[i]!);
      expect(got[name]!.dtype).toBe(expected.dtype);
      expect(got[name]!.dims).toEqual(expected.dims);
      if (expected.dtype === "string") {
        expect(got[name]!.data).toEqual(expected.data);
        continue;
      }
      const [a, b] = [numbers(fromTensor(got[name]!)), numbers(fromTensor(expected))];
      for (let k = 0; k < b.length; k++) {
        if (Object.is(a[k], b[k])) continue;
        const digits = rounded.find(([pattern]) => pattern.test(s.name))?.[1];
        const least = digits === undefined ? 0 : 10 ** -digits;
        const slack = isFloat(expected.dtype) ? Math.max(least, tolerance(expected) * Math.max(1, Math.abs(b[k]!))) : 0;
        if (!(Math.abs(a[k]! - b[k]!) <= slack)) expect(`[${k}] ${a[k]}`).toBe(`[${k}] ${b[k]}`);
      }
    }
  });

  test.each(refusals.map((s) => [s.name, s] as const))("%s is refused, not computed wrongly", async (_, s) => {
    await expect(
      (async () => {
        const session = await referenceEngine().load(s.model);
        const names = s.model.graph.inputs.map((v) => v.name);
        return session.run(Object.fromEntries(s.vector.inputs.map((bytes, i) => [names[i]!, tensorOf(bytes)])));
      })(),
    ).rejects.toMatchObject({ name: "MarauderError" });
  });
});
