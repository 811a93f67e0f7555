import { GraphBuilder, int, type Dim } from "../ir/index.ts";
import type { DType } from "../tensor/index.ts";
import type { LossId } from "./trainer.ts";

/** A loss as nodes: logits and targets in, one value for each example out. */
export interface Loss {
  /** Element type of the targets; their shape is that of the logits, without the last axis where they are int64. */
  readonly targets: Extract<DType, "float32" | "int64">;
  /** Number of axes of the logits. */
  readonly rank: number;
  /** Fewest outputs that it makes sense for. */
  readonly least: number;
  /** Appends the loss and returns its name, shape [N]. */
  emit(b: GraphBuilder, logits: string, targets: string): string;
}

const logLikelihood = (b: GraphBuilder, z: string): string => b.op("LogSoftmax", [z], { axis: int(-1) }, "train.logp");
const meanOverOutputs = (b: GraphBuilder, v: string): string => b.op("ReduceMean", [v, b.indices([1])], noKeep);
const noKeep = { keepdims: int(0) };

/** -sum_k t_k log softmax_k(z). */
function crossEntropy(b: GraphBuilder, z: string, t: string): string {
  return b.neg(b.reduceSum(b.mul(t, logLikelihood(b, z)), [1], false));
}

/** sum_k t_k (log t_k - log softmax_k(z)), with 0 log 0 = 0. */
function kl(b: GraphBuilder, z: string, t: string): string {
  const logT = b.op("Log", [b.op("Max", [t, b.scalar(1e-30)])]);
  return b.reduceSum(b.mul(t, b.sub(logT, logLikelihood(b, z))), [1], false);
}

/** sum_k max(z_k, 0) - t_k z_k + log(1 + exp(-|z_k|)): each output is a yes or no of its own. */
function binary(b: GraphBuilder, z: string, t: string): string {
  const rest = b.op("Log", [b.add(b.op("Exp", [b.neg(b.op("Abs", [z]))]), b.scalar(1))]);
  return b.reduceSum(b.add(b.sub(b.op("Relu", [z]), b.mul(t, z)), rest), [1], false);
}

/** Mean over outputs of (z_k - t_k)^2. */
function mse(b: GraphBuilder, z: string, t: string): string {
  const d = b.sub(z, t);
  return meanOverOutputs(b, b.mul(d, d));
}

/** Mean over outputs of d^2 / 2 where |d| <= 1, else |d| - 1/2; Huber 1964, with the threshold 1. */
function huber(b: GraphBuilder, z: string, t: string): string {
  const size = b.op("Abs", [b.sub(z, t)]);
  const inner = b.op("Min", [size, b.scalar(1)]);
  // With c = min(|d|, 1): c (|d| - c / 2) is both branches at once.
  return meanOverOutputs(b, b.mul(inner, b.sub(size, b.mul(inner, b.scalar(0.5)))));
}

/** The logit of the class with the largest target, and the largest of the others; shape [N]. */
function ownAndRival(b: GraphBuilder, z: string, t: string): [own: string, rival: string] {
  const mask = b.op("Hardmax", [t], { axis: int(1) });
  const own = b.reduceSum(b.mul(mask, z), [1], false);
  const isOwn = b.op("Greater", [mask, b.scalar(0)]);
  const others = b.op("Where", [isOwn, b.scalar(-3e38), z]);
  return [own, b.op("ReduceMax", [others, b.indices([1])], noKeep)];
}

/** max(0, 1 + max_{i != y} z_i - z_y); Crammer & Singer 2001. */
function margin(b: GraphBuilder, z: string, t: string): string {
  const [own, rival] = ownAndRival(b, z, t);
  return b.op("Relu", [b.add(b.sub(rival, own), b.scalar(1))]);
}

/** -(z_y - max_{i != y} z_i) / (z_(1) - z_(3) + 1e-12); Croce & Hein 2020, equation 6. */
function dlr(b: GraphBuilder, z: string, t: string): string {
  const [own, rival] = ownAndRival(b, z, t);
  const places = b.opN("TopK", [z, b.indices([3])], 2, { axis: int(1) }, "top")[1]!;
  const top = b.op("GatherElements", [z, places], { axis: int(1) });
  const rank = (i: number): string =>
    b.squeeze(b.op("Slice", [top, b.indices([i]), b.indices([i + 1]), b.indices([1])]), [1]);
  return b.div(b.sub(rival, own), b.add(b.sub(rank(0), rank(2)), b.scalar(1e-12)));
}

/**
 * Mean over the positions of an example of -log softmax at the next token: logits [N, T, V], targets [N, T] with -1
 * where nothing is to be predicted.
 */
function nextToken(b: GraphBuilder, z: string, t: string): string {
  const counted = b.op("Cast", [b.op("GreaterOrEqual", [t, b.op("Cast", [b.scalar(0)], { to: int(7) })])], {
    to: int(1),
  });
  const index = b.unsqueeze(b.op("Max", [t, b.op("Cast", [b.scalar(0)], { to: int(7) })]), [2]);
  const own = b.squeeze(b.op("GatherElements", [logLikelihood(b, z), index], { axis: int(2) }), [2]);
  const sum = b.reduceSum(b.mul(own, counted), [1], false);
  return b.neg(b.div(sum, b.op("Max", [b.reduceSum(counted, [1], false), b.scalar(1)])));
}

const onClasses = (emit: Loss["emit"], least = 1): Loss => ({ targets: "float32", rank: 2, least, emit });

/** Every loss. Targets of "margin" and "dlr" name the class by their largest entry. */
export const losses: Readonly<Record<LossId, Loss>> = Object.freeze({
  "cross-entropy": onClasses(crossEntropy),
  binary: onClasses(binary),
  mse: onClasses(mse),
  huber: onClasses(huber),
  margin: onClasses(margin, 2),
  dlr: onClasses(dlr, 3),
  kl: onClasses(kl),
  "next-token": { targets: "int64", rank: 3, least: 2, emit: nextToken },
});

/** Shape of the targets for logits of a shape. */
export const targetDims = (loss: Loss, logits: readonly Dim[] | null): readonly Dim[] | null =>
  logits === null ? null : loss.targets === "int64" ? logits.slice(0, -1) : logits;
