import { int } from "../../ir/index.ts";
import { cast, given, refuse, type Decomposition, type Site } from "./context.ts";

/**
 * Integer operators as what they stand for: to floats, the operator on floats, and back to integers. Where the last step
 * lies on a half, the integers may differ by one from those of integer arithmetic; the gradient is the straight-through
 * estimate of that last step.
 */
const toFloat = (s: Site, from: number, axis: number): string =>
  s.b.op("DequantizeLinear", s.node.inputs.slice(from, from + 3), { axis: int(axis) });

const perTensor = (s: Site, i: number): boolean => {
  const dims = s.dims(s.node.inputs[i]);
  if (dims === null) return refuse(s, `the shape of ${JSON.stringify(s.node.inputs[i])} is unknown`);
  return dims.length === 0 || (dims.length === 1 && dims[0] === 1);
};

const toSteps = (s: Site, value: string): string => {
  if (!perTensor(s, 6)) return refuse(s, "a scale for each row of its output");
  return s.b.op("QuantizeLinear", [value, s.node.inputs[6]!, s.node.inputs[7]!]);
};

// y = quantize(conv(dequantize x, dequantize w) + bias·sx·sw)
export const QLinearConv: Decomposition = (s) => {
  const { b, node } = s;
  const x = toFloat(s, 0, 1);
  const w = toFloat(s, 3, 0);
  const bias = given(s, 8);
  const terms = [x, w];
  if (bias !== null) {
    const step = b.mul(node.inputs[1]!, node.inputs[4]!);
    terms.push(b.mul(cast(s, bias, "float32"), perTensor(s, 4) ? b.reshape(step, [1]) : step));
  }
  return [toSteps(s, b.op("Conv", terms, node.attributes))];
};

// y = quantize(dequantize a · dequantize b)
export const QLinearMatMul: Decomposition = (s) => {
  const sides = [0, 3].map((i) => {
    if (!perTensor(s, i + 1) && s.dims(s.node.inputs[i + 1])?.length !== 1)
      refuse(s, "a scale for each matrix of a batch");
    return toFloat(s, i, i === 0 ? -2 : -1);
  });
  return [toSteps(s, s.b.matmul(sides[0]!, sides[1]!))];
};
