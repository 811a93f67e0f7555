export * from "./adversarial-training.ts";
export * from "./pate.ts";
