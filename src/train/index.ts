export * from "./trainer.ts";
export * from "./loop.ts";
export * from "./architectures.ts";
export * from "./normalization.ts";
export * from "./optimizers.ts";
export * from "./parameters.ts";
export * from "./programs.ts";
export * from "./train-options.ts";
