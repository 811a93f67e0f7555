export type { Defense } from "./defense.ts";
export * from "./data/index.ts";
export * from "./training/index.ts";
