import type { AnyProbe } from "../run.ts";
import { evasionProbe } from "./evasion.ts";
import { knownTriggerProbe } from "./known-trigger.ts";
import { memorizationScoreProbe } from "./memorization-score.ts";
import { membershipProbe } from "./membership.ts";

/** The probes of an audit, in the order in which they run on a subject. */
export const probes: readonly AnyProbe[] = [evasionProbe, membershipProbe, memorizationScoreProbe, knownTriggerProbe];
