import { float, getFloat, getInt, int, ints } from "../../ir/attributes.ts";
import type { GradientContext, GradientRule } from "../context.ts";
import { cast, floatType, has, knownSizes, num, rankOf, refuse, upTo } from "../context.ts";

const perChannel = (cx: GradientContext, value: string, rank: number): string =>
  rank > 2 ? cx.b.unsqueeze(value, upTo(rank - 1, 1)) : value;

const mean = (cx: GradientContext, value: string, axes: readonly number[]): string =>
  cx.b.op("ReduceMean", [value, cx.b.indices(axes)], { keepdims: int(1) });

// y = s·(x - m)/√(v + ε) + b      with n = (x - m)/√(v + ε):
// dx = dy·s/√(v + ε)   ds = Σ dy·n   db = Σ dy   dm = -Σ dx   dv = -½ Σ dx·(x - m)/(v + ε)
export const BatchNormalization: GradientRule = (cx, dys) => {
  const { b, node, wants } = cx;
  if (getInt(node, "training_mode", 0) !== 0) return refuse(cx, "training mode; export the model for inference");
  const [x, scale, , m, v] = node.inputs as [string, string, string, string, string];
  const dy = dys[0]!;
  const rank = rankOf(cx, x);
  const others = [0, ...upTo(rank, 2)];
  const variance = b.add(v, num(cx, getFloat(node, "epsilon", 1e-5)));
  const inverse = b.op("Reciprocal", [b.op("Sqrt", [variance])]);
  const dx = b.mul(dy, perChannel(cx, b.mul(scale, inverse), rank));
  const centred = (): string => b.sub(x, perChannel(cx, m, rank));
  return [
    dx,
    wants(1) ? b.mul(b.reduceSum(b.mul(dy, centred()), others, false), inverse) : null,
    wants(2) ? b.reduceSum(dy, others, false) : null,
    wants(3) ? b.neg(b.reduceSum(dx, others, false)) : null,
    wants(4) ? b.div(b.mul(b.reduceSum(b.mul(dx, centred()), others, false), num(cx, -0.5)), variance) : null,
  ];
};

/**
 * The adjoint of n = (x - mean)/√(var + ε): dn -> dx = (c - n·mean(c·n))/√(var + ε) with c = dn - mean dn, whose mean
 * with n is that of dn since n has mean 0.
 */
function normalizeBack(cx: GradientContext, dn: string, n: string, inverse: string, axes: readonly number[]): string {
  const { b } = cx;
  const c = b.sub(dn, mean(cx, dn, axes));
  return b.mul(inverse, b.sub(c, b.mul(n, mean(cx, b.mul(c, n), axes))));
}

/** The normalized value n = (x - mean)/√(var + ε) and its adjoint dn -> dx = (dn - mean dn - n·mean(dn·n))/√(var + ε). */
function normalize(cx: GradientContext, x: string, axes: readonly number[]) {
  const { b } = cx;
  const centred = b.sub(x, mean(cx, x, axes));
  const variance = mean(cx, b.mul(centred, centred), axes);
  const inverse = b.op("Reciprocal", [b.op("Sqrt", [b.add(variance, num(cx, getFloat(cx.node, "epsilon", 1e-5)))])]);
  const n = b.mul(centred, inverse);
  return { n, inverse, back: (dn: string): string => normalizeBack(cx, dn, n, inverse, axes) };
}

/** Whether a LayerNormalization scales by constant ones and adds nothing, so that its output is n. */
function isPlain(cx: GradientContext): boolean {
  const [, scale, bias = ""] = cx.node.inputs;
  const all = (name: string | undefined, value: number): boolean => {
    const data = cx.constant(name)?.data as ArrayLike<number> | undefined;
    return data !== undefined && Array.prototype.every.call(data, (v) => v === value);
  };
  return all(scale, 1) && (bias === "" || all(bias, 0));
}

/**
 * n and 1/√(var + ε): from the outputs of the node (`plain`: its output is n), else in one more node of one pass; float32
 * alone has that kernel.
 */
function normalizeRows(cx: GradientContext, x: string, axis: number, axes: readonly number[], plain: boolean) {
  const { b } = cx;
  const sizes = knownSizes(cx, x, axis);
  const [y = "", m = "", found = ""] = cx.node.outputs;
  const kept = found !== "" && (plain || m !== "");
  if (floatType(cx) !== "float32" || (!kept && sizes === null)) return normalize(cx, x, axes);
  const again = (): readonly [string, string] => {
    const attributes = { axis: int(axis), epsilon: float(getFloat(cx.node, "epsilon", 1e-5)) };
    const [n, , inverse] = b.opN("LayerNormalization", [x, b.ones(sizes!)], 3, attributes);
    return [n!, inverse!];
  };
  const [n, inverse] = kept ? [plain ? y : b.mul(b.sub(x, m), found), found] : again();
  return { n, inverse, back: (dn: string): string => normalizeBack(cx, dn, n, inverse, axes) };
}

