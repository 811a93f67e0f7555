import { getString, string } from "../../ir/attributes.ts";
import { tensor } from "../../tensor/index.ts";
import type { GradientContext, GradientRule } from "../context.ts";
import { asFloat, rankOf, refuse } from "../context.ts";

interface Terms {
  readonly terms: readonly string[];
  readonly output: string;
}

// Y = Σ A·B·… by labels      dA = Σ dY·B·… by the labels of A; axes that only A has are spread out again, and of a
// label that stands twice in A only the diagonal gets anything
export const Einsum: GradientRule = (cx, [dy]) => {
  const { b, node, wants } = cx;
  const { terms, output } = readEquation(cx);
  if (new Set(output).size !== output.length) return refuse(cx, "a label that stands twice in the output");
  return node.inputs.map((x, i) => {
    if (!wants(i)) return null;
    const others = terms.map((_, j) => j).filter((j) => j !== i);
    const available = new Set(output + others.map((j) => terms[j]).join(""));
    const own = terms[i]!;
    const unique = [...new Set(own)];
    const kept = unique.filter((label) => available.has(label)).join("");
    const product =
      others.length === 0 && kept === output
        ? dy!
        : b.op("Einsum", [dy!, ...others.map((j) => node.inputs[j]!)], {
            equation: string(`${[output, ...others.map((j) => terms[j])].join(",")}->${kept}`),
          });
    if (kept === own) return product;
    const first = (label: string, axis: number): boolean => available.has(label) && own.indexOf(label) === axis;
    const missing = [...own].flatMap((label, axis) => (first(label, axis) ? [] : [axis]));
    let full = b.op("Expand", [b.unsqueeze(product, missing), b.shapeOf(x)]);
    for (const [axis, label] of [...own].entries()) {
      if (own.indexOf(label) !== axis) full = b.mul(full, diagonal(cx, x, own.length, own.indexOf(label), axis));
    }
    return full;
  });
};

/** 1 where two axes of a value stand at the same place, else 0; broadcasts to the value. */
function diagonal(cx: GradientContext, x: string, rank: number, one: number, other: number): string {
  const { b } = cx;
  const scalar = (v: bigint): string => b.constant(tensor("int64", [], BigInt64Array.of(v)));
  const along = (axis: number): string => {
    const size = b.squeeze(b.op("Slice", [b.shapeOf(x), b.indices([axis]), b.indices([axis + 1])]), [0]);
    const shape = Array.from({ length: rank }, (_, i) => (i === axis ? -1 : 1));
    return b.reshape(b.op("Range", [scalar(0n), size, scalar(1n)]), shape);
  };
  return asFloat(cx, b.op("Equal", [along(one), along(other)]));
}

/** The labels of each operand and of the output. Axes under an ellipsis get labels of their own. */
function readEquation(cx: GradientContext): Terms {
  const { node } = cx;
  const equation = getString(node, "equation", "").replaceAll(" ", "");
  const [left, right] = equation.split("->") as [string, string | undefined];
  const terms = left.split(",");
  if (terms.length !== node.inputs.length) return refuse(cx, `${terms.length} terms for ${node.inputs.length} inputs`);
  if (!equation.includes("...")) return { terms, output: right ?? implicitOutput(left) };
  const taken = new Set(equation);
  const free = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"].filter((label) => !taken.has(label));
  const hidden = terms.map((term, i) =>
    term.includes("...") ? rankOf(cx, node.inputs[i]!) - term.replace("...", "").length : 0,
  );
  const widest = Math.max(...hidden);
  const shared = free.splice(0, widest).join("");
  const written = terms.map((term, i) => {
    const dims = cx.shape(node.inputs[i]!);
    const start = term.indexOf("...");
    const labels = Array.from(shared.slice(widest - hidden[i]!), (label, k) => {
      // An axis of size 1 is repeated: in this term it is an axis of its own, which is summed alone.
      if (dims?.[start + k] !== 1) return label;
      return free.shift() ?? refuse(cx, "more axes than there are letters");
    });
    return term.replace("...", labels.join(""));
  });
  const every = node.inputs.every((name, i) => !terms[i]!.includes("...") || cx.shape(name)!.every((d) => d !== null));
  if (!every) return refuse(cx, "an ellipsis over axes of unknown size");
  const plain = right ?? `...${implicitOutput(left.replaceAll("...", ""))}`;
  return { terms: written, output: plain.replace("...", shared) };
}

/** Without "->", the labels that stand once, in the order of the alphabet. */
function implicitOutput(left: string): string {
  const labels = left.replaceAll(",", "");
  return [...new Set(labels)]
    .filter((label) => labels.indexOf(label) === labels.lastIndexOf(label))
    .toSorted()
    .join("");
}
