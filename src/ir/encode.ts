import { create, toBinary } from "@bufbuild/protobuf";
import { decodeValue, opsetsOf } from "./decode.ts";
import type { Attribute, Graph, Model, Node, ValueInfo } from "./graph.ts";
import {
  AttributeProto_AttributeType as Kind,
  AttributeProtoSchema,
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  StringStringEntryProtoSchema,
  TensorProto_DataLocation,
  TensorProtoSchema,
  TensorShapeProto_DimensionSchema,
  TensorShapeProtoSchema,
  TypeProto_TensorSchema,
  TypeProtoSchema,
  ValueInfoProtoSchema,
  type AttributeProto,
  type GraphProto,
  type ModelProto,
  type NodeProto,
  type TypeProto,
  type ValueInfoProto,
} from "./proto/onnx_pb.ts";
import { origin, own } from "./provenance.ts";
import { codeOfDtype, encodeTensor } from "./tensor-codec.ts";

/** Writes a model. What came from a file and was not changed is written as it was. */
export function encodeModel(model: Model): Uint8Array {
  return toBinary(ModelProtoSchema, modelProto(model));
}

/**
 * The same with every constant of at least `leastBytes` left out of the bytes: they name a location instead, under which
 * `apart` holds the constant's own memory. Saves the copies where the reader takes external data from memory.
 */
export function encodeApart(model: Model, leastBytes: number): { bytes: Uint8Array; apart: Map<string, Uint8Array> } {
  const proto = modelProto(model);
  const apart = new Map<string, Uint8Array>();
  const initializer = proto.graph!.initializer.map((t) => {
    if (t.rawData.byteLength < leastBytes) return t;
    const location = `constant${apart.size}`;
    apart.set(location, t.rawData);
    const { name, dims, dataType } = t;
    const externalData = [
      create(StringStringEntryProtoSchema, { key: "location", value: location }),
      create(StringStringEntryProtoSchema, { key: "length", value: String(t.rawData.byteLength) }),
    ];
    const dataLocation = TensorProto_DataLocation.EXTERNAL;
    return create(TensorProtoSchema, { name, dims, dataType, dataLocation, externalData });
  });
  const graph = Object.assign(create(GraphProtoSchema), own(proto.graph!), { initializer });
  return { bytes: toBinary(ModelProtoSchema, Object.assign(create(ModelProtoSchema), own(proto), { graph })), apart };
}

function modelProto(model: Model): ModelProto {
  const raw = model.raw as ModelProto | undefined;
  const base = raw === undefined ? create(ModelProtoSchema) : raw;
  const before = opsetsOf(base);
  const same =
    Object.keys(before).length === Object.keys(model.opsets).length &&
    Object.entries(model.opsets).every(([d, v]) => before[d] === v);
  const opsetImport = same
    ? base.opsetImport
    : Object.entries(model.opsets).map(([domain, version]) =>
        create(OperatorSetIdProtoSchema, { domain, version: BigInt(version) }),
      );
  const metadataProps = Object.entries(model.metadata).map(([key, value]) => {
    const known = base.metadataProps.find((m) => m.key === key && m.value === value);
    return known ?? create(StringStringEntryProtoSchema, { key, value });
  });
  const set = <K extends keyof ModelProto>(key: K, value: ModelProto[K]): object =>
    base[key] === value ? {} : { [key]: value };
  return Object.assign(create(ModelProtoSchema), own(base), {
    ...set("irVersion", BigInt(model.irVersion)),
    ...set("producerName", model.producer),
    ...set("producerVersion", model.producerVersion),
    opsetImport,
    metadataProps,
    graph: graphProto(model.graph),
  });
}

function graphProto(graph: Graph): GraphProto {
  const raw = graph.raw as GraphProto | undefined;
  const proto = Object.assign(create(GraphProtoSchema), raw === undefined ? {} : own(raw));
  if (proto.name !== graph.name || raw === undefined) proto.name = graph.name;
  proto.node = graph.nodes.map(nodeProto);
  proto.initializer = Array.from(graph.constants, ([name, value]) => encodeTensor(value, name));
  proto.input = graph.inputs.map(valueProto);
  proto.output = graph.outputs.map(valueProto);
  const declared = raw?.valueInfo ?? [];
  // Inferred types are not written: a reader infers its own, and the file stays as its author wrote it.
  const written = [...graph.values.values()].filter((v) => v.raw !== undefined);
  proto.valueInfo = declared.length > 0 ? declared : written.map(valueProto);
  return proto;
}