// y = s·n + b over the axes from `axis` on      dx = adjoint of the normalization of dy·s   ds = dy·n   db = dy
export const LayerNormalization: GradientRule = (cx, dys) => {
  const { b, node, wants } = cx;
  const [x, scale] = node.inputs as [string, string];
  const rank = rankOf(cx, x);
  const axis = getInt(node, "axis", -1);
  const first = axis < 0 ? axis + rank : axis;
  const axes = upTo(rank, first);
  const plain = isPlain(cx);
  const { n, inverse, back } = normalizeRows(cx, x, first, axes, plain);
  const [dy, dMean, dInverse] = [dys[0] ?? null, dys[1] ?? null, dys[2] ?? null];
  const parts: string[] = dy === null ? [] : [back(plain ? dy : b.mul(dy, scale))];
  if (dMean !== null || dInverse !== null) {
    // mean = Σ x/k      inverse = (variance + ε)^(-½), whose derivative is -inverse²·n/k
    const count = cast(cx, b.div(b.op("Size", [x]), b.op("Size", [inverse])), floatType(cx));
    if (dMean !== null) parts.push(b.op("Expand", [b.div(dMean, count), b.shapeOf(x)]));
    if (dInverse !== null) {
      const slope = b.div(b.mul(dInverse, b.mul(inverse, inverse)), count);
      parts.push(b.neg(b.mul(slope, n)));
    }
  }
  const dx = wants(0) ? parts.reduce((sum, part) => b.add(sum, part)) : null;
  return [dx, wants(1) && dy !== null ? b.mul(dy, n) : null, has(cx, 2) ? dy : null];
};

// y = s·n + b over space, for each example and channel
export const InstanceNormalization: GradientRule = (cx, dys) => {
  const { b, node, wants } = cx;
  const [x, scale] = node.inputs as [string, string];
  const dy = dys[0]!;
  const rank = rankOf(cx, x);
  const { n, back } = normalize(cx, x, upTo(rank, 2));
  const others = [0, ...upTo(rank, 2)];
  return [
    wants(0) ? back(b.mul(dy, perChannel(cx, scale, rank))) : null,
    wants(1) ? b.reduceSum(b.mul(dy, n), others, false) : null,
    wants(2) ? b.reduceSum(dy, others, false) : null,
  ];
};

// y = x·u^(-β), u = k + α·A(x²), A the mean over neighbouring channels      dx = dy·u^(-β) - 2αβ·x·Aᵀ(dy·x·u^(-β-1))
export const LRN: GradientRule = (cx, dys) => {
  const { b, node } = cx;
  const x = node.inputs[0]!;
  const dy = dys[0]!;
  const size = getInt(node, "size", 1);
  const alpha = getFloat(node, "alpha", 1e-4);
  const beta = getFloat(node, "beta", 0.75);
  const before = Math.floor((size - 1) / 2);
  const after = size - 1 - before;
  const over = (value: string, pads: readonly number[]): string => {
    const flat = b.unsqueeze(b.reshape(value, [0, 0, -1]), [1]);
    const pooled = b.op("AveragePool", [flat], {
      kernel_shape: ints([size, 1]),
      pads: ints([pads[0]!, 0, pads[1]!, 0]),
      count_include_pad: int(1),
    });
    return b.reshapeLike(pooled, x);
  };
  const u = b.add(b.mul(over(b.mul(x, x), [before, after]), num(cx, alpha)), num(cx, getFloat(node, "bias", 1)));
  const power = b.op("Pow", [u, num(cx, -beta)]);
  const inner = over(b.mul(b.mul(dy, x), b.div(power, u)), [after, before]);
  return [b.sub(b.mul(dy, power), b.mul(b.mul(x, inner), num(cx, 2 * alpha * beta)))];
};

// y = x/‖x‖ along an axis      dx = (dy - g·Σ dy·y)/‖x‖, g = y for the 2-norm and sign x for the 1-norm
export const LpNormalization: GradientRule = (cx, dys) => {
  const { b, node } = cx;
  const x = node.inputs[0]!;
  const y = node.outputs[0]!;
  const axis = [getInt(node, "axis", -1)];
  const p = getInt(node, "p", 2);
  const norm = b.op(p === 1 ? "ReduceL1" : "ReduceL2", [x, b.indices(axis)], { keepdims: int(1) });
  const along = b.reduceSum(b.mul(dys[0]!, y), axis, true);
  return [b.div(b.sub(dys[0]!, b.mul(p === 1 ? b.op("Sign", [x]) : y, along)), norm)];
};
