export * from "./decompose.ts";
export { decompositions } from "./table.ts";
