import { MarauderError } from "../../errors.ts";
import type { Detector } from "./detector.ts";
import { knnLabelAgreement } from "./knn-label-agreement.ts";
import { spectralSignatures } from "./spectral-signatures.ts";

/** All detectors of poisoned rows. */
// oxlint-disable-next-line typescript/no-explicit-any -- a list of detectors with different options
export const detectors: readonly Detector<any>[] = [spectralSignatures, knnLabelAgreement];

/** Throws UNKNOWN_ID. */
// oxlint-disable-next-line typescript/no-explicit-any -- as above
export function detectorOf(id: string): Detector<any> {
  const found = detectors.find((d) => d.id === id);
  if (found === undefined) {
    throw new MarauderError(
      "UNKNOWN_ID",
      `no detector has the id ${JSON.stringify(id)}; expected one of ${detectors.map((d) => d.id).join(", ")}`,
    );
  }
  return found;
}
