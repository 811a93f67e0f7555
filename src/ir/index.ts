export * from "./graph.ts";
export * from "./attributes.ts";
export * from "./builder.ts";
