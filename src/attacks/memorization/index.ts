import { entropy } from "./entropy.ts";
import { lossThreshold } from "./loss-threshold.ts";
import type { MembershipAttack } from "./membership.ts";

export { entropy, modifiedEntropy } from "./entropy.ts";
export { lossThreshold } from "./loss-threshold.ts";
export { forEachScore, logSumExp, sampleRows, type MembershipAttack, type MembershipSubject } from "./membership.ts";
export { memorizationScore, type MemorizationCounts, type MemorizationScoreOptions } from "./memorization-score.ts";

/** The membership attacks, weakest first. */
export const membershipAttacks: readonly MembershipAttack[] = [lossThreshold, entropy];
