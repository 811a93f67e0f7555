export { attachLoss, type LossKind, type LossNames, type LossRequest } from "./attach-loss.ts";
export { foldNormalization, type Normalization } from "./fold-normalization.ts";
export { prune } from "./prune.ts";
export { sigmoidToTwo } from "./sigmoid-to-two.ts";
export { stripOutput, type ScoreKind, type Stripped } from "./strip-output.ts";
export { symbolicBatch, type SymbolicBatch } from "./symbolic-batch.ts";
export { tapFeatures } from "./tap-features.ts";
export { ancestors, captured, dependents, namesRead, producers, readers } from "./uses.ts";
export { halfToNumber, hasFloat16, widenFloat16 } from "./widen-float16.ts";
