import { subgraphs } from "../ir/index.ts";
import type { Attribute, Graph, Node, ValueInfo } from "../ir/index.ts";
import { sizeOf, tensor } from "../tensor/index.ts";
import type { Tensor } from "../tensor/index.ts";

/**
 * A float16 graph as a float32 graph with the same weights: every float16 number is a float32 number, so the weights
 * are exact and the sums are more precise. Attacks then have gradients with float32's range.
 */
export function widenFloat16(graph: Graph): Graph {
  return {
    ...graph,
    inputs: graph.inputs.map(widenInfo),
    outputs: graph.outputs.map(widenInfo),
    nodes: graph.nodes.map(widenNode),
    constants: new Map([...graph.constants].map(([name, value]) => [name, widenTensor(value)])),
    values: new Map([...graph.values].map(([name, info]) => [name, widenInfo(info)])),
  };
}

/** True where a float16 tensor occurs among inputs, constants or casts. */
export function hasFloat16(graph: Graph): boolean {
  return (
    graph.inputs.some((i) => i.dtype === "float16") ||
    [...graph.constants.values()].some((t) => t.dtype === "float16") ||
    graph.nodes.some(
      (node) =>
        castsTo(node) === FLOAT16 ||
        Object.values(node.attributes).some((a) => a.type === "tensor" && a.value.dtype === "float16") ||
        subgraphs(node).some(hasFloat16),
    )
  );
}

const FLOAT = 1n;
const FLOAT16 = 10n;

/** Attributes that name an element type: Cast `to`, and `dtype` of the operators that make or type a tensor. */
const typeAttributes = ["to", "dtype", "stash_type", "output_dtype"];

function castsTo(node: Node): bigint | null {
  for (const name of typeAttributes) {
    const a = node.attributes[name];
    if (a?.type === "int" && a.value === FLOAT16) return FLOAT16;
  }
  return null;
}

const widenInfo = (info: ValueInfo): ValueInfo =>
  // `raw` holds the file's own words about the type and would win over the new one.
  info.dtype === "float16" ? { name: info.name, dtype: "float32", dims: info.dims, kind: info.kind } : info;

function widenNode(node: Node): Node {
  let changed = false;
  const attributes: Record<string, Attribute> = {};
  for (const [name, a] of Object.entries(node.attributes)) {
    const wide = widenAttribute(name, a);
    if (wide !== a) changed = true;
    attributes[name] = wide;
  }
  return changed ? { ...node, attributes } : node;
}

function widenAttribute(name: string, a: Attribute): Attribute {
  if (a.type === "int") return typeAttributes.includes(name) && a.value === FLOAT16 ? { ...a, value: FLOAT } : a;
  if (a.type === "tensor") return a.value.dtype === "float16" ? { ...a, value: widenTensor(a.value) } : a;
  if (a.type === "graph") return hasFloat16(a.value) ? { ...a, value: widenFloat16(a.value) } : a;
  return a;
}

function widenTensor(value: Tensor): Tensor {
  if (value.dtype !== "float16") return value;
  const bits = value.data as Uint16Array;
  const out = new Float32Array(sizeOf(value.dims));
  for (let i = 0; i < out.length; i++) out[i] = halfToNumber(bits[i]!);
  return tensor("float32", value.dims, out);
}

/** The value of IEEE 754 binary16 bits. */
export function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
