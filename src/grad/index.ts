export * from "./walk.ts";
export { broadcasting, rules, zeroByNature } from "./rules/index.ts";
export type { GradientContext, GradientRule } from "./context.ts";
export * from "./check-gradient.ts";
export { operatorLists, type OperatorLists } from "./operator-lists.ts";
export { jvp, type JacobianVectorProduct, type JvpOptions } from "./jvp.ts";
export { hvp, type HessianProduct, type HvpOptions } from "./hvp.ts";
