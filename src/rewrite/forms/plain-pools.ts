import { getInts, GraphBuilder, type DimsOf, type Graph, type Node } from "../../ir/index.ts";
import { float32 } from "../../tensor/index.ts";

/** Values under a row of windows up to which their means cost less as a product with a matrix. */
const WIDEST = 64;

/**
 * Poolings of values as they are: ONNX Runtime would bring their channels into blocks first, and back, which pays between
 * convolutions of constant weights alone. A MaxPool takes each channel for an image of its own, and means over windows that
 * tile an image become one product for each row of windows. Value names stay.
 */
export function plainPools(graph: Graph, dimsOf: DimsOf): Graph {
  if (!graph.nodes.some(({ op }) => op === "MaxPool" || op === "AveragePool")) return graph;
  const b = GraphBuilder.rewriting(graph);
  const sizesOf = (name: string): readonly [number, number, number] | null => {
    const [, ...sizes] = dimsOf(name) ?? [];
    return sizes.length === 3 && sizes.every((d) => typeof d === "number") ? (sizes as [number, number, number]) : null;
  };
  for (const node of graph.nodes) {
    const [x, y] = [sizesOf(node.inputs[0] ?? ""), sizesOf(node.outputs[0] ?? "")];
    const others = node.domain !== "" || (graph.values.get(node.inputs[0] ?? "")?.dtype ?? "float32") !== "float32";
    const pooled = x === null || y === null || others ? null : form(b, node, x);
    if (pooled === null) b.append(node);
    else b.append({ ...node, op: "Reshape", inputs: [pooled, b.indices([-1, ...y!])], attributes: {} });
  }
  return b.build();
}

/** The pooled values in any shape; null where the node stays. */
function form(b: GraphBuilder, node: Node, [, height, width]: readonly [number, number, number]): string | null {
  const input = node.inputs[0]!;
  if (node.op === "MaxPool") {
    return node.outputs.length === 1
      ? b.op("MaxPool", [b.reshape(input, [-1, 1, height, width])], node.attributes)
      : null;
  }
  const [kh, kw] = node.op === "AveragePool" ? (getInts(node, "kernel_shape") ?? []) : [];
  const own = new Set(["kernel_shape", "strides"]);
  const [down, along] = getInts(node, "strides") ?? [];
  if (kh === undefined || kw === undefined || down !== kh || along !== kw) return null;
  if (Object.keys(node.attributes).some((name) => !own.has(name))) return null;
  if (height % kh !== 0 || width % kw !== 0 || kh * width > WIDEST) return null;
  const out = width / kw;
  const means = new Float32Array(kh * width * out);
  for (let i = 0; i < kh * width; i++) means[i * out + Math.floor((i % width) / kw)] = 1 / (kh * kw);
  const matrix = b.constant(float32([kh * width, out], means), "pool.means");
  return b.matmul(b.reshape(input, [-1, kh * width]), matrix);
}
