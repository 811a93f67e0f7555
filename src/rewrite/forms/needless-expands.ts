import type { DimsOf, Graph, Node } from "../../ir/index.ts";
import { producers } from "../uses.ts";

const alike: ReadonlySet<string> = new Set(["Add", "Sub", "Mul", "Div"]);

/**
 * Takes away an Expand to the shape of a value before arithmetic with another of that very shape, which expands by itself: a
 * pass over the whole shape less. `Shape` may stand for the sizes, or the gradient of a sum would not know them.
 */
export function needlessExpands(graph: Graph, dimsOf: DimsOf): Graph {
  const madeBy = producers(graph);
  /** What an Expand expands, and to which sizes. */
  const expanded = (name: string | undefined): { readonly from: string; readonly dims: string } | null => {
    const node = madeBy.get(name ?? "");
    if (node?.op !== "Expand" || node.domain !== "") return null;
    const shape = madeBy.get(node.inputs[1]!);
    const whole = shape?.op === "Shape" && shape.domain === "" && Object.keys(shape.attributes).length === 0;
    const dims = whole ? known(shape.inputs[0]!) : null;
    return dims === null ? null : { from: node.inputs[0]!, dims };
  };
  const known = (name: string): string | null => {
    const dims = dimsOf(name);
    return dims === null || dims.includes(null) ? null : dims.join(" ");
  };
  const smaller = (node: Node, own: number): string => {
    const name = node.inputs[own]!;
    const found = expanded(name);
    return found !== null && found.dims === known(node.inputs[1 - own]!) ? found.from : name;
  };
  return {
    ...graph,
    nodes: graph.nodes.map((node) => {
      if (!alike.has(node.op) || node.domain !== "") return node;
      const first = smaller(node, 0);
      // Two expanded values must not both lose what gives the shape.
      const second = first === node.inputs[0] ? smaller(node, 1) : node.inputs[1]!;
      return first === node.inputs[0] && second === node.inputs[1] ? node : { ...node, inputs: [first, second] };
    }),
  };
}
