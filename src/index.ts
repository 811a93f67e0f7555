// The table of contents. Each line is also a subpath: `marauder-ml/grad`, `marauder-ml/attacks`, ...
// Nothing here loads ONNX Runtime, DuckDB or sharp: they are loaded when the first model, table or image is opened.

// Audit: a plan or one model with its data in, a report out.
export {
  audit,
  auditPlan,
  catalog,
  checkPlan,
  checks,
  findEntry,
  openSubject,
  parsePlan,
  probes,
  rejudge,
  type AuditSettings,
  type AuditSubject,
  type Check,
  type PlanInput,
  type Probe,
} from "./audit/index.ts";
export type { EvidenceBase, Finding, Interval, Plan, Report } from "./contract/index.ts";
export {
  parseReport,
  parseReportText,
  renderHtml,
  renderMarkdown,
  renderSarif,
  renderTerminal,
} from "./report/index.ts";

// Targets: a model file or an endpoint, with bounds and a meter.
export {
  inspectModel,
  narrow,
  openHttpTarget,
  openLanguageTarget,
  openOnnxTarget,
  withBudget,
  type Bounds,
  type Capability,
  type HttpConfig,
  type LanguageTarget,
  type OnnxTarget,
  type Target,
} from "./target/index.ts";

// Evasion: attacks at prediction, run and judged by one frame.
export {
  apgdCe,
  evasionAttacks,
  fgsm,
  pgd,
  randomNoise,
  runEvasion,
  square,
  type EvasionAttack,
  type EvasionResult,
  type EvasionSettings,
} from "./attacks/evasion/index.ts";

// Poisoning: attacks on training data, what they cost the attacker, and what finds them.
export {
  badnets,
  doseResponse,
  labelFlip,
  plantTrigger,
  type DoseResponse,
  type Poisoned,
} from "./attacks/poisoning/index.ts";
export {
  auditSanitization,
  detect,
  detectors,
  knnLabelAgreement,
  sanitize,
  spectralSignatures,
  type Detection,
  type Sanitized,
} from "./defenses/data/index.ts";
export { adversarialTraining, pate } from "./defenses/training/index.ts";

// Memorization: who was in the training data.
export {
  entropy,
  exposure,
  extract,
  lineBefore,
  lossThreshold,
  membershipAttacks,
  memorizationScore,
  type CanaryExposure,
  type CanarySubject,
  type Extraction,
  type MembershipAttack,
} from "./attacks/memorization/index.ts";
export type { Attack } from "./attacks/attack.ts";
export type { Defense } from "./defenses/defense.ts";

// Data and training.
export {
  concat,
  drawDigits,
  makeAnimals,
  makeNotes,
  makeTransactions,
  openDataset,
  split,
  take,
  withFeatures,
  withLabels,
  writeTable,
  type Dataset,
} from "./data/index.ts";
export { makeTrainer, type Arch, type TrainedModel, type Trainer, type TrainOptions } from "./train/index.ts";
export {
  heldOutLoss,
  makeLanguageTrainer,
  openLanguageModel,
  records,
  windows,
  type LanguageModel,
  type LanguageOptions,
  type Sequences,
} from "./train/index.ts";

// Text, and secrets planted in it.
export {
  byteVocabulary,
  candidateSpace,
  characterVocabulary,
  drawCanaries,
  makeManifest,
  parseManifest,
  plainText,
  plantCanaries,
  readTexts,
  vocabularyOf,
  type Canary,
  type CanaryManifest,
  type CanaryPlan,
  type TextRecord,
  type Vocabulary,
} from "./data/text/index.ts";

// Models as values: read, write, build, rewrite, differentiate, run.
export {
  decodeModel,
  encodeModel,
  GraphBuilder,
  inferTypes,
  loadModel,
  printModel,
  raiseOpset,
  saveModel,
  validate,
  type Graph,
  type Model,
  type Node,
} from "./ir/index.ts";
export { attachLoss, foldNormalization, prune, stripOutput, symbolicBatch, tapFeatures } from "./rewrite/index.ts";
export { checkGradient, grad, operatorLists, type Gradient, type GradientRule } from "./grad/index.ts";
export { ortEngine, referenceEngine, type Engine, type Session } from "./engine/index.ts";
export { float32, int64, sizeOf, tensor, type DType, type Tensor } from "./tensor/index.ts";

// Differential privacy: what a training or a service spends, and the noise that a budget needs.
export {
  account,
  calibrate,
  guaranteedEpsilon,
  privacyStatement,
  statementText,
  type Account,
  type DpEvent,
  type PrivacyStatement,
} from "./privacy/index.ts";

// Numbers: randomness that is reproducible, intervals that are honest.
export { seeded, type Rng } from "./random/index.ts";
export { auc, bootstrap, clopperPearson, differenceInterval, roc, tprAtFpr, wilson } from "./stats/index.ts";
export { runContext, type RunContextOptions } from "./context.ts";
export type { RunContext } from "./context.ts";
export { defaultsOf, resolveOptions } from "./options.ts";
export { errorCodes, isCancelled, MarauderError, type ErrorCode } from "./errors.ts";
export { version } from "./version.ts";
