export * from "./graph.ts";
export * from "./attributes.ts";
export * from "./builder.ts";
export {
  decodeModel,
  encodeApart,
  encodeModel,
  functionsOf,
  referenceOf,
  type DecodeOptions,
  type ModelFunction,
} from "./codec.ts";
export type { ReadExternal } from "./tensor-codec.ts";
export { loadModel, saveModel } from "./files.ts";
export { validate } from "./validate.ts";
export { constantOf, inferContents, inferTypes } from "./infer.ts";
export { printGraph, printModel, tensorText, typeText } from "./print.ts";
export { summarize, type ModelSummary } from "./summary.ts";
export { NEWEST_OPSET, OLDEST_OPSET, raiseOpset } from "./raise.ts";
