import type { RunContext } from "../../context.ts";
import type { Dataset } from "../../data/dataset.ts";
import { resolveOptions } from "../../options.ts";
import type { TrainedModel } from "../../train/trainer.ts";
import type { Detection, Suspects } from "./detector.ts";
import { detectorOf } from "./detectors.ts";
import { modelFeatures, rawFeatures } from "./features.ts";

export interface DetectSettings {
  readonly detector: string;
  readonly options?: Readonly<Record<string, unknown>>;
  /** Trusted rows; null has the detector rest on assumptions instead. */
  readonly reference: Dataset | null;
  /** A model trained on the data: spectral signatures look at what feeds its last layer. */
  readonly model: TrainedModel | null;
}

export interface Detected {
  readonly detection: Detection;
  readonly features: "raw inputs" | "what feeds the model's last layer";
  readonly suspects: Suspects;
}

/** True where the detector looks at what feeds the model's last layer. */
export const looksThroughModel = ({ detector, model }: DetectSettings): boolean =>
  model !== null && detector === "spectral-signatures";

/**
 * Runs a detector on the features that suit it. Neighbours are sought among raw inputs: a model that was trained on the rows
 * has learned their wrong labels, and puts them among their likes. Spectral signatures need the model's view, in which a
 * trigger is large; without a model they look at raw inputs too. Throws UNKNOWN_ID, DATA_LABELS, OPTION_RANGE.
 */
export async function detect(data: Dataset, settings: DetectSettings, context: RunContext): Promise<Detected> {
  const detector = detectorOf(settings.detector);
  const { model, reference } = settings;
  const byModel = looksThroughModel(settings);
  const suspects = byModel
    ? await modelFeatures(model!, data, reference)
    : rawFeatures(data, reference, context.rng.child("features"));
  const options = resolveOptions<object>(detector.options, settings.options ?? {}, `the detector ${detector.id}`);
  const detection = await detector.apply(context, suspects, options);
  return { detection, features: byModel ? "what feeds the model's last layer" : "raw inputs", suspects };
}
