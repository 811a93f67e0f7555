import { checkGradient } from "../grad/index.ts";
import { referenceEngine, type Engine } from "../engine/index.ts";
import { MarauderError } from "../errors.ts";
import { raiseOpset, type Model } from "../ir/index.ts";
import { seeded } from "../random/index.ts";
import { float32, sizeOf } from "../tensor/index.ts";
import { openOnnxTarget, type OnnxTargetOptions } from "../target/index.ts";
import { outcomeOf, type GradientOutcome } from "./gradient-outcome.ts";

export interface ModelGradientCheck extends GradientOutcome {
  readonly directions: number;
  /** What computed it: the float64 interpreter, or the runtime in float32 where the interpreter lacks an operator. */
  readonly engine: string;
}

/**
 * Compares the gradient of a model's scores by its input with finite differences, in random directions at a random input
 * inside the bounds. Throws CAPABILITY_MISSING with the reason where the model has no gradient.
 */
export async function checkModelGradient(
  model: Model,
  options: OnnxTargetOptions,
  { directions, seed }: { readonly directions: number; readonly seed: number },
): Promise<ModelGradientCheck> {
  const target = await openOnnxTarget(model, options);
  try {
    if (target.noGradientReason !== null) {
      throw new MarauderError("CAPABILITY_MISSING", `the model has no gradient: ${target.noGradientReason}`);
    }
    const rng = seeded(seed).child("check-gradient");
    const { low, high } = target.bounds;
    const x = new Float32Array(sizeOf(target.inputShape));
    rng.child("input").fillUniform(x, low, high);
    const { graph } = target;
    const raised = raiseOpset(graph.model);
    const check = async (engine: Engine, step: number, name: string): Promise<ModelGradientCheck> => {
      const found = await checkGradient(raised, {
        engine,
        feeds: { [graph.input]: float32([1, ...target.inputShape], x) },
        of: graph.scores,
        wrt: [graph.input],
        rng: rng.child("directions"),
        directions,
        step: step * (high - low),
      });
      return { ...outcomeOf(found), directions, engine: name };
    };
    try {
      return await check(referenceEngine({ precision: "float64" }), 1e-5, "float64 reference");
    } catch (error) {
      if (!(error instanceof MarauderError) || !["ENGINE_FAILED", "MODEL_UNSUPPORTED"].includes(error.code))
        throw error;
      return await check(options.engine, 1e-3, `${options.engine.id}, float32`);
    }
  } finally {
    await target.close();
  }
}
