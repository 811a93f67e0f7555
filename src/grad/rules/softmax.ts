import { getInt } from "../../ir/attributes.ts";
import type { GradientRule } from "../context.ts";

// y = eˣ/Σeˣ          dx = y·(dy - Σ dy·y)
export const Softmax: GradientRule = ({ b, node }, [dy]) => {
  const y = node.outputs[0]!;
  const along = b.reduceSum(b.mul(dy!, y), [getInt(node, "axis", -1)], true);
  return [b.mul(y, b.sub(dy!, along))];
};

// y = x - log Σeˣ     dx = dy - eʸ·Σ dy
export const LogSoftmax: GradientRule = ({ b, node }, [dy]) => {
  const total = b.reduceSum(dy!, [getInt(node, "axis", -1)], true);
  return [b.sub(dy!, b.mul(b.op("Exp", [node.outputs[0]!]), total))];
};
