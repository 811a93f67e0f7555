export type { Attack } from "./attack.ts";
export * from "./evasion/index.ts";
export * from "./poisoning/index.ts";
export * from "./memorization/index.ts";
