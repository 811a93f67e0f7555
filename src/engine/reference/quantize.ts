import { getInt, toNumber } from "../../ir/attributes.ts";
import type { Node } from "../../ir/graph.ts";
import { dtypeByCode } from "../../ir/tensor-codec.ts";
import type { DType } from "../../tensor/index.ts";
import { MatMul } from "./linear.ts";
import {
  axisOf,
  evenRound,
  fail,
  floatsOf,
  fromNumbers,
  need,
  numbers,
  stridesOf,
  type Kernel,
  type Value,
} from "./value.ts";

const ranges: Partial<Record<DType, readonly [number, number]>> = {
  int8: [-128, 127],
  uint8: [0, 255],
  int16: [-32768, 32767],
  uint16: [0, 65535],
};

/** For each entry of x, which scale (and zero point) it has: one for all, one per slice of an axis, or one per block. */
function placesOf(x: Value, scale: Value, node: Node): (i: number) => number {
  if (scale.data.length === 1) return () => 0;
  const axis = axisOf(getInt(node, "axis", 1), x.dims.length, node);
  const strides = stridesOf(x.dims);
  const block = getInt(node, "block_size", 0);
  if (block === 0) return (i) => Math.floor(i / strides[axis]!) % x.dims[axis]!;
  const own = stridesOf(scale.dims);
  return (i) =>
    x.dims.reduce((at, d, a) => {
      const here = Math.floor(i / strides[a]!) % d;
      return at + (a === axis ? Math.floor(here / block) : here) * own[a]!;
    }, 0);
}

export const QuantizeLinear: Kernel = (inputs, node) => {
  const [x, scale] = [need(inputs, 0, node), need(inputs, 1, node)];
  const zero = inputs[2] ?? null;
  const asked = node.attributes["output_dtype"];
  const dtype: DType =
    zero?.dtype ?? (asked?.type === "int" ? dtypeByCode[toNumber(asked.value)] : undefined) ?? "uint8";
  const [low, high] = ranges[dtype] ?? fail(node, `no quantization to ${dtype}`);
  const [values, scales] = [floatsOf(x), floatsOf(scale)];
  const zeros = zero === null ? null : numbers(zero);
  const at = placesOf(x, scale, node);
  const out = Float64Array.from(values, (v, i) => {
    const k = at(i);
    return Math.min(high, Math.max(low, evenRound(Math.fround(v / scales[k]!)) + (zeros?.[k] ?? 0)));
  });
  return [fromNumbers(dtype, x.dims, out)];
};

export const DequantizeLinear: Kernel = (inputs, node) => {
  const [x, scale] = [need(inputs, 0, node), need(inputs, 1, node)];
  const zeros = inputs[2] == null ? null : numbers(inputs[2]);
  const scales = floatsOf(scale);
  const at = placesOf(x, scale, node);
  const out = Float64Array.from(numbers(x), (v, i) => (v - (zeros?.[at(i)] ?? 0)) * scales[at(i)]!);
  return [fromNumbers(scale.dtype, x.dims, out)];
};

export const DynamicQuantizeLinear: Kernel = (inputs, node) => {
  const x = need(inputs, 0, node);
  const values = floatsOf(x);
  const low = values.reduce((a, v) => Math.min(a, v), 0);
  const high = values.reduce((a, v) => Math.max(a, v), 0);
  const scale = Math.fround((high - low) / 255);
  const zero = scale === 0 ? 0 : Math.min(255, Math.max(0, evenRound(Math.fround(-low / scale))));
  const out = values.map((v) =>
    Math.min(255, Math.max(0, (scale === 0 ? 0 : evenRound(Math.fround(v / scale))) + zero)),
  );
  return [fromNumbers("uint8", x.dims, out), fromNumbers("float32", [], [scale]), fromNumbers("uint8", [], [zero])];
};

/** The product of whole numbers less their zero points; one for all, or one for each row of A and column of B. */
export const MatMulInteger: Kernel = (inputs, node, opset) => {
  const shifted = (i: number): Value => {
    const x = need(inputs, i, node);
    const zero = inputs[i + 2] ?? null;
    const zeros = zero === null ? [0] : Array.from(numbers(zero));
    const columns = x.dims.at(-1)!;
    const at = (k: number): number =>
      zeros.length === 1 ? 0 : i === 0 ? Math.floor(k / columns) % zeros.length : k % zeros.length;
    return fromNumbers(
      "float64",
      x.dims,
      Float64Array.from(numbers(x), (v, k) => v - zeros[at(k)]!),
    );
  };
  const [product] = MatMul([shifted(0), shifted(1)], node, opset);
  return [fromNumbers("int32", product!.dims, product!.data as Float64Array)];
};
