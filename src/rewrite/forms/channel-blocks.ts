import { getFloat, getInt, GraphBuilder, int, ints, type DimsOf, type Graph, type Node } from "../../ir/index.ts";
import { readers } from "../uses.ts";

/**
 * Keeps the masks of a gradient in blocks of channels. ONNX Runtime holds what goes from convolution to convolution in
 * such blocks, but steps and repetitions (HardSigmoid, Resize) only where they follow a convolution, and each of the
 * others costs a way out of the blocks and one back in. So a convolution that changes nothing, 1 x 1 with one weight of 1 for
 * each channel, goes in front of them; the step is then computed in the same pass. Values are the same to the bit, but for
 * the sign of zeros.
 *
 * It pays where the gradient of a pooling repeats values over its windows (bench/results/gradient-forms.md), in graphs whose
 * sizes are all known: ONNX Runtime joins two values in blocks only where it sees that their shapes are
 * equal. `block` is the number of channels in one block. Value names stay; the graph itself where nothing is gained.
 */
export function channelBlocks(graph: Graph, dimsOf: DimsOf, block: number): Graph {
  const b = GraphBuilder.rewriting(graph);
  const readBy = readers(graph);
  const constant = (name: string | undefined): boolean =>
    name !== undefined && graph.constants.has(name) && !graph.inputs.some((v) => v.name === name);
  const inBlocks = new Set<string>();
  const channelsOf = (name: string): number => {
    const dims = dimsOf(name);
    return dims?.length === 4 && dims.every((d) => typeof d === "number") ? (dims[1] as number) : 0;
  };
  const fits = (name: string): boolean => channelsOf(name) > 0 && channelsOf(name) % block === 0;
  let pools = 0;
  for (const node of graph.nodes) {
    const [x = ""] = node.inputs;
    const y = node.outputs[0]!;
    const enters =
      fits(y) &&
      ((isStep(node) && inBlocks.has(x)) ||
        (node.op === "Resize" && constant(node.inputs[2]) && (readBy.get(y) ?? []).some((n) => joins(n, y, inBlocks))));
    if (enters) {
      const c = channelsOf(y);
      const same = b.op("Conv", [x, b.ones([c, 1, 1, 1])], { group: int(c), kernel_shape: ints([1, 1]) }, "blocks");
      b.append({ ...node, inputs: [same, ...node.inputs.slice(1)] });
      if (node.op === "Resize") pools++;
    } else b.append(node);
    const starts =
      node.op === "Conv" && constant(node.inputs[1]) && convolves(channelsOf(x), getInt(node, "group", 1), block);
    const carries = carriers.has(node.op) && node.inputs.every((name) => inBlocks.has(name));
    if (fits(y) && (enters || starts || carries)) inBlocks.add(y);
  }
  // Masks of ReLUs alone gain nothing: where they are, values leave the blocks only once.
  return pools > 0 ? b.build() : graph;
}

/** Whether a convolution of so many input channels runs in blocks: few channels come as they are. */
const convolves = (channels: number, group: number, block: number): boolean =>
  group === 1 && channels > 0 && (channels % block === 0 || channels < block);

/** Operators that leave values in blocks, where all of their inputs are. */
const carriers: ReadonlySet<string> = new Set(["Relu", "Add", "Sum", "Mul", "MaxPool", "AveragePool"]);

/** The mask of a ReLU or of a maximum: a HardSigmoid so steep that it is a step. */
const isStep = (node: Node): boolean => node.op === "HardSigmoid" && getFloat(node, "alpha", 0.2) >= 1e38;

/** Whether a node joins `value` with another one that is in blocks. */
const joins = (node: Node, value: string, inBlocks: ReadonlySet<string>): boolean =>
  (node.op === "Add" || node.op === "Mul") && node.inputs.some((name) => name !== value && inBlocks.has(name));
