import { excerpt } from "../errors.ts";
import { numberTypes, type Tensor } from "../tensor/index.ts";
import { toNumber } from "./attributes.ts";
import type { Attribute, Dim, Graph, Model, Node, ValueInfo } from "./graph.ts";

/** Longest list of numbers that is written out. */
const SHOWN = 8;
/** Longest text of the file that is written out. */
const TEXT = 60;

/**
 * The model as text: a header, inputs and outputs with types, constants with shape and range, one line for a node,
 * sub-graphs indented. Text from the file may hold anything: control characters are escaped.
 */
export function printModel(model: Model): string {
  const opsets = Object.entries(model.opsets).map(([domain, v]) => `${domain === "" ? "ai.onnx" : plain(domain)} ${v}`);
  const producer = [model.producer, model.producerVersion].filter((t) => t !== "").map(plain);
  const lines = [
    `model: IR version ${model.irVersion}; opsets ${opsets.join(", ") || "none"}`,
    ...(producer.length > 0 ? [`producer: ${producer.join(" ")}`] : []),
    ...Object.entries(model.metadata).map(([k, v]) => `metadata: ${plain(k)} = ${plain(v)}`),
    ...printGraph(model.graph, ""),
  ];
  return lines.join("\n");
}

/** One graph as lines of text. */
export function printGraph(graph: Graph, indent = ""): string[] {
  const types = new Map<string, ValueInfo>(graph.values);
  for (const v of graph.outputs) if (!types.has(v.name)) types.set(v.name, v);
  const inner = `${indent}  `;
  const lines = [`${indent}graph ${plain(graph.name)} {`];
  for (const v of graph.inputs)
    lines.push(
      `${inner}input ${value(v.name)}: ${typeText(v)}${graph.constants.has(v.name) ? " (has a default)" : ""}`,
    );
  for (const [name, t] of graph.constants) lines.push(`${inner}constant ${value(name)}: ${tensorText(t)}`);
  for (const node of graph.nodes) lines.push(...printNode(node, types, inner));
  for (const v of graph.outputs) lines.push(`${inner}output ${value(v.name)}: ${typeText(types.get(v.name) ?? v)}`);
  return [...lines, `${indent}}`];
}

/** `%y: float32[N, 10] = Gemm(%x, %w, %b) {transB=1}`, then its sub-graphs. */
function printNode(node: Node, types: ReadonlyMap<string, ValueInfo>, indent: string): string[] {
  const outputs = node.outputs.map((name) => {
    const type = types.get(name);
    return name === "" ? "_" : value(name) + (type === undefined ? "" : `: ${typeText(type)}`);
  });
  const inputs = node.inputs.map((name) => (name === "" ? "_" : value(name)));
  const graphs: string[] = [];
  const attributes: string[] = [];
  for (const [name, a] of Object.entries(node.attributes)) {
    if (a.type !== "graph" && a.type !== "graphs") attributes.push(`${plain(name)}=${attributeText(a)}`);
    else
      for (const g of a.type === "graph" ? [a.value] : a.value) {
        graphs.push(`${indent}  ${plain(name)} =`, ...printGraph(g, `${indent}  `));
      }
  }
  const op = node.domain === "" ? plain(node.op) : `${plain(node.domain)}.${plain(node.op)}`;
  const braces = attributes.length > 0 ? ` {${attributes.join(", ")}}` : "";
  return [`${indent}${outputs.join(", ")} = ${op}(${inputs.join(", ")})${braces}`, ...graphs];
}

/** Text of the file, made fit for a terminal. */
const plain = (text: string): string => excerpt(text, TEXT);

const value = (name: string): string => `%${plain(name)}`;
const dim = (d: Dim): string => (d === null ? "?" : typeof d === "string" ? plain(d) : String(d));

/** `float32[N, 10]`; `?` where unknown. */
export function typeText(v: ValueInfo): string {
  if (v.kind !== "tensor") return v.kind;
  return `${v.dtype ?? "?"}${v.dims === null ? "[...]" : `[${v.dims.map(dim).join(", ")}]`}`;
}

const short = (v: number | bigint): string => (typeof v === "bigint" ? String(v) : String(Number(v.toPrecision(6))));

function list(values: readonly (number | bigint)[]): string {
  const shown = values.slice(0, SHOWN).map(short);
  return `[${shown.join(", ")}${values.length > SHOWN ? `, … ${values.length} in all` : ""}]`;
}

const decoder = new TextDecoder();

function attributeText(a: Attribute): string {
  switch (a.type) {
    case "float":
    case "int":
      return short(a.value);
    case "string":
      return JSON.stringify(plain(decoder.decode(a.value.subarray(0, 4 * TEXT))));
    case "floats":
    case "ints":
      return list(a.value);
    case "strings": {
      const shown = a.value.slice(0, SHOWN).map((s) => JSON.stringify(plain(decoder.decode(s.subarray(0, 4 * TEXT)))));
      return `[${shown.join(", ")}${a.value.length > SHOWN ? `, … ${a.value.length} in all` : ""}]`;
    }
    case "tensor":
      return tensorText(a.value);
    case "tensors":
      return `${a.value.length} tensors`;
    default:
      return a.type === "raw" ? "(carried, not understood)" : a.type;
  }
}

/** Shape and content of a tensor: few elements in full, many by their range. */
export function tensorText(t: Tensor): string {
  const head = `${t.dtype}[${t.dims.join(", ")}]`;
  if (t.data.length === 0) return `${head} empty`;
  if (t.dtype === "string") {
    const texts = (t.data as string[]).slice(0, SHOWN).map((s) => JSON.stringify(plain(s)));
    return `${head} = [${texts.join(", ")}${t.data.length > SHOWN ? ", …" : ""}]`;
  }
  // The other types are stored as bit patterns, whose range would say nothing.
  if (!numberTypes.includes(t.dtype)) return head;
  if (t.data.length <= SHOWN) return `${head} = ${list(Array.from(t.data as ArrayLike<number | bigint>))}`;
  const { low, high, notFinite } = rangeOf(t.data as ArrayLike<number | bigint>);
  const odd = notFinite > 0 ? `, ${notFinite} not finite` : "";
  return low > high ? `${head}${odd}` : `${head} in [${short(low)}, ${short(high)}]${odd}`;
}

/** Least and greatest finite element. */
function rangeOf(data: ArrayLike<number | bigint>): { low: number; high: number; notFinite: number } {
  let [low, high, notFinite] = [Infinity, -Infinity, 0];
  for (let i = 0; i < data.length; i++) {
    const raw = data[i]!;
    const v = typeof raw === "bigint" ? toNumber(raw) : raw;
    if (!Number.isFinite(v)) notFinite++;
    else {
      if (v < low) low = v;
      if (v > high) high = v;
    }
  }
  return { low, high, notFinite };
}
