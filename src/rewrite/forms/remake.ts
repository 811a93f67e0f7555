import { GraphBuilder, int, type DimsOf, type Graph, type Node } from "../../ir/index.ts";
import { sizeOf } from "../../tensor/index.ts";
import { producers, readers } from "../uses.ts";
import { AGAIN } from "./winograd.ts";

/** Numbers of an operand up to which it counts as a scale, a shift or a transform, and no value of its own. */
const SMALL = 2 ** 16;
const views: ReadonlySet<string> = new Set(["Reshape", "Identity"]);
const passes: ReadonlySet<string> = new Set(["Relu", "Transpose"]);
const withSmall: ReadonlySet<string> = new Set(["Add", "Sub", "Mul", "Div", "MatMul", "Gemm"]);

/** How a value is made from `from`, of sizes [first, ...sizes], that is in memory anyway. */
interface Recipe {
  readonly from: string;
  readonly sizes: readonly number[];
  readonly nodes: readonly Node[];
}

/**
 * Nodes from `first` on, the backward pass, make values of the forward pass again that are soon made from what stays in
 * memory anyway, instead of keeping them: transformed kernels and tiles of minimal filtering (`AGAIN`), and masks of ReLUs
 * behind a normalized value that was scaled and shifted. What is made again comes ahead of the other nodes of the backward
 * pass: of two inputs, ONNX Runtime makes the earlier one last.
 */
export function remake(graph: Graph, first: number, dimsOf: DimsOf): Graph {
  const makers = producers({ ...graph, nodes: graph.nodes.slice(0, first) });
  const isInput = new Set(graph.inputs.map(({ name }) => name));
  const isOutput = new Set(graph.outputs.map(({ name }) => name));
  const readBy = readers(graph);
  const after = graph.nodes.slice(first);
  const later = new Set(after);
  const isSmall = (name: string | undefined): boolean => {
    const dims = name === undefined ? null : dimsOf(name);
    return dims !== null && dims.every((d) => typeof d === "number") && sizeOf(dims) <= SMALL;
  };
  /** What nodes of the backward pass will read instead, by the name that they read now. */
  const instead = new Map<Node, Map<string, Recipe>>();
  const stays = (name: string): boolean =>
    isInput.has(name) || (readBy.get(name) ?? []).some((node) => later.has(node) && !instead.has(node));
  /** The nodes from a value that stays to `name`; null where there is no such way. */
  const way = (name: string): readonly Node[] | null => {
    if (!name.startsWith(AGAIN) && stays(name)) return [];
    const node = makers.get(name);
    if (node === undefined || node.domain !== "" || node.outputs.length !== 1) return null;
    const [a, b] = node.inputs as [string, string?];
    const other = views.has(node.op) || passes.has(node.op) || (withSmall.has(node.op) && isSmall(b));
    if (!other && !(withSmall.has(node.op) && isSmall(a))) return null;
    const before = way(other ? a : b!);
    return before === null ? null : [...before, node];
  };
  const recipeOf = (name: string): Recipe | null => {
    const nodes = way(name);
    if (nodes === null || nodes.every(({ op }) => views.has(op))) return null;
    const from = nodes[0]!.inputs.find((input) => !isSmall(input)) ?? nodes[0]!.inputs[0]!;
    const sizes = dimsOf(from)?.slice(1);
    return sizes?.every((d) => typeof d === "number") ? { from, sizes, nodes } : null;
  };
  const plan = (node: Node, name: string, recipe: Recipe | null): void => {
    if (recipe !== null) instead.set(node, new Map(instead.get(node)).set(name, recipe));
  };
  for (const node of after) {
    const relu = node.op === "HardSigmoid" ? makers.get(node.inputs[0]!) : undefined;
    const output = relu?.outputs[0] ?? "";
    const only = (readBy.get(output) ?? []).filter((reader) => later.has(reader)).length === 1;
    if (relu?.op === "Relu" && only && !isOutput.has(output)) plan(node, output, recipeOf(relu.inputs[0]!));
  }
  for (const node of after)
    for (const name of node.inputs) if (name.startsWith(AGAIN)) plan(node, name, recipeOf(name));
  if (instead.size === 0) return graph;

  const b = GraphBuilder.rewriting(graph);
  for (const node of graph.nodes.slice(0, first)) b.append(node);
  const made = new Map<string, string>();
  const follow = ({ from, sizes, nodes }: Recipe): string => {
    const target = nodes.at(-1)!.outputs[0]!;
    const known = made.get(target);
    if (known !== undefined) return known;
    // Flat in between: a node with the same inputs as the forward pass's would be found to be the same.
    let [old, own] = [from, b.reshape(b.op("Flatten", [from], { axis: int(1) }), [0, ...sizes])];
    for (const { op, inputs, outputs, attributes } of nodes) {
      const again = inputs.map((name) => (name === old ? own : name));
      own = b.op(op, again, attributes);
      old = outputs[0]!;
    }
    made.set(target, own);
    return own;
  };
  const written = new Map<Node, Node>();
  for (const [node, recipes] of instead) {
    const inputs = node.inputs.map((name) => (recipes.has(name) ? follow(recipes.get(name)!) : name));
    written.set(node, { ...node, inputs });
  }
  const isMask = ({ op }: Node): boolean => op === "HardSigmoid";
  for (const [old, node] of written) if (isMask(old)) b.append(node);
  for (const node of after) if (!(written.has(node) && isMask(node))) b.append(written.get(node) ?? node);
  return b.build();
}
