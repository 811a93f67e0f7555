import { MarauderError } from "../errors.ts";
import { GraphBuilder, int } from "../ir/index.ts";
import type { Graph } from "../ir/index.ts";

export type LossKind = "cross-entropy" | "margin" | "dlr";

export interface LossRequest {
  /** The value that holds the scores, shape [N, classes]; logits, or log probabilities. */
  readonly scores: string;
  readonly classes: number;
  readonly kind: LossKind;
  /** Adds the input `targets`; the loss then grows as the target class wins. */
  readonly targeted: boolean;
}

export interface LossNames {
  /** Per example, shape [N]. */
  readonly loss: string;
  /** Sum over the batch, a scalar: what is differentiated. */
  readonly total: string;
  readonly scores: string;
  /** int64 inputs of shape [N]; null where this loss does not read them. */
  readonly labels: string | null;
  readonly targets: string | null;
}

/**
 * Adds an attacker's loss to a graph of opset 18 or later, with outputs `loss` [N] and `scores` [N, classes].
 *
 * - cross-entropy: -log p_y, written as softplus(logsumexp_{i != y} z_i - z_y). This form has no cancellation, so its
 *   gradient does not vanish in float32 where the model is sure (lse - z_y loses it near p_y = 1 - 1e-7).
 * - margin: max_{i != y} z_i - z_y.
 * - dlr: Croce & Hein 2020, equation 6: -(z_y - max_{i != y} z_i) / (z_(1) - z_(3)); targeted, equation 7:
 *   -(z_y - z_t) / (z_(1) - (z_(3) + z_(4)) / 2).
 * - targeted cross-entropy: log p_t; targeted margin: z_t - max_{i != t} z_i.
 *
 * Throws OPTION_RANGE where DLR has too few classes.
 */
export function attachLoss(graph: Graph, request: LossRequest): { graph: Graph; names: LossNames } {
  const { classes, kind, targeted } = request;
  const least = kind === "dlr" ? (targeted ? 4 : 3) : 2;
  if (classes < least) {
    throw new MarauderError(
      "OPTION_RANGE",
      `the ${targeted ? "targeted " : ""}${kind} loss needs at least ${least} classes, the model has ${classes}; ` +
        "use the loss margin or cross-entropy",
    );
  }
  const b = new GraphBuilder(graph);
  b.clearOutputs();
  const z = b.op("Identity", [request.scores], {}, "scores");
  const needsLabels = !targeted || kind === "dlr";
  const labels = needsLabels ? b.input("labels", "int64", ["batch"]) : null;
  const targets = targeted ? b.input("targets", "int64", ["batch"]) : null;
  const score = (index: string): { mask: string; value: string } => oneScore(b, z, index, classes);
  let loss: string;
  if (kind === "dlr") {
    const own = score(labels!);
    // Through the positions, because GatherElements has a gradient and TopK has none.
    const places = b.opN("TopK", [z, b.indices([targeted ? 4 : 3])], 2, { axis: int(1) }, "top")[1]!;
    const top = b.op("GatherElements", [z, places], { axis: int(1) });
    const rank = (i: number): string =>
      b.squeeze(b.op("Slice", [top, b.indices([i]), b.indices([i + 1]), b.indices([1])]), [1]);
    const low = targeted ? b.mul(b.add(rank(2), rank(3)), b.scalar(0.5)) : rank(2);
    // The published code adds 1e-12, so that three equal scores give a large number and not a division by zero.
    const scale = b.add(b.sub(rank(0), low), b.scalar(1e-12));
    const rival = targeted ? score(targets!).value : bestOther(b, z, own.mask);
    loss = b.div(b.sub(rival, own.value), scale);
  } else {
    const { mask, value } = score((targeted ? targets : labels)!);
    const others = b.op("Where", [mask, b.scalar(-Infinity), z], {}, "others");
    const rest = b.op(
      kind === "margin" ? "ReduceMax" : "ReduceLogSumExp",
      [others, b.indices([1])],
      { keepdims: int(0) },
      "rest",
    );
    const behind = b.sub(rest, value);
    const untargeted = kind === "margin" ? behind : softplus(b, behind);
    loss = targeted ? b.neg(untargeted) : untargeted;
  }
  const out = b.op("Identity", [loss], {}, "loss");
  const total = b.reduceSum(out, [0], false);
  b.output(out, "float32", ["batch"]);
  b.output(z, "float32", ["batch", classes]);
  b.output(total, "float32", []);
  return { graph: b.build(), names: { loss: out, total, scores: z, labels, targets } };
}

/** z[n, index[n]] as [N], and the mask [N, classes] that is true there. */
function oneScore(b: GraphBuilder, z: string, index: string, classes: number): { mask: string; value: string } {
  const range = b.indices(Array.from({ length: classes }, (_, i) => i));
  const mask = b.op("Equal", [b.unsqueeze(index, [1]), range], {}, "mask");
  const value = b.reduceSum(b.op("Where", [mask, z, b.scalar(0)]), [1], false);
  return { mask, value };
}

function bestOther(b: GraphBuilder, z: string, mask: string): string {
  const others = b.op("Where", [mask, b.scalar(-Infinity), z], {}, "others");
  return b.op("ReduceMax", [others, b.indices([1])], { keepdims: int(0) }, "rival");
}

/**
 * log(1 + exp(d)), accurate for all d, with a gradient that is not zero until exp(d) is: ONNX Runtime's Softplus and
 * Sigmoid give 0 below about -18. Each branch is clamped well beyond where it is used, so no branch overflows.
 */
function softplus(b: GraphBuilder, d: string): string {
  const small = b.op("Exp", [b.op("Min", [d, b.scalar(1)])]);
  const tiny = b.op("LessOrEqual", [d, b.scalar(-8)]);
  const low = b.op("Where", [tiny, small, b.op("Log", [b.add(small, b.scalar(1))])]);
  const rest = b.op("Log", [b.add(b.op("Exp", [b.neg(b.op("Max", [d, b.scalar(-1)]))]), b.scalar(1))]);
  return b.op("Where", [b.op("LessOrEqual", [d, b.scalar(0)]), low, b.add(d, rest)], {}, "softplus");
}
