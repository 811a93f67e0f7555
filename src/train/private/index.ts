export * from "./plan.ts";
export {
  makePrivateTrainer,
  wholeEvent,
  type PrivateExamples,
  type PrivateHooks,
  type PrivateResult,
  type PrivateTrainer,
} from "./trainer.ts";
export type { PrivateTrainOptions } from "./options.ts";
export { poissonSampler, type DrawnBatch } from "./sampler.ts";
export { openNoise, type GridSum, type PrivateNoise } from "./noise.ts";
export { eventLog, type EventLog } from "./event-log.ts";
export * from "./architectures.ts";
export * from "./classifier.ts";
export { featuresOf, linearHead, scatteringModel, type ScatteringSpec } from "./scattering.ts";
export { lastLayers } from "./last-layers.ts";
export { centred, privateMean, type PrivateMean } from "./private-mean.ts";
