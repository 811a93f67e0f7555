import { fromBinary } from "@bufbuild/protobuf";
import { MarauderError } from "../errors.ts";
import type { Tensor } from "../tensor/index.ts";
import type { Attribute, Dim, Graph, Model, Node, ValueInfo } from "./graph.ts";
import { checkLimits } from "./limits.ts";
import {
  AttributeProto_AttributeType as Kind,
  ModelProtoSchema,
  type AttributeProto,
  type GraphProto,
  type ModelProto,
  type NodeProto,
  type ValueInfoProto,
} from "./proto/onnx_pb.ts";
import { origin, shell } from "./provenance.ts";
import { decodeTensor, dtypeByCode, isExternal, type ReadExternal } from "./tensor-codec.ts";

/** Deepest nesting of sub-graphs that is read: real models stay under 5, a hostile one could exhaust the stack. */
const MAX_DEPTH = 64;

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

export function opsetsOf(proto: ModelProto): Record<string, number> {
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

export function decodeNode(proto: NodeProto, read: ReadExternal | null, depth: number): Node {
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

export function decodeAttribute(proto: AttributeProto, read: ReadExternal | null, depth: number): Attribute {
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

export function decodeValue(proto: ValueInfoProto): ValueInfo {
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
