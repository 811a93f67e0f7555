import { decodeAttribute, decodeNode } from "./decode.ts";
import type { Attribute, Model, Node } from "./graph.ts";
import type { AttributeProto, ModelProto } from "./proto/onnx_pb.ts";

/** A function of the model file itself: nodes that stand for an operator. */
export interface ModelFunction {
  readonly domain: string;
  readonly name: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly nodes: readonly Node[];
  /** Opset of the default domain that its nodes speak; null where it uses none. */
  readonly opset: number | null;
  /** Attributes with a default. A node refers to one by an attribute of type "raw" with `refAttrName`. */
  readonly defaults: Readonly<Record<string, Attribute>>;
}

export function functionsOf(model: Model): ModelFunction[] {
  const raw = model.raw as ModelProto | undefined;
  return (raw?.functions ?? []).map((f) => ({
    domain: f.domain === "ai.onnx" ? "" : f.domain,
    name: f.name,
    inputs: f.input,
    outputs: f.output,
    nodes: f.node.map((node) => decodeNode(node, null, 0)),
    opset: Number(f.opsetImport.find((o) => o.domain === "" || o.domain === "ai.onnx")?.version ?? 0) || null,
    defaults: Object.fromEntries(f.attributeProto.map((a) => [a.name, decodeAttribute(a, null, 0)])),
  }));
}

/** The attribute of the calling node that an attribute inside a function stands for; null for an ordinary one. */
export const referenceOf = (a: Attribute): string | null =>
  a.type === "raw" ? (a.value as AttributeProto).refAttrName || null : null;
