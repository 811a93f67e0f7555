export * from "./adversarial-training.ts";
