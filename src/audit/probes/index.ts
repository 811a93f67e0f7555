import { poisonDetectionProbe } from "./poison-detection.ts";
import { sanitizationProbe } from "./sanitization.ts";
import type { AnyProbe } from "../run.ts";
import { badnetsProbe } from "./badnets.ts";
import { exposureProbe, extractProbe } from "./secrets.ts";
import { evasionProbe } from "./evasion.ts";
import { knownTriggerProbe } from "./known-trigger.ts";
import { labelFlipProbe } from "./label-flip.ts";
import { memorizationScoreProbe } from "./memorization-score.ts";
import { membershipProbe } from "./membership.ts";

/** The probes of an audit, in the order in which they run on a subject. */
export const probes: readonly AnyProbe[] = [
  knownTriggerProbe,
  badnetsProbe,
  labelFlipProbe,
  poisonDetectionProbe,
  sanitizationProbe,
  evasionProbe,
  membershipProbe,
  memorizationScoreProbe,
  exposureProbe,
  extractProbe,
];
