import type { GradientContext, GradientRule } from "../context.ts";
import { asFloat, cast, num } from "../context.ts";

/** A rule dx = dy · f, from a function that emits f. */
const times =
  (derivative: (cx: GradientContext, x: string, y: string) => string): GradientRule =>
  (cx, [dy]) => [cx.b.mul(dy!, derivative(cx, cx.node.inputs[0]!, cx.node.outputs[0]!))];

// y = a + b      da = dy      db = dy
export const Add: GradientRule = (_, [dy]) => [dy!, dy!];

// y = a - b      da = dy      db = -dy
export const Sub: GradientRule = ({ b, wants }, [dy]) => [dy!, wants(1) ? b.neg(dy!) : null];

// y = a·b        da = dy·b    db = dy·a
export const Mul: GradientRule = ({ b, node, wants }, [dy]) => [
  wants(0) ? b.mul(dy!, node.inputs[1]!) : null,
  wants(1) ? b.mul(dy!, node.inputs[0]!) : null,
];

// y = a/b        da = dy/b    db = -dy·y/b
export const Div: GradientRule = ({ b, node, wants }, [dy]) => {
  const part = b.div(dy!, node.inputs[1]!);
  return [part, wants(1) ? b.neg(b.mul(part, node.outputs[0]!)) : null];
};

// y = a - b·trunc(a/b) (fmod)      da = dy      db = -dy·trunc(a/b), and floor in place of trunc without fmod
export const Mod: GradientRule = ({ b, node, wants }, [dy]) => {
  const [x, divisor] = node.inputs as [string, string];
  const times = (): string => b.op("Round", [b.div(b.sub(x, node.outputs[0]!), divisor)]);
  return [dy!, wants(1) ? b.neg(b.mul(dy!, times())) : null];
};

// y = x^p        dx = dy·p·x^(p-1)      dp = dy·y·log x   (0 where x <= 0)
export const Pow: GradientRule = (cx, [dy]) => {
  const { b, node, wants } = cx;
  const x = node.inputs[0]!;
  const exponent = cx.constant(node.inputs[1]);
  const whole = exponent !== null && exponent.data.length === 1 ? Number(exponent.data[0]) : null;
  if (whole === 0) return [null, null];
  if (whole === 1) return [dy!, null];
  const xType = cx.dtype(x) ?? "float32";
  const p =
    cx.dtype(node.inputs[1]!) === xType || cx.dtype(node.inputs[1]!) === null
      ? node.inputs[1]!
      : cast(cx, node.inputs[1]!, xType);
  const dx = (): string => {
    const power = whole === 2 ? x : b.op("Pow", [x, b.sub(p, num(cx, 1))]);
    return b.mul(dy!, b.mul(power, p));
  };
  const dp = (): string => {
    const positive = b.op("Greater", [x, num(cx, 0)]);
    const logX = b.op("Log", [b.op("Where", [positive, x, num(cx, 1)])]);
    return b.mul(dy!, b.mul(node.outputs[0]!, logX));
  };
  return [wants(0) ? dx() : null, wants(1) ? dp() : null];
};

// y = -x         dx = -dy
export const Neg: GradientRule = ({ b }, [dy]) => [b.neg(dy!)];

// y = |x|        dx = dy·sign x   (0 at 0)
export const Abs = times(({ b }, x) => b.op("Sign", [x]));

// y = √x         dx = dy / 2y
export const Sqrt: GradientRule = (cx, [dy]) => [cx.b.div(cx.b.mul(dy!, num(cx, 0.5)), cx.node.outputs[0]!)];

// y = eˣ         dx = dy·y
export const Exp = times((_, _x, y) => y);

// y = log x      dx = dy/x
export const Log: GradientRule = ({ b, node }, [dy]) => [b.div(dy!, node.inputs[0]!)];

// y = 1/x        dx = -dy·y²
export const Reciprocal: GradientRule = ({ b, node: { outputs } }, [dy]) => [
  b.neg(b.mul(dy!, b.mul(outputs[0]!, outputs[0]!))),
];

// y = Σ xᵢ       dxᵢ = dy
export const Sum: GradientRule = ({ node }, [dy]) => node.inputs.map(() => dy!);

// y = Σ xᵢ / n   dxᵢ = dy/n
export const Mean: GradientRule = (cx, [dy]) => {
  const part = cx.b.mul(dy!, num(cx, 1 / cx.node.inputs.length));
  return cx.node.inputs.map(() => part);
};

// y = max xᵢ     dxᵢ = dy·[xᵢ = y] / Σⱼ [xⱼ = y]   (ties share equally)
const extreme: GradientRule = (cx, [dy]) => {
  const { b, node, wants } = cx;
  if (node.inputs.length === 1) return [dy!];
  const y = node.outputs[0]!;
  const hits = node.inputs.map((x) => asFloat(cx, b.op("Equal", [x, y])));
  const share = b.div(
    dy!,
    hits.reduce((a, hit) => b.add(a, hit)),
  );
  return hits.map((hit, i) => (wants(i) ? b.mul(share, hit) : null));
};
export const Max = extreme;
export const Min = extreme;

// y = erf x      dx = dy·2/√π·e^(-x²)
export const Erf = times((cx, x) =>
  cx.b.mul(num(cx, 2 / Math.sqrt(Math.PI)), cx.b.op("Exp", [cx.b.neg(cx.b.mul(x, x))])),
);

// y = sin x      dx = dy·cos x
export const Sin = times(({ b }, x) => b.op("Cos", [x]));

// y = cos x      dx = -dy·sin x
export const Cos = times(({ b }, x) => b.neg(b.op("Sin", [x])));

// y = tan x      dx = dy·(1 + y²)
export const Tan = times((cx, _x, y) => cx.b.add(num(cx, 1), cx.b.mul(y, y)));

// y = asin x     dx = dy/√(1 - x²)
export const Asin = times((cx, x) => cx.b.op("Reciprocal", [cx.b.op("Sqrt", [oneMinusSquare(cx, x)])]));

// y = acos x     dx = -dy/√(1 - x²)
export const Acos = times((cx, x) => cx.b.neg(cx.b.op("Reciprocal", [cx.b.op("Sqrt", [oneMinusSquare(cx, x)])])));

// y = atan x     dx = dy/(1 + x²)
export const Atan = times((cx, x) => cx.b.op("Reciprocal", [cx.b.add(num(cx, 1), cx.b.mul(x, x))]));

// y = sinh x     dx = dy·cosh x
export const Sinh = times(({ b }, x) => b.op("Cosh", [x]));

// y = cosh x     dx = dy·sinh x
export const Cosh = times(({ b }, x) => b.op("Sinh", [x]));

// y = asinh x    dx = dy/√(x² + 1)
export const Asinh = times((cx, x) => cx.b.op("Reciprocal", [cx.b.op("Sqrt", [cx.b.add(cx.b.mul(x, x), num(cx, 1))])]));

// y = acosh x    dx = dy/√(x² - 1)
export const Acosh = times((cx, x) => cx.b.op("Reciprocal", [cx.b.op("Sqrt", [cx.b.sub(cx.b.mul(x, x), num(cx, 1))])]));

// y = atanh x    dx = dy/(1 - x²)
export const Atanh = times((cx, x) => cx.b.op("Reciprocal", [oneMinusSquare(cx, x)]));

const oneMinusSquare = (cx: GradientContext, x: string): string => cx.b.sub(num(cx, 1), cx.b.mul(x, x));
