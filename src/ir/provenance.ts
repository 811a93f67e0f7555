import type { Attribute, Graph, Model, Node } from "./graph.ts";
import type { AttributeProto, ModelProto } from "./proto/onnx_pb.ts";

/** What the file said of an attribute that nobody has changed. */
export const origin = new WeakMap<Attribute, AttributeProto>();

/** A message without some of its fields; its prototype holds the defaults of absent ones. */
export const shell = <T extends object>(message: T, fields: Partial<T>): T =>
  Object.assign(Object.create(Object.getPrototypeOf(message) as object) as T, message, fields);

/** The fields that a message has of its own: proto2 tells an absent field from one with its default by that. */
export const own = (message: object): object =>
  Object.fromEntries(Object.entries(message).filter(([key]) => key !== "$typeName"));

/** A node with its sub-graphs rewritten; the same node where none changed. The attributes keep what the file said. */
export function mapGraphs(node: Node, change: (graph: Graph, name: string) => Graph): Node {
  let changed = false;
  const entries = Object.entries(node.attributes).map(([name, a]): [string, Attribute] => {
    if (a.type !== "graph" && a.type !== "graphs") return [name, a];
    const before = a.type === "graph" ? [a.value] : a.value;
    const after = before.map((g) => change(g, name));
    if (after.every((g, i) => g === before[i])) return [name, a];
    changed = true;
    const made: Attribute = a.type === "graph" ? { type: "graph", value: after[0]! } : { type: "graphs", value: after };
    const known = origin.get(a);
    if (known !== undefined) origin.set(made, known);
    return [name, made];
  });
  return changed ? { ...node, attributes: Object.fromEntries(entries) } : node;
}

/** A model without the training graphs of its file: they speak the opset of the file. */
export function withoutTraining(model: Model): Model {
  const raw = model.raw as ModelProto | undefined;
  return raw === undefined || raw.trainingInfo.length === 0
    ? model
    : { ...model, raw: shell(raw, { trainingInfo: [] }) };
}
