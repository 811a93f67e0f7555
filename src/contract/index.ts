export * from "./describe.ts";
export * from "./finding.ts";
export * from "./plan.ts";
export * from "./report.ts";
export * from "./run.ts";
export * from "./evidence/evidence.ts";
export * from "./evidence/known-trigger.ts";
export * from "./evidence/memorization.ts";
