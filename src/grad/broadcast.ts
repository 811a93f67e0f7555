import { int } from "../ir/attributes.ts";
import type { GraphBuilder } from "../ir/builder.ts";
import type { Dim } from "../ir/graph.ts";
import { int64, tensor } from "../tensor/index.ts";

/**
 * Sums a gradient of shape `from` to the shape `to` of the value that was broadcast. The axes are fixed beforehand
 * where the shapes tell them, else computed at run time.
 */
export function sumTo(
  b: GraphBuilder,
  gradient: string,
  from: readonly Dim[] | null,
  target: string,
  to: readonly Dim[] | null,
): string {
  const axes = from === null || to === null ? null : broadcastAxes(from, to);
  if (axes === null) return sumAtRunTime(b, gradient, target);
  if (axes.length === 0) return gradient;
  const added = from!.length - to!.length;
  const kept = axes.filter((a) => a >= added);
  let out = gradient;
  if (kept.length > 0) out = b.reduceSum(out, kept, true);
  // One axis at a time, the inner one first: ONNX Runtime shares that among its threads and takes half the time.
  for (let axis = added - 1; axis >= 0; axis--) out = b.reduceSum(out, [axis], false);
  return out;
}

/** Axes of `from` along which `to` was repeated, or null where that is known only at run time. */
function broadcastAxes(from: readonly Dim[], to: readonly Dim[]): number[] | null {
  const added = from.length - to.length;
  if (added < 0) return null;
  const axes: number[] = [];
  for (const [i, wide] of from.entries()) {
    if (i < added) axes.push(i);
    else {
      const narrow = to[i - added]!;
      if (narrow === 1) {
        if (wide !== 1) axes.push(i);
      } else if (typeof narrow !== "number" && (narrow === null || narrow !== wide)) return null;
    }
  }
  return axes;
}

function sumAtRunTime(b: GraphBuilder, gradient: string, target: string): string {
  const shape = b.shapeOf(target);
  const rank = (value: string): string => b.shapeOf(b.shapeOf(value));
  const added = b.sub(rank(gradient), b.shapeOf(shape));
  const ones = b.op("ConstantOfShape", [added], {
    value: { type: "tensor", value: tensor("int64", [1], BigInt64Array.of(1n)) },
  });
  const padded = b.op("Concat", [ones, shape], { axis: int(0) });
  const repeated = b.op("Equal", [padded, b.constant(int64([1], [1]))]);
  const axes = b.reshape(b.op("NonZero", [repeated]), [-1]);
  const summed = b.op("ReduceSum", [gradient, axes], { keepdims: int(1), noop_with_empty_axes: int(1) });
  return b.op("Reshape", [summed, shape], { allowzero: int(1) });
}
