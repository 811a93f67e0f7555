import { float, getFloat, getString } from "../../ir/attributes.ts";
import type { GradientContext, GradientRule } from "../context.ts";
import { asFloat, floatType, num } from "../context.ts";

const times =
  (derivative: (cx: GradientContext, x: string, y: string) => string): GradientRule =>
  (cx, [dy]) => [cx.b.mul(dy!, derivative(cx, cx.node.inputs[0]!, cx.node.outputs[0]!))];

const above = (cx: GradientContext, x: string, bound: number): string => cx.b.op("Greater", [x, num(cx, bound)]);
const where = (cx: GradientContext, condition: string, a: string, b: string): string =>
  cx.b.op("Where", [condition, a, b]);

/** A slope so steep that HardSigmoid(x) is 1 for every x > 0 but the subnormal ones, and 0 elsewhere. */
export const STEEP = 3e38;

/** [x > 0] as a float. In float32 a steep HardSigmoid, which ONNX Runtime computes an order faster than a comparison. */
export const positive = (cx: GradientContext, x: string): string =>
  floatType(cx) === "float32"
    ? cx.b.op("HardSigmoid", [x], { alpha: float(STEEP), beta: float(0) })
    : asFloat(cx, above(cx, x, 0));

// y = max(x, 0)                      dx = dy·[x > 0]
export const Relu = times((cx, _x, y) => positive(cx, y));

// y = x, αx below 0                  dx = dy·(α + (1 - α)·[x > 0])
export const LeakyRelu = times((cx, x) => {
  const alpha = getFloat(cx.node, "alpha", 0.01);
  return cx.b.add(cx.b.mul(positive(cx, x), num(cx, 1 - alpha)), num(cx, alpha));
});

// y = x, s·x below 0                 dx = dy·(1 or s)      ds = dy·min(x, 0)
export const PRelu: GradientRule = (cx, [dy]) => {
  const { b, node, wants } = cx;
  const [x, slope] = node.inputs as [string, string];
  const up = above(cx, x, 0);
  return [
    wants(0) ? b.mul(dy!, where(cx, up, num(cx, 1), slope)) : null,
    wants(1) ? b.mul(dy!, where(cx, up, num(cx, 0), x)) : null,
  ];
};

// y = x, α(eˣ - 1) below 0           dx = dy·(1 or y + α)
export const Elu = times((cx, x, y) =>
  where(cx, above(cx, x, 0), num(cx, 1), cx.b.add(y, num(cx, getFloat(cx.node, "alpha", 1)))),
);

// y = x, α(e^(x/α) - 1) below 0      dx = dy·(1 or y/α + 1)
export const Celu = times((cx, x, y) => {
  const slope = cx.b.add(cx.b.mul(y, num(cx, 1 / getFloat(cx.node, "alpha", 1))), num(cx, 1));
  return where(cx, above(cx, x, 0), num(cx, 1), slope);
});

// y = γx, γα(eˣ - 1) below 0         dx = dy·(γ or y + γα)
export const Selu = times((cx, x, y) => {
  const alpha = getFloat(cx.node, "alpha", 1.6732632423543772);
  const gamma = getFloat(cx.node, "gamma", 1.0507009873554805);
  return where(cx, above(cx, x, 0), num(cx, gamma), cx.b.add(y, num(cx, alpha * gamma)));
});

/** (1 + t)/2 for t from -1 to 1: in float32 one pass by a HardSigmoid that reaches neither end. */
const halfOfOnePlus = (cx: GradientContext, t: string): string =>
  floatType(cx) === "float32"
    ? cx.b.op("HardSigmoid", [t], { alpha: float(0.5), beta: float(0.5) })
    : cx.b.mul(num(cx, 0.5), cx.b.add(num(cx, 1), t));

// y = x·Φ(x)                         dx = dy·(Φ(x) + x·φ(x)), or the derivative of the tanh approximation
export const Gelu = times((cx, x) => {
  const { b } = cx;
  const half = num(cx, 0.5);
  if (getString(cx.node, "approximate", "none") === "tanh") {
    const c = Math.sqrt(2 / Math.PI);
    const square = b.mul(x, x);
    const inner = b.mul(b.mul(x, num(cx, c)), b.add(num(cx, 1), b.mul(square, num(cx, 0.044715))));
    const t = b.op("Tanh", [inner]);
    const slope = b.add(num(cx, c), b.mul(square, num(cx, 3 * 0.044715 * c)));
    const bend = b.mul(b.mul(x, b.sub(num(cx, 1), b.mul(t, t))), slope);
    return b.mul(half, b.add(b.add(num(cx, 1), t), bend));
  }
  const u = b.mul(x, num(cx, Math.SQRT1_2));
  const cdf = halfOfOnePlus(cx, b.op("Erf", [u]));
  const pdf = b.op("Exp", [b.sub(num(cx, -0.5 * Math.log(2 * Math.PI)), b.mul(u, u))]);
  return b.add(cdf, b.mul(x, pdf));
});

// y = σ(x)                           dx = dy·y·(1 - y)
export const Sigmoid = times((cx, _x, y) => cx.b.mul(y, cx.b.sub(num(cx, 1), y)));

// y = tanh x                         dx = dy·(1 - y²)
export const Tanh = times((cx, _x, y) => cx.b.sub(num(cx, 1), cx.b.mul(y, y)));

// y = clamp(αx + β, 0, 1)            dx = dy·α·[0 < αx + β < 1]; a steep one is a mask and has none
export const HardSigmoid: GradientRule = (cx, [dy]) => {
  const { b, node } = cx;
  const alpha = getFloat(node, "alpha", 0.2);
  if (alpha >= 1e38) return [null];
  const y = node.outputs[0]!;
  const inside = b.op("And", [above(cx, y, 0), b.op("Less", [y, num(cx, 1)])]);
  return [b.mul(dy!, b.mul(asFloat(cx, inside), num(cx, alpha)))];
};

// y = x·clamp(x/6 + 1/2, 0, 1)       dx = dy·(0 below -3, 1 above 3, x/3 + 1/2 between)
export const HardSwish = times((cx, x) => {
  const between = cx.b.add(cx.b.mul(x, num(cx, 1 / 3)), num(cx, 0.5));
  const upper = where(cx, above(cx, x, 3), num(cx, 1), between);
  return where(cx, above(cx, x, -3), upper, num(cx, 0));
});

// y = log(1 + eˣ)                    dx = dy·σ(x)
export const Softplus = times(({ b }, x) => b.op("Sigmoid", [x]));

// y = x/(1 + |x|)                    dx = dy/(1 + |x|)²
export const Softsign = times((cx, x) => {
  const r = cx.b.op("Reciprocal", [cx.b.add(num(cx, 1), cx.b.op("Abs", [x]))]);
  return cx.b.mul(r, r);
});

// y = x above α, else 0              dx = dy·[x > α]
export const ThresholdedRelu = times((cx, x) => asFloat(cx, above(cx, x, getFloat(cx.node, "alpha", 1))));

// y = x - b above λ, x + b below -λ  dx = dy·[|x| > λ]
export const Shrink = times((cx, x) => asFloat(cx, above(cx, cx.b.op("Abs", [x]), getFloat(cx.node, "lambd", 0.5))));

// y = x·t, t = tanh(softplus x)      dx = dy·(t + x·(1 - t²)·σ(x))
export const Mish = times((cx, x) => {
  const { b } = cx;
  const t = b.op("Tanh", [b.op("Softplus", [x])]);
  return b.add(t, b.mul(b.mul(x, b.op("Sigmoid", [x])), b.sub(num(cx, 1), b.mul(t, t))));
});
