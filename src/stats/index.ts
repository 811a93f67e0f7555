export * from "./intervals.ts";
export * from "./special.ts";
