import { labelFlip } from "../../attacks/poisoning/index.ts";
import type { DoseResponseResult } from "../../contract/index.ts";
import { defaultsOf } from "../../options.ts";
import type { Probe } from "../probe.ts";
import { doseApplies, doseOptions, measureDoses, type DoseOptions } from "./poison-dose.ts";

interface LabelFlipProbeOptions extends DoseOptions {
  readonly mode: "symmetric" | "pair" | "worst-case";
}

/** Accuracy lost against the number of flipped labels. */
export const labelFlipProbe: Probe<LabelFlipProbeOptions, DoseResponseResult> = {
  id: labelFlip.id,
  risk: "poisoning",
  title: "Damage by flipped labels",
  makes: "label-flip-doses",
  options: { ...doseOptions("0.02,0.05,0.1,0.2"), mode: { ...labelFlip.options.mode, default: "worst-case" } as never },
  quick: { doses: "0.05,0.2", seeds: 1, trainRows: 3000 },
  applies: doseApplies,
  run(context, subject, options) {
    return measureDoses(context, subject, options, "label-flip-doses", null, (inner, data, rows) =>
      labelFlip.run(inner, data, { ...defaultsOf(labelFlip.options), mode: options.mode, rows }),
    );
  },
};
