export * from "./intervals.ts";
export * from "./special.ts";
export * from "./difference.ts";
export * from "./roc.ts";
export * from "./bootstrap.ts";
export * from "./mcnemar.ts";
export * from "./quantiles.ts";
export * from "./shift.ts";
