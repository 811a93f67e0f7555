import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { MarauderError } from "../errors.ts";
import type { Tensor } from "../tensor/index.ts";
import type { Attribute, Dim, Graph, Model, Node, ValueInfo } from "./graph.ts";
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
import { checkLimits } from "./limits.ts";
import { codeOfDtype, decodeTensor, dtypeByCode, encodeTensor, isExternal, type ReadExternal } from "./tensor-codec.ts";

/** Deepest nesting of sub-graphs that is read: real models stay under 5, a hostile one could exhaust the stack. */
const MAX_DEPTH = 64;

/** What the file said of an attribute that nobody has changed. */
const origin = new WeakMap<Attribute, AttributeProto>();

export interface DecodeOptions {
  /** How to read tensors that lie beside the model; without it such a model is refused. */
  readonly readExternal?: ReadExternal;
}

/**
 * Parses an ONNX file. Everything the file says is kept, so that `encodeModel` writes it back. Throws MODEL_CORRUPT for
 * what is no ONNX file, MODEL_UNSUPPORTED for what is valid but not handled. Does not check the graph: see `validate`.
 */
export function decodeModel(bytes: Uint8Array, options: DecodeOptions = {}): Model {
  if (bytes.length === 0) throw new MarauderError("MODEL_CORRUPT", "the file is empty; expected an ONNX model");
  checkLimits(bytes);
  let proto: ModelProto;
  try {
    proto = fromBinary(ModelProtoSchema, bytes);
  } catch (error) {
    throw new MarauderError(
      "MODEL_CORRUPT",
      `not an ONNX file, or one that was cut short or damaged (${error instanceof Error ? error.message : String(error)}); export or download the model again`,
      { cause: error },
    );
  }
  if (proto.graph === undefined) {
    throw new MarauderError("MODEL_CORRUPT", "not an ONNX file: it holds no graph; expected a ModelProto with a graph");
  }
  const opsets = opsetsOf(proto);
  const metadata: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const { key, value } of proto.metadataProps) metadata[key] = value;
  return {
    irVersion: Number(proto.irVersion),
    opsets,
    producer: proto.producerName,
    producerVersion: proto.producerVersion,
    metadata,
    graph: decodeGraph(proto.graph, options.readExternal ?? null, 0),
    raw: shell(proto, { graph: undefined }),
  };
}

function opsetsOf(proto: ModelProto): Record<string, number> {
  const opsets: Record<string, number> = Object.create(null) as Record<string, number>;
  for (const { domain, version } of proto.opsetImport) opsets[domain === "ai.onnx" ? "" : domain] = Number(version);
  // Before opset imports were mandatory (IR version 3) a model spoke version 1.
  if (proto.opsetImport.length === 0) opsets[""] = 1;
  return opsets;
}

function decodeGraph(proto: GraphProto, read: ReadExternal | null, depth: number): Graph {
  if (depth > MAX_DEPTH) {
    throw new MarauderError(
      "MODEL_CORRUPT",
      `sub-graphs are nested deeper than ${MAX_DEPTH}; expected a model that a person made`,
    );
  }
  const constants = new Map<string, Tensor>();
  for (const t of proto.initializer) {
    if (constants.has(t.name))
      throw new MarauderError("MODEL_CORRUPT", `two initializers have the name '${t.name}'; names must be unique`);
    constants.set(t.name, decodeTensor(t, read));
  }
  const values = new Map<string, ValueInfo>();
  for (const v of proto.valueInfo) values.set(v.name, decodeValue(v));
  const duplicated = values.size !== proto.valueInfo.length;
  for (const { values: sparse } of proto.sparseInitializer)
    if (sparse !== undefined)
      values.set(sparse.name, { name: sparse.name, dtype: null, dims: null, kind: "sparse-tensor" });
  return {
    name: proto.name,
    inputs: proto.input.map(decodeValue),
    outputs: proto.output.map(decodeValue),
    nodes: proto.node.map((node) => decodeNode(node, read, depth)),
    constants,
    values,
    raw: shell(proto, {
      node: [],
      initializer: [],
      input: [],
      output: [],
      // A file that declares a value twice is kept as it is.
      valueInfo: duplicated ? proto.valueInfo : [],
    }),
  };
}

/** A message without some of its fields; its prototype holds the defaults of absent ones. */
const shell = <T extends object>(message: T, fields: Partial<T>): T =>
  Object.assign(Object.create(Object.getPrototypeOf(message) as object) as T, message, fields);

