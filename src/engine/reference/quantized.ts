import { Conv } from "./conv.ts";
import { MatMul } from "./linear.ts";
import { evenRound, fail, floatsOf, fromNumbers, need, numbers, stridesOf, type Kernel, type Value } from "./value.ts";
import type { Node } from "../../ir/graph.ts";

/** Entry i of a parameter for each entry of x: one for all, or one for each slice of an axis. */
function spread(x: Value, p: Value, axis: number, node: Node): (i: number) => number {
  if (p.data.length === 1) return () => 0;
  const at = axis < 0 ? axis + x.dims.length : axis;
  if (p.data.length === x.dims[at]) {
    const stride = stridesOf(x.dims)[at]!;
    return (i) => Math.floor(i / stride) % x.dims[at]!;
  }
  return fail(node, `a parameter of shape [${p.dims}] for a value of shape [${x.dims}]`);
}

/** x less its zero point, as floats. */
function shifted(x: Value, zero: Value | null, axis: number, node: Node): Value {
  if (zero === null) return fromNumbers("float64", x.dims, Float64Array.from(numbers(x)));
  const zeros = numbers(zero);
  const at = spread(x, zero, axis, node);
  return fromNumbers(
    "float64",
    x.dims,
    Float64Array.from(numbers(x), (v, i) => v - zeros[at(i)]!),
  );
}

/** Convolution of whole numbers less their zero points. */
export const ConvInteger: Kernel = (inputs, node, opset) => {
  const x = shifted(need(inputs, 0, node), inputs[2] ?? null, 1, node);
  const w = shifted(need(inputs, 1, node), inputs[3] ?? null, 0, node);
  const [y] = Conv([x, w], node, opset);
  return [fromNumbers("int32", y!.dims, y!.data as Float64Array)];
};

/** To steps of a scale about a zero point, saturating. */
function requantized(
  sums: Value,
  scales: (i: number) => number,
  step: Value,
  zero: Value,
  axis: number,
  node: Node,
): Value {
  const range = ({ int8: [-128, 127], uint8: [0, 255] } as const)[zero.dtype as "int8"];
  if (range === undefined) return fail(node, `no quantization to ${zero.dtype}`);
  const [steps, zeros, at] = [floatsOf(step), numbers(zero), spread(sums, step, axis, node)];
  const out = Float64Array.from(sums.data as Float64Array, (v, i) => {
    const q = evenRound(Math.fround(v * Math.fround(scales(i) / steps[at(i)]!))) + zeros[at(i)]!;
    return Math.min(range[1], Math.max(range[0], q));
  });
  return fromNumbers(zero.dtype, sums.dims, out);
}

export const QLinearConv: Kernel = (inputs, node, opset) => {
  const [x, w] = [need(inputs, 0, node), need(inputs, 3, node)];
  const [sx, sw] = [need(inputs, 1, node), need(inputs, 4, node)];
  const bias = inputs[8] == null ? null : fromNumbers("float64", inputs[8].dims, Float64Array.from(numbers(inputs[8])));
  const parts = [shifted(x, need(inputs, 2, node), 1, node), shifted(w, need(inputs, 5, node), 0, node), bias];
  const [y] = Conv(parts, node, opset);
  const scales = floatsOf(sw);
  const at = spread(y!, sw, 1, node);
  const scale = (i: number): number => floatsOf(sx)[0]! * scales[at(i)]!;
  return [requantized(y!, scale, need(inputs, 6, node), need(inputs, 7, node), 1, node)];
};

export const QLinearMatMul: Kernel = (inputs, node, opset) => {
  const [a, b] = [need(inputs, 0, node), need(inputs, 3, node)];
  const [sa, sb] = [need(inputs, 1, node), need(inputs, 4, node)];
  const [y] = MatMul(
    [shifted(a, need(inputs, 2, node), -2, node), shifted(b, need(inputs, 5, node), -1, node)],
    node,
    opset,
  );
  const [as, bs] = [floatsOf(sa), floatsOf(sb)];
  const [row, column] = [spread(y!, sa, -2, node), spread(y!, sb, -1, node)];
  const scale = (i: number): number => as[row(i)]! * bs[column(i)]!;
  return [requantized(y!, scale, need(inputs, 6, node), need(inputs, 7, node), -2, node)];
};
