export * from "./architectures.ts";
export * from "./further.ts";
export * from "./held-out-loss.ts";
export * from "./language-model.ts";
export * from "./language-options.ts";
export * from "./language-trainer.ts";
export * from "./sequences.ts";
export * from "./token-batches.ts";
export { isLanguageModel } from "./tokens-and-logits.ts";
