import type { EvidenceBase } from "../../contract/index.ts";
import type { Check } from "../check.ts";
import { adversarialExamples } from "./adversarial-examples.ts";
import { backdoorSensitivity } from "./backdoor-sensitivity.ts";
import { gradientMasking } from "./gradient-masking.ts";
import { labelFlipSensitivity } from "./label-flip-sensitivity.ts";
import { membershipInference } from "./membership-inference.ts";
import { memorizedRows } from "./memorized-rows.ts";
import { obeyedTrigger } from "./obeyed-trigger.ts";
import { plantedRows } from "./planted-rows.ts";
import { plantedSecrets } from "./planted-secrets.ts";
import { unevenSanitization } from "./uneven-sanitization.ts";

/** The checks of an audit. Each reads its own kinds of evidence, which is why the list forgets their types. */
export const checks: readonly Check[] = [
  obeyedTrigger,
  backdoorSensitivity,
  labelFlipSensitivity,
  plantedRows,
  unevenSanitization,
  adversarialExamples,
  gradientMasking,
  membershipInference,
  memorizedRows,
  plantedSecrets,
] as readonly unknown[] as readonly Check<EvidenceBase>[];
