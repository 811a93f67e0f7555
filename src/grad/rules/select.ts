import type { GradientRule } from "../context.ts";
import { asFloat, cast, floatType, has, num, refuse } from "../context.ts";
import { sumTo } from "../broadcast.ts";

// y = c ? a : b          da = dy where c      db = dy where not c
export const Where: GradientRule = (cx, [dy]) => {
  const { b, node, wants } = cx;
  const zero = num(cx, 0);
  return [
    null,
    wants(1) ? b.op("Where", [node.inputs[0]!, dy!, zero]) : null,
    wants(2) ? b.op("Where", [node.inputs[0]!, zero, dy!]) : null,
  ];
};

// y = clamp(x, l, h)     dx = dy·[l <= x <= h]      dl = Σ dy·[x < l]      dh = Σ dy·[x > h]
export const Clip: GradientRule = (cx, [dy]) => {
  const { b, node, wants } = cx;
  const x = node.inputs[0]!;
  const below = has(cx, 1) ? asFloat(cx, b.op("Less", [x, node.inputs[1]!])) : null;
  const above = has(cx, 2) ? asFloat(cx, b.op("Greater", [x, node.inputs[2]!])) : null;
  const outside = below !== null && above !== null ? b.add(below, above) : (below ?? above);
  const bound = (hits: string | null, i: number): string | null =>
    hits !== null && wants(i)
      ? sumTo(b, b.mul(dy!, hits), cx.shape(x), node.inputs[i]!, cx.shape(node.inputs[i]!))
      : null;
  return [
    wants(0) ? (outside === null ? dy! : b.mul(dy!, b.sub(num(cx, 1), outside))) : null,
    bound(below, 1),
    bound(above, 2),
  ];
};

// inference: y = x       dx = dy      training with a mask output: dx = dy·mask/(1 - ratio)
export const Dropout: GradientRule = (cx, [dy]) => {
  const { b, node } = cx;
  const training = has(cx, 2) ? cx.constant(node.inputs[2]) : null;
  if (!has(cx, 2) || (training !== null && Number(training.data[0]) === 0)) return [dy!];
  const mask = node.outputs[1] ?? "";
  if (mask === "") return refuse(cx, "training mode without a mask output; export the model for inference");
  if (training === null) return refuse(cx, "whether it trains is known only at run time");
  const ratio = has(cx, 1) ? cast(cx, node.inputs[1]!, floatType(cx)) : num(cx, 0.5);
  return [b.div(b.mul(dy!, asFloat(cx, mask)), b.sub(num(cx, 1), ratio))];
};