function nodeProto(node: Node): NodeProto {
  const raw = node.raw as NodeProto | undefined;
  const proto = Object.assign(create(NodeProtoSchema), raw === undefined ? {} : own(raw));
  proto.input = [...node.inputs];
  proto.output = [...node.outputs];
  if (proto.opType !== node.op) proto.opType = node.op;
  if (proto.name !== node.name) proto.name = node.name;
  if ((proto.domain === "ai.onnx" ? "" : proto.domain) !== node.domain) proto.domain = node.domain;
  const order = new Map(raw?.attribute.map((a, i) => [a.name, i]));
  proto.attribute = Object.entries(node.attributes)
    .toSorted(([a], [b]) => (order.get(a) ?? Infinity) - (order.get(b) ?? Infinity) || 0)
    .map(([name, value]) => attributeProto(name, value));
  return proto;
}

function attributeProto(name: string, a: Attribute): AttributeProto {
  const known = origin.get(a);
  const subgraph = a.type === "graph" || a.type === "graphs";
  if (known !== undefined && known.name === name && !subgraph) return known;
  const proto = Object.assign(create(AttributeProtoSchema), known === undefined ? {} : own(known), { name });
  switch (a.type) {
    case "float":
      return Object.assign(proto, { type: Kind.FLOAT, f: a.value });
    case "int":
      return Object.assign(proto, { type: Kind.INT, i: a.value });
    case "string":
      return Object.assign(proto, { type: Kind.STRING, s: a.value });
    case "tensor":
      return Object.assign(proto, { type: Kind.TENSOR, t: encodeTensor(a.value, known?.t?.name ?? "") });
    case "graph":
      return Object.assign(proto, known === undefined ? { type: Kind.GRAPH } : {}, { g: graphProto(a.value) });
    case "floats":
      return Object.assign(proto, { type: Kind.FLOATS, floats: [...a.value] });
    case "ints":
      return Object.assign(proto, { type: Kind.INTS, ints: [...a.value] });
    case "strings":
      return Object.assign(proto, { type: Kind.STRINGS, strings: [...a.value] });
    case "tensors":
      return Object.assign(proto, { type: Kind.TENSORS, tensors: a.value.map((t) => encodeTensor(t, "")) });
    case "graphs":
      return Object.assign(proto, known === undefined ? { type: Kind.GRAPHS } : {}, {
        graphs: a.value.map(graphProto),
      });
    default:
      return Object.assign(create(AttributeProtoSchema), own(a.value as AttributeProto), { name });
  }
}

function valueProto(value: ValueInfo): ValueInfoProto {
  const raw = value.raw as ValueInfoProto | undefined;
  if (raw !== undefined && raw.name === value.name && sameType(decodeValue(raw), value)) return raw;
  const proto = Object.assign(create(ValueInfoProtoSchema), raw === undefined ? {} : own(raw), { name: value.name });
  if (value.kind === "tensor") proto.type = tensorType(value);
  return proto;
}

const sameType = (a: ValueInfo, b: ValueInfo): boolean =>
  a.kind === b.kind &&
  a.dtype === b.dtype &&
  (a.dims === null ? b.dims === null : a.dims.length === b.dims?.length && a.dims.every((d, i) => d === b.dims![i]));

function tensorType({ dtype, dims }: ValueInfo): TypeProto {
  const dim = dims?.map((d) => {
    const proto = create(TensorShapeProto_DimensionSchema);
    if (typeof d === "number") proto.value = { case: "dimValue", value: BigInt(d) };
    else if (d !== null) proto.value = { case: "dimParam", value: d };
    return proto;
  });
  const value = create(TypeProto_TensorSchema, dtype === null ? {} : { elemType: codeOfDtype[dtype] });
  if (dim !== undefined) value.shape = create(TensorShapeProtoSchema, { dim });
  return create(TypeProtoSchema, { value: { case: "tensorType", value } });
}
