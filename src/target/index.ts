export type * from "./target.ts";
export {
  inspectModel,
  type Assumption,
  type InspectedOperator,
  type InspectedValue,
  type Inspection,
} from "./inspect.ts";
export { inspectRunning } from "./inspect-running.ts";
export { narrow, withBudget } from "./narrow.ts";
export {
  openHttpTarget,
  type HttpConfig,
  type HttpConfigInput,
  type HttpDependencies,
  type HttpTarget,
} from "./http.ts";
export { argmaxRows, checkLabels, logOfProbabilities } from "./scores.ts";
export { openOnnxTarget, type OnnxTarget, type OnnxTargetOptions } from "./onnx.ts";
export {
  openLanguageTarget,
  textBits,
  type Continuation,
  type LanguageTarget,
  type LanguageTargetOptions,
  type Question,
} from "./language.ts";
