import { getInt, toNumber } from "../../ir/attributes.ts";
import { dtypeByCode } from "../../ir/tensor-codec.ts";
import { MatMul } from "./linear.ts";
import type { GradientContext, GradientRule } from "../context.ts";
import { asFloat, cast, floatType, has, num, rankOf, refuse, upTo } from "../context.ts";

// Rounding has no useful derivative. These rules are the straight-through estimator (Bengio et al. 2013, "Estimating or
// propagating gradients through stochastic neurons", section 4): rounding counts as the identity, saturation as what it
// is. The walk names the nodes where they were used.

/** Operators whose gradient is an estimate. */
export const straightThrough: ReadonlySet<string> = new Set(["QuantizeLinear", "DynamicQuantizeLinear"]);

/** Operators that hand quantized integers on; what flows back through them is the gradient by the integers. */
export const carriesQuantized: ReadonlySet<string> = new Set([
  "Identity",
  "Reshape",
  "Flatten",
  "Squeeze",
  "Unsqueeze",
  "Transpose",
  "Concat",
  "Split",
  "Slice",
  "Gather",
  "Tile",
  "Expand",
  "DepthToSpace",
  "SpaceToDepth",
  "MatMulInteger",
  "ConvInteger",
]);

const ranges: Readonly<Record<string, readonly [number, number]>> = {
  int8: [-128, 127],
  uint8: [0, 255],
  int16: [-32768, 32767],
  uint16: [0, 65535],
};

/** A parameter (scale or zero point) as a float that broadcasts to x. */
function alongAxis(cx: GradientContext, i: number): string {
  const { b, node } = cx;
  if (getInt(node, "block_size", 0) !== 0) return refuse(cx, "a scale for each block");
  const name = node.inputs[i]!;
  const value = cast(cx, name, floatType(cx));
  const dims = cx.shape(name);
  if (dims === null) return refuse(cx, `the rank of ${JSON.stringify(name)} is unknown`);
  if (dims.length === 0 || dims[0] === 1) return value;
  const rank = rankOf(cx, node.inputs[0]!);
  const axis = getInt(node, "axis", 1);
  return b.unsqueeze(
    value,
    upTo(rank).filter((a) => a !== (axis < 0 ? axis + rank : axis)),
  );
}

// q = saturate(round(x/s) + z)      dx ≈ dq/s·[x/s + z in range]
export const QuantizeLinear: GradientRule = (cx, [dq]) => {
  const { b, node } = cx;
  if (cx.wants(1)) return refuse(cx, "by its scale");
  const asked = node.attributes["output_dtype"];
  const zeroType = has(cx, 2) ? cx.dtype(node.inputs[2]!) : null;
  const dtype = zeroType ?? dtypeByCode[asked?.type === "int" ? toNumber(asked.value) : 2];
  const range = Object.hasOwn(ranges, dtype ?? "") ? ranges[dtype!] : undefined;
  if (range === undefined) return refuse(cx, `quantization to ${dtype}`);
  const scale = alongAxis(cx, 1);
  const steps = b.div(node.inputs[0]!, scale);
  const place = has(cx, 2) ? b.add(steps, alongAxis(cx, 2)) : steps;
  const inside = b.op("And", [
    b.op("GreaterOrEqual", [place, num(cx, range[0])]),
    b.op("LessOrEqual", [place, num(cx, range[1])]),
  ]);
  return [b.mul(b.div(dq!, scale), asFloat(cx, inside))];
};

// x = (q - z)·s                     dq = dx·s
export const DequantizeLinear: GradientRule = (cx, [dy]) =>
  cx.wants(1) ? refuse(cx, "by its scale") : [cx.b.mul(dy!, alongAxis(cx, 1))];

// q, s, z = x quantized to its own range      dx ≈ dq/s, the range taken as given
export const DynamicQuantizeLinear: GradientRule = ({ b, node }, [dq]) => [b.div(dq!, node.outputs[1]!)];

// Y = (A - a)·(B - b)               dA = dY·(B - b)ᵀ      dB = (A - a)ᵀ·dY
export const MatMulInteger: GradientRule = (cx, dys) => {
  const { b, node } = cx;
  const float = (i: number): string => {
    const value = cast(cx, node.inputs[i]!, "float32");
    const zero = node.inputs[i + 2] ?? "";
    if (zero === "") return value;
    const rows = cx.shape(zero)?.at(-1);
    if (i === 0 && rows !== undefined && rows !== 1) return refuse(cx, "a zero point for each row");
    return b.sub(value, cast(cx, zero, "float32"));
  };
  const names = [0, 1].map((i) => (cx.wants(1 - i) ? float(i) : node.inputs[i]!));
  const shapes = new Map(names.map((name, i) => [name, cx.shape(node.inputs[i]!)]));
  const product: GradientContext = {
    ...cx,
    node: { ...node, op: "MatMul", inputs: names },
    shape: (name) => shapes.get(name) ?? cx.shape(name),
  };
  return MatMul(product, dys);
};
