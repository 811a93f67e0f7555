import { entropy } from "./entropy.ts";
import { exposure } from "./exposure.ts";
import { extract } from "./extract.ts";
import { lossThreshold } from "./loss-threshold.ts";
import type { MembershipAttack } from "./membership.ts";

export { entropy, modifiedEntropy } from "./entropy.ts";
export { lossThreshold } from "./loss-threshold.ts";
export { forEachScore, sampleRows, type MembershipAttack, type MembershipSubject } from "./membership.ts";
export { memorizationScore, type MemorizationCounts, type MemorizationScoreOptions } from "./memorization-score.ts";
export { byFormat, lineBefore, type CanarySubject } from "./canary-subject.ts";
export { exposure, type CanaryExposure, type ExposureOptions } from "./exposure.ts";
export { extract, type Extraction, type ExtractOptions } from "./extract.ts";

/** The membership attacks, weakest first. */
export const membershipAttacks: readonly MembershipAttack[] = [lossThreshold, entropy];

/** The attacks on a language model that was trained on text with planted secrets. */
export const secretAttacks = [exposure, extract] as const;
