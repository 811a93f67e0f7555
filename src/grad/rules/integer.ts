import type { GradientContext, GradientRule } from "../context.ts";
import { cast, refuse } from "../context.ts";
import { Conv } from "./conv.ts";

// Y = (X - x) * (W - w)             as Conv of the shifted numbers; what flows back is the gradient by the integers
export const ConvInteger: GradientRule = (cx, dys) => {
  const { b, node } = cx;
  const float = (i: number): string => {
    const value = cast(cx, node.inputs[i]!, "float32");
    const zero = node.inputs[i + 2] ?? "";
    if (zero === "") return value;
    const shift = cast(cx, zero, "float32");
    const dims = cx.shape(zero);
    if (dims === null) return refuse(cx, `the shape of ${JSON.stringify(zero)} is unknown`);
    if (dims.length === 0 || dims[0] === 1) return b.sub(value, shift);
    if (i === 0) return refuse(cx, "a zero point for each row of its input");
    const rank = cx.shape(node.inputs[i]!)?.length ?? refuse(cx, "the rank of its kernel is unknown");
    const rest = Array.from({ length: rank - 1 }, (_, k) => k + 1);
    return b.sub(value, b.unsqueeze(shift, rest));
  };
  const names = [0, 1].map((i) => (cx.wants(1 - i) ? float(i) : node.inputs[i]!));
  const shapes = new Map(names.map((name, i) => [name, cx.shape(node.inputs[i]!)]));
  const product: GradientContext = {
    ...cx,
    node: { ...node, op: "Conv", inputs: names },
    shape: (name) => shapes.get(name) ?? cx.shape(name),
  };
  return Conv(product, dys);
};
