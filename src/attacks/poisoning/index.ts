export * from "./poison.ts";
export * from "./label-flip.ts";
export * from "./badnets.ts";
export * from "./trigger.ts";
export * from "./measure.ts";
export * from "./dose-response.ts";
