import { float, getFloat, getInt, int } from "../../ir/attributes.ts";
import type { Dim } from "../../ir/graph.ts";
import { sumTo } from "../broadcast.ts";
import type { GradientContext, GradientRule } from "../context.ts";
import { num, rankOf, upTo } from "../context.ts";

/** Swaps the last two axes. */
const transposed = (cx: GradientContext, value: string, rank: number): string =>
  cx.b.transpose(value, [...upTo(rank - 2), rank - 1, rank - 2]);

// Y = A·B        dA = dY·Bᵀ      dB = Aᵀ·dY        (vectors as one row or column; batch axes broadcast)
export const MatMul: GradientRule = (cx, dys) => {
  const { b, node, wants } = cx;
  const [a0, w0] = node.inputs as [string, string];
  const [rankA, rankW] = [rankOf(cx, a0), rankOf(cx, w0)];
  const y0 = dys[0]!;
  const a = rankA === 1 ? b.unsqueeze(a0, [0]) : a0;
  const w = rankW === 1 ? b.unsqueeze(w0, [1]) : w0;
  const missing = [...(rankA === 1 ? [-2] : []), ...(rankW === 1 ? [-1] : [])];
  const rankY = Math.max(rankA, rankW, 2);
  const dy =
    missing.length === 0
      ? y0
      : b.unsqueeze(
          y0,
          missing.map((m) => (rankA === 1 && rankW === 1 ? m + 2 : rankY + m)),
        );

  const dA = (): string => {
    const full = b.matmul(dy, transposed(cx, w, Math.max(rankW, 2)));
    return restore(cx, full, a0, rankA, rankY, 0);
  };
  const dW = (): string => {
    if (rankW <= 2 && rankA > 2) {
      const inner = cx.shape(a0)![rankA - 1] ?? null;
      const outer = rankW === 1 ? 1 : (cx.shape(w0)![1] ?? null);
      if (typeof inner === "number" && typeof outer === "number") {
        const product = b.matmul(b.transpose(b.reshape(a, [-1, inner]), [1, 0]), b.reshape(dy, [-1, outer]));
        return rankW === 1 ? b.squeeze(product, [1]) : product;
      }
    }
    const full = b.matmul(transposed(cx, a, Math.max(rankA, 2)), dy);
    return restore(cx, full, w0, rankW, rankY, 1);
  };
  return [wants(0) ? dA() : null, wants(1) ? dW() : null];
};

/** From [batch axes of the product, two matrix axes] to the shape of an operand. */
function restore(
  cx: GradientContext,
  full: string,
  operand: string,
  rank: number,
  rankY: number,
  vectorAxis: number,
): string {
  const dims = cx.shape(operand)!;
  const matrix: Dim[] = rank === 1 ? (vectorAxis === 0 ? [1, dims[0]!] : [dims[0]!, 1]) : dims.slice(-2);
  const batch = batchDims(cx, rankY);
  if (rank === 1) {
    const summed = rankY > 2 ? cx.b.reduceSum(full, upTo(rankY - 2), false) : full;
    return cx.b.squeeze(summed, [vectorAxis]);
  }
  return sumTo(cx.b, full, [...batch, ...matrix.map((d) => d ?? "?")], operand, [
    ...dims.slice(0, -2),
    ...matrix.map((d) => d ?? "?"),
  ]);
}

/** The batch axes of a product, broadcast over both operands. */
function batchDims(cx: GradientContext, rankY: number): Dim[] {
  const [a, w] = cx.node.inputs.map((name) => cx.shape(name)!.slice(0, -2)) as [Dim[], Dim[]];
  return upTo(rankY - 2).map((i) => {
    const x = a[i - (rankY - 2 - a.length)] ?? (i < rankY - 2 - a.length ? 1 : null);
    const y = w[i - (rankY - 2 - w.length)] ?? (i < rankY - 2 - w.length ? 1 : null);
    if (x === 1) return y;
    if (y === 1 || x === y || typeof x === "number") return x;
    return typeof y === "number" ? y : null;
  });
}

// Y = α·A'·B' + β·C      dA' = α·dY·B'ᵀ      dB' = α·A'ᵀ·dY      dC = β·dY
export const Gemm: GradientRule = (cx, dys) => {
  const { b, node, wants } = cx;
  const [a, w] = node.inputs as [string, string];
  const dy = dys[0]!;
  const alpha = float(getFloat(node, "alpha", 1));
  const beta = getFloat(node, "beta", 1);
  const transA = getInt(node, "transA", 0) !== 0;
  const transB = getInt(node, "transB", 0) !== 0;
  const product = (x: string, y: string, tx: boolean, ty: boolean): string =>
    b.op("Gemm", [x, y], { alpha, transA: int(tx ? 1 : 0), transB: int(ty ? 1 : 0) });
  const dA = (): string => (transA ? product(w, dy, transB, true) : product(dy, w, false, !transB));
  const dB = (): string => (transB ? product(dy, a, true, transA) : product(a, dy, !transA, false));
  const dC = (): string => {
    const scaled = beta === 1 ? dy : b.mul(dy, num(cx, beta));
    return sumTo(b, scaled, cx.shape(node.outputs[0]!), node.inputs[2]!, cx.shape(node.inputs[2]!));
  };
  return [wants(0) ? dA() : null, wants(1) ? dB() : null, wants(2) ? dC() : null];
};
