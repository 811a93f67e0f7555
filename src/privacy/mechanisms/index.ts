export * from "./additive.ts";
export * from "./confident-vote.ts";
export * from "./exact.ts";
export * from "./pool.ts";
export * from "./selection.ts";
export * from "./source.ts";
