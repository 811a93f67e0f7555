import { describe, expect, test } from "vitest";
import { referenceEngine } from "../../src/engine/index.ts";
import { MarauderError } from "../../src/errors.ts";
import { checkGradient } from "../../src/grad/index.ts";
import { prepare } from "../../src/grad/prepare.ts";
import { decodeModel, type Model } from "../../src/ir/index.ts";
import { seeded } from "../../src/random/index.ts";
import { float32, int64, sizeOf, type Tensor } from "../../src/tensor/index.ts";
import { sharedData } from "../support/shared-data.ts";
import { sharedModels } from "../support/shared-models.ts";

const MOST_BYTES = 1e6;
const MOST_INPUT = 20_000;
const LEAST = 50;

/** Random feeds for a model, unknown sizes taken as 2; null where its inputs are not plain numbers. */
function feedsOf(model: Model): Record<string, Tensor> | null {
  const feeds: Record<string, Tensor> = {};
  for (const { name, dtype, dims } of model.graph.inputs) {
    if (model.graph.constants.has(name)) continue;
    const sizes = dims?.map((d) => (typeof d === "number" ? d : 2));
    if (sizes === undefined || sizeOf(sizes) > MOST_INPUT) return null;
    if (dtype === "int64")
      feeds[name] = int64(
        sizes,
        Array.from({ length: sizeOf(sizes) }, (_, i) => i % 2),
      );
    else if (dtype === "float32") {
      const data = new Float32Array(sizeOf(sizes));
      seeded(1).child(name).fillUniform(data, 0, 1);
      feeds[name] = float32(sizes, data);
    } else return null;
  }
  return feeds;
}

describe.skipIf(!sharedData)("gradients of third-party models", () => {
  test("pass the dot-product test in float64, or are refused with the reason", async () => {
    const engine = referenceEngine({ precision: "float64" });
    const codes = new Map<string, number>();
    const wrong: string[] = [];
    let checked = 0;
    for (const { path, bytes } of sharedModels(["models", "vnncomp"])) {
      if (bytes.length > MOST_BYTES) continue;
      try {
        const { model } = prepare(decodeModel(bytes));
        const feeds = feedsOf(model);
        const wrt = Object.keys(feeds ?? {}).filter((name) => feeds![name]!.dtype === "float32");
        const of = model.graph.outputs.filter((v) => v.dtype === "float32").map((v) => v.name);
        if (feeds === null || wrt.length === 0 || of.length === 0) continue;
        // A short step: ReLU networks are kinked all over.
        const check = await checkGradient(model, { engine, feeds, of, wrt, rng: seeded(2), step: 1e-6 });
        if (check.estimated.length > 0) {
          codes.set("estimated", (codes.get("estimated") ?? 0) + 1);
          continue;
        }
        if (check.magnitude === 0) {
          codes.set("flat", (codes.get("flat") ?? 0) + 1);
          continue;
        }
        checked++;
        if (!(check.relativeError <= 1e-5)) wrong.push(`${path}: ${check.relativeError}`);
      } catch (error) {
        if (!(error instanceof MarauderError)) wrong.push(`${path}: ${String(error)}`);
        else codes.set(error.code, (codes.get(error.code) ?? 0) + 1);
      }
    }
    console.info(`gradients of third-party models: ${checked} checked; refused:`, Object.fromEntries(codes));
    expect(wrong).toEqual([]);
    expect(checked).toBeGreaterThan(LEAST);
  });
});
