import * as ort from "onnxruntime-node";
import { describe, expect, it } from "vitest";
import { decodeModel, encodeModel, raiseOpset, validate, type Model } from "../../src/ir/index.ts";
import { rngFrom } from "../support/mini-rng.ts";
import { sharedData } from "../support/shared-data.ts";
import { sharedModels } from "../support/shared-models.ts";

const options: ort.InferenceSession.SessionOptions = {
  logSeverityLevel: 4,
  graphOptimizationLevel: "disabled",
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
};

/** Random inputs in the declared shapes, 2 for every symbol; null where an input is no numeric tensor. */
function randomFeeds(model: Model): Record<string, ort.Tensor> | null {
  const feeds: Record<string, ort.Tensor> = {};
  const next = rngFrom(7);
  for (const { name, dtype, dims } of model.graph.inputs) {
    if (model.graph.constants.has(name)) continue;
    if (dims === null) return null;
    const sizes = dims.map((d) => (typeof d === "number" ? d : 2));
    const n = sizes.reduce((a, b) => a * b, 1);
    if (dtype === "float32") feeds[name] = new ort.Tensor("float32", Float32Array.from({ length: n }, next), sizes);
    else if (dtype === "float64")
      feeds[name] = new ort.Tensor("float64", Float64Array.from({ length: n }, next), sizes);
    else if (dtype === "int64") feeds[name] = new ort.Tensor("int64", new BigInt64Array(n).fill(1n), sizes);
    else if (dtype === "int32") feeds[name] = new ort.Tensor("int32", new Int32Array(n).fill(1), sizes);
    else if (dtype === "bool") feeds[name] = new ort.Tensor("bool", new Uint8Array(n).fill(1), sizes);
    else return null;
  }
  return feeds;
}

async function run(bytes: Uint8Array, feeds: Record<string, ort.Tensor>): Promise<Record<string, ort.Tensor>> {
  const session = await ort.InferenceSession.create(bytes, options);
  try {
    return (await session.run(feeds)) as Record<string, ort.Tensor>;
  } finally {
    await session.release();
  }
}

const random = /Random|Bernoulli|Multinomial/;

/** Where the outputs differ; null where they are the same to the last bit but for rounding in the last places. */
function difference(a: Record<string, ort.Tensor>, b: Record<string, ort.Tensor>): string | null {
  for (const [name, x] of Object.entries(a)) {
    const y = b[name];
    if (y === undefined || x.type !== y.type || x.dims.join() !== y.dims.join())
      return `${name}: ${x.type}[${x.dims}] and ${y?.type}[${y?.dims}]`;
    for (let i = 0; i < x.data.length; i++) {
      const [u, v] = [x.data[i]!, y.data[i]!];
      if (Object.is(u, v)) continue;
      if (typeof u !== "number" || typeof v !== "number" || !(Math.abs(u - v) <= 1e-6 * (1 + Math.abs(u))))
        return `${name}[${i}]: ${u} and ${v}`;
    }
  }
  return null;
}

describe.skipIf(!sharedData)("raiseOpset on every model of the shared data that speaks opset 7 to 17", () => {
  it("computes the same in the engine", { timeout: 300_000 }, async () => {
    const failures: string[] = [];
    const refused: string[] = [];
    let [same, engine, unfed] = [0, 0, 0];
    for (const { path, bytes } of sharedModels()) {
      let model: Model;
      try {
        model = validate(decodeModel(bytes));
      } catch {
        continue; // ir-roundtrip.test.ts says which ones
      }
      const opset = model.opsets[""];
      if (opset === undefined || opset < 7 || opset >= 18) continue;
      if (model.graph.nodes.some((n) => random.test(n.op))) continue;
      // The engine's binding ends the process where an output is a sequence or an optional.
      if (model.graph.outputs.some((o) => o.kind !== "tensor" && o.kind !== "unknown")) continue;
      const feeds = randomFeeds(model);
      if (feeds === null) {
        unfed++;
        continue;
      }
      let before: Record<string, ort.Tensor>;
      try {
        before = await run(bytes, feeds);
      } catch {
        engine++;
        continue;
      }
      let up: Model;
      try {
        up = raiseOpset(model);
      } catch (error) {
        refused.push(`${path}: ${(error as Error).message}`);
        continue;
      }
      expect(up.opsets[""]).toBe(18);
      try {
        const d = difference(before, await run(encodeModel(up), feeds));
        if (d === null) same++;
        else failures.push(`${path}: ${d}`);
      } catch (error) {
        failures.push(`${path}: ${(error as Error).message}`);
      }
    }
    console.log(
      `raised: ${same} same, ${refused.length} refused, ${engine} not run by the engine as they are, ${unfed} without numeric inputs`,
    );
    expect(failures).toEqual([]);
    // The only refusal: Scan as it was in opset 8, with a batch axis and sequence lengths.
    expect(refused).toEqual([expect.stringMatching(/test_scan_sum.*Scan 'y' of opset 8/)]);
    expect(same).toBeGreaterThan(600);
  });
});
