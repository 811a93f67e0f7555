export type { Engine, Run, Session, SessionOptions } from "./engine.ts";
export { ortEngine } from "./ort-node.ts";
export { referenceEngine, type ReferenceOptions } from "./reference.ts";
