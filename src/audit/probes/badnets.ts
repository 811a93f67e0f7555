import { badnets } from "../../attacks/poisoning/index.ts";
import type { DoseResponseResult } from "../../contract/index.ts";
import { defaultsOf } from "../../options.ts";
import type { Probe } from "../probe.ts";
import { doseApplies, doseOptions, measureDoses, type DoseOptions } from "./poison-dose.ts";

interface BadnetsProbeOptions extends DoseOptions {
  readonly target: number;
}

/** Success of a backdoor against the number of planted rows. */
export const badnetsProbe: Probe<BadnetsProbeOptions, DoseResponseResult> = {
  id: badnets.id,
  risk: "poisoning",
  title: "Success of a planted backdoor",
  makes: "badnets-doses",
  options: { ...doseOptions("0.001,0.002,0.005,0.01"), target: badnets.options.target },
  quick: { doses: "0.002,0.01", seeds: 1, trainRows: 5000 },
  applies: doseApplies,
  run(context, subject, options) {
    return measureDoses(context, subject, options, "badnets-doses", options.target, (inner, data, rows) =>
      badnets.run(inner, data, { ...defaultsOf(badnets.options), target: options.target, rows }),
    );
  },
};
