import type { EvidenceBase } from "../../contract/index.ts";
import type { Check } from "../check.ts";
import { adversarialExamples } from "./adversarial-examples.ts";
import { gradientMasking } from "./gradient-masking.ts";
import { membershipInference } from "./membership-inference.ts";
import { memorizedRows } from "./memorized-rows.ts";
import { obeyedTrigger } from "./obeyed-trigger.ts";

/** The checks of an audit. Each reads its own kinds of evidence, which is why the list forgets their types. */
export const checks: readonly Check[] = [
  obeyedTrigger,
  adversarialExamples,
  gradientMasking,
  membershipInference,
  memorizedRows,
] as readonly unknown[] as readonly Check<EvidenceBase>[];
