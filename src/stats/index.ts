export * from "./intervals.ts";
export * from "./special.ts";
export * from "./difference.ts";
