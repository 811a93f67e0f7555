export * from "./graph.ts";
export * from "./attributes.ts";
export * from "./builder.ts";
export { decodeModel, encodeModel, type DecodeOptions } from "./codec.ts";
export type { ReadExternal } from "./tensor-codec.ts";
export { loadModel, saveModel } from "./files.ts";
export { validate } from "./validate.ts";
export { constantOf, inferTypes } from "./infer.ts";
