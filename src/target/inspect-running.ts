import type { Engine } from "../engine/index.ts";
import { MarauderError } from "../errors.ts";
import type { Model } from "../ir/index.ts";
import { inspectModel, type Inspection } from "./inspect.ts";
import { openOnnxTarget } from "./onnx.ts";
import type { PrepareOptions } from "./prepare-model.ts";

/**
 * As `inspectModel`, and proves what it says: a model that seems open to attacks is opened as an attack would open it, any
 * other is loaded at least. What fails is a problem, in the engine's words. Never throws for what the model is.
 */
export async function inspectRunning(model: Model, engine: Engine, options: PrepareOptions = {}): Promise<Inspection> {
  const i = inspectModel(model, options);
  try {
    if (i.attacks === "none") {
      await (await engine.load(model, { threads: 1 })).close();
      return i;
    }
    const target = await openOnnxTarget(model, { ...options, engine, bounds: { low: 0, high: 1 }, threads: 1 });
    await target.close();
    const reason = target.noGradientReason;
    return reason === null || i.attacks === "scores only"
      ? i
      : { ...i, attacks: "scores only", gradient: { available: false, reason } };
  } catch (error) {
    if (!(error instanceof MarauderError) || error.code === "INTERNAL") throw error;
    const why = `${error.message}; no attack can run this file as it is`;
    const known = i.problems.length > 0 ? i.problems : [why];
    return {
      ...i,
      attacks: "none",
      gradient: { available: false, reason: known[0]! },
      problems: i.problems.length > 0 ? [...i.problems, why] : [why],
    };
  }
}