function decodeNode(proto: NodeProto, read: ReadExternal | null, depth: number): Node {
  const attributes: Record<string, Attribute> = Object.create(null) as Record<string, Attribute>;
  for (const a of proto.attribute) {
    if (a.name in attributes) {
      throw new MarauderError(
        "MODEL_CORRUPT",
        `node '${proto.name}' (${proto.opType}) has two attributes named '${a.name}'`,
      );
    }
    attributes[a.name] = decodeAttribute(a, read, depth);
  }
  return {
    op: proto.opType,
    domain: proto.domain === "ai.onnx" ? "" : proto.domain,
    name: proto.name,
    inputs: proto.input,
    outputs: proto.output,
    attributes,
    raw: proto,
  };
}

function decodeAttribute(proto: AttributeProto, read: ReadExternal | null, depth: number): Attribute {
  const made = attributeValue(proto, read, depth);
  const beside = [proto.t, ...proto.tensors].some((t) => t !== undefined && isExternal(t));
  if (!beside) origin.set(made, proto);
  return made;
}

function attributeValue(a: AttributeProto, read: ReadExternal | null, depth: number): Attribute {
  const raw: Attribute = { type: "raw", value: a };
  if (a.refAttrName !== "") return raw;
  switch (a.type === Kind.UNDEFINED ? guessKind(a) : a.type) {
    case Kind.FLOAT:
      return { type: "float", value: a.f };
    case Kind.INT:
      return { type: "int", value: a.i };
    case Kind.STRING:
      return { type: "string", value: a.s };
    case Kind.TENSOR:
      return a.t === undefined ? raw : { type: "tensor", value: decodeTensor(a.t, read) };
    case Kind.GRAPH:
      return a.g === undefined ? raw : { type: "graph", value: decodeGraph(a.g, read, depth + 1) };
    case Kind.FLOATS:
      return { type: "floats", value: a.floats };
    case Kind.INTS:
      return { type: "ints", value: a.ints };
    case Kind.STRINGS:
      return { type: "strings", value: a.strings };
    case Kind.TENSORS:
      return { type: "tensors", value: a.tensors.map((t) => decodeTensor(t, read)) };
    case Kind.GRAPHS:
      return { type: "graphs", value: a.graphs.map((g) => decodeGraph(g, read, depth + 1)) };
    default:
      return raw;
  }
}

/** IR versions 1 and 2 did not write the type: the field that is there tells it. */
function guessKind(a: AttributeProto): Kind {
  if (a.ints.length > 0) return Kind.INTS;
  if (a.floats.length > 0) return Kind.FLOATS;
  if (a.strings.length > 0) return Kind.STRINGS;
  if (a.t !== undefined) return Kind.TENSOR;
  if (a.g !== undefined) return Kind.GRAPH;
  if (a.s.length > 0) return Kind.STRING;
  if (a.f !== 0) return Kind.FLOAT;
  return Kind.INT;
}

const kindOfCase = {
  tensorType: "tensor",
  sparseTensorType: "sparse-tensor",
  sequenceType: "sequence",
  mapType: "map",
  optionalType: "optional",
  opaqueType: "opaque",
} as const;

function decodeValue(proto: ValueInfoProto): ValueInfo {
  const value = proto.type?.value;
  const base = { name: proto.name, raw: proto };
  if (value?.case === undefined) return { ...base, dtype: null, dims: null, kind: "unknown" };
  const kind = kindOfCase[value.case];
  if (value.case !== "tensorType") return { ...base, dtype: null, dims: null, kind };
  const { elemType, shape } = value.value;
  const dims = shape?.dim.map(({ value: d }): Dim => {
    if (d.case === "dimValue") return d.value >= 0n ? Number(d.value) : null;
    return d.case === "dimParam" && d.value !== "" ? d.value : null;
  });
  return {
    ...base,
    dtype: Object.hasOwn(dtypeByCode, elemType) ? dtypeByCode[elemType]! : null,
    dims: dims ?? null,
    kind,
  };
}

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

/** The fields that a message has of its own: proto2 tells an absent field from one with its default by that. */
const own = (message: object): object =>
  Object.fromEntries(Object.entries(message).filter(([key]) => key !== "$typeName"));

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

/** A model without the training graphs of its file: they speak the opset of the file. */
export function withoutTraining(model: Model): Model {
  const raw = model.raw as ModelProto | undefined;
  return raw === undefined || raw.trainingInfo.length === 0
    ? model
    : { ...model, raw: shell(raw, { trainingInfo: [] }) };
}
