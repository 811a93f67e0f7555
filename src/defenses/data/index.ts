export * from "./detector.ts";
export * from "./detector-options.ts";
export * from "./features.ts";
export * from "./knn-label-agreement.ts";
export * from "./spectral-signatures.ts";
export * from "./top-direction.ts";
