import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { ortEngine, referenceEngine } from "../../src/engine/index.ts";
import { MarauderError } from "../../src/errors.ts";
import { checkGradient } from "../../src/grad/index.ts";
import { decodeModel, inferTypes, raiseOpset, validate, type Dim, type Model } from "../../src/ir/index.ts";
import { seeded } from "../../src/random/index.ts";
import { hasFloat16, lowerLinear, widenFloat16 } from "../../src/rewrite/index.ts";
import { sizeOf, tensor, type Tensor } from "../../src/tensor/index.ts";
import { sharedData } from "../support/shared-data.ts";
import { sharedModels } from "../support/shared-models.ts";

/** Files above this size run in ONNX Runtime, in float32: the float64 interpreter would take minutes. */
const LARGE = 1.5e6;
const EXACT = 1e-5;
const SINGLE = 2e-2;

/** A value for every input: floats from [0, 1), small whole numbers, unknown sizes as 2; null for other types. */
function feedsOf(model: Model, low = 0): Record<string, Tensor> | null {
  const feeds: Record<string, Tensor> = {};
  for (const { name, dtype, dims } of model.graph.inputs) {
    if (model.graph.constants.has(name)) continue;
    if (dims === null || dtype === null) return null;
    const sizes = sizesOf(dims);
    const n = sizeOf(sizes);
    if (n > 1e6) return null;
    const uniform = new Float32Array(n);
    seeded(1).child(name).fillUniform(uniform, 0, 1);
    const real = uniform.map((v) => v + low);
    if (dtype === "float32") feeds[name] = tensor("float32", sizes, real);
    else if (dtype === "float64") feeds[name] = tensor("float64", sizes, Float64Array.from(real));
    else if (dtype === "int64")
      feeds[name] = tensor(
        "int64",
        sizes,
        BigInt64Array.from(uniform, (v) => (v < 0.5 ? 0n : 1n)),
      );
    else if (dtype === "int32") feeds[name] = tensor("int32", sizes, Int32Array.from(uniform, Math.round));
    else if (dtype === "bool") feeds[name] = tensor("bool", sizes, Uint8Array.from(uniform, Math.round));
    else return null;
  }
  return feeds;
}

const sizesOf = (dims: readonly Dim[]): number[] => dims.map((d) => (typeof d === "number" && d > 0 ? d : 2));

/** Inputs of known sizes, so that sequences can be unrolled. */
const withSizes = (model: Model): Model => {
  const inputs = model.graph.inputs.map((v) => (v.dims === null ? v : { ...v, dims: sizesOf(v.dims) }));
  return { ...model, graph: { ...model.graph, inputs } };
};

/** As a target sees the model: older opsets raised, half precision widened, linear classifiers written out. */
function readable(bytes: Uint8Array): Model {
  const raised = raiseOpset(withSizes(validate(decodeModel(bytes))));
  const wide = hasFloat16(raised.graph) ? widenFloat16(raised.graph) : raised.graph;
  const model = inferTypes({ ...raised, graph: wide });
  const graph = lowerLinear(model.graph, (name) => model.graph.values.get(name)?.dims ?? null);
  return inferTypes({ ...model, graph });
}

describe.skipIf(!sharedData)("gradients of every third-party model with a float input", () => {
  test("dot-product test, or refused with the reason", { timeout: 120_000 }, async () => {
    const seen = new Set<string>();
    const table: string[] = [];
    const wrong: string[] = [];
    const counts = { right: 0, flat: 0, estimated: 0, refused: 0 };
    for (const { path, bytes } of sharedModels(["models", "vnncomp"])) {
      const hash = createHash("sha256").update(bytes).digest("hex");
      if (seen.has(hash)) continue;
      seen.add(hash);
      const line = (ops: string, error: string, verdict: string): void => {
        table.push(
          `${path
            .replace(/\.tar\.gz:/, "!")
            .slice(-64)
            .padEnd(64)} ${ops.padEnd(9)} ${error.padEnd(8)} ${verdict}`,
        );
      };
      let ops = "";
      try {
        const model = readable(bytes);
        ops = `${new Set(model.graph.nodes.map((n) => n.op)).size} ops`;
        const feeds = feedsOf(model);
        if (feeds === null) continue;
        const floats = Object.keys(feeds).filter((name) => feeds[name]!.dtype === "float32");
        const of = model.graph.outputs.filter((v) => v.dtype === "float32").map((v) => v.name);
        if (floats.length === 0 || of.length === 0) continue;
        const large = bytes.length > LARGE;
        const at = (point: Record<string, Tensor>) =>
          checkGradient(model, {
            engine: large
              ? { load: (m) => ortEngine.load(m, { threads: 2 }) }
              : referenceEngine({ precision: "float64" }),
            feeds: point,
            of,
            wrt: floats,
            rng: seeded(2),
            step: large ? 1e-3 : 1e-6, // short steps: ReLU networks are kinked all over
          });
        let check = await at(feeds);
        // A ReLU network can be dead at a point: 0 = 0 says nothing, so another point is tried.
        for (const low of [-0.5, -1, -0.25, -0.75, 1])
          if (check.magnitude === 0) check = await at(feedsOf(model, low)!);
        const error = check.relativeError.toExponential(1);
        if (check.estimated.length > 0) {
          counts.estimated++;
          line(ops, "", `straight-through estimate through ${check.estimated.length} quantizers`);
        } else if (check.magnitude === 0) {
          counts.flat++;
          line(ops, "", "flat: nothing flows at six points, so nothing is checked");
        } else if (check.relativeError <= (large ? SINGLE : EXACT)) {
          counts.right++;
          line(ops, error, large ? "right (float32)" : "right");
        } else {
          wrong.push(`${path}: ${error}`);
          line(ops, error, "WRONG");
        }
      } catch (error) {
        if (!(error instanceof MarauderError)) wrong.push(`${path}: ${String(error)}`);
        counts.refused++;
        line(ops, "", `refused: ${(error as Error).message.slice(0, 150)}`);
      }
    }
    console.info([...table, JSON.stringify(counts)].join("\n"));
    expect(wrong).toEqual([]);
    expect(counts.right).toBeGreaterThan(80);
  });
});
