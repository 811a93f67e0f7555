export * from "./intervals.ts";
export * from "./special.ts";
export * from "./difference.ts";
export * from "./roc.ts";
