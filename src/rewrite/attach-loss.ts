import { MarauderError } from "../errors.ts";
import { GraphBuilder, int } from "../ir/index.ts";
import type { Graph } from "../ir/index.ts";
import { float32, tensor } from "../tensor/index.ts";

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
  /** Derivative of `total` by the scores, [N, classes], in few nodes; null where the loss must be differentiated. */
  readonly slope: string | null;
  /** int32 inputs of shape [N]; null where this loss does not read them. */
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
  const labels = needsLabels ? b.input("labels", "int32", ["batch"]) : null;
  const targets = targeted ? b.input("targets", "int32", ["batch"]) : null;
  const made =
    kind === "dlr"
      ? { column: ratioOfMargins(b, z, classes, labels!, targets), slope: null }
      : classes === 2
        ? againstTheOther(b, z, kind, (targets ?? labels)!, targeted)
        : againstOthers(b, z, classes, kind, (targets ?? labels)!, targeted);
  const out = b.squeeze(made.column, [1]);
  const loss = b.op("Identity", [out], {}, "loss");
  const total = b.reduceSum(loss, [0], false);
  b.output(loss, "float32", ["batch"]);
  b.output(z, "float32", ["batch", classes]);
  b.output(total, "float32", []);
  return { graph: b.build(), names: { loss, total, scores: z, slope: made.slope, labels, targets } };
}

/** The score of one class against the others', as a column [N, 1], and its derivative [N, classes]. */
function againstOthers(
  b: GraphBuilder,
  z: string,
  classes: number,
  kind: "margin" | "cross-entropy",
  index: string,
  targeted: boolean,
): { column: string; slope: string } {
  const { mask, value } = oneScore(b, z, index, classes);
  const others = b.op("Where", [mask, b.scalar(-Infinity), z], {}, "others");
  const sign = (name: string): string => (targeted ? b.neg(name) : name);
  const own = b.scalar(targeted ? 1 : -1);
  if (kind === "margin") {
    const rest = b.op("ReduceMax", [others, b.indices([1])], { keepdims: int(1) }, "rest");
    const hits = b.op("Cast", [b.op("Equal", [others, rest])], { to: int(1) });
    const share = b.div(hits, b.reduceSum(hits, [1], true));
    return { column: sign(b.sub(rest, value)), slope: b.op("Where", [mask, own, sign(share)]) };
  }
  const rest = b.op("ReduceLogSumExp", [others, b.indices([1])], { keepdims: int(1) }, "rest");
  const { loss, slope } = softplus(b, b.sub(rest, value));
  const share = b.op("Softmax", [others], { axis: int(1) });
  return { column: sign(loss), slope: b.mul(slope, b.op("Where", [mask, own, sign(share)])) };
}

/** The same for two classes, where no maximum and no sum is needed. */
function againstTheOther(
  b: GraphBuilder,
  z: string,
  kind: "margin" | "cross-entropy",
  index: string,
  targeted: boolean,
): { column: string; slope: string } {
  const sign = targeted ? -1 : 1;
  const toward = b.op("Gather", [b.constant(float32([2, 2], [-sign, sign, sign, -sign])), index], { axis: int(0) });
  // How far the class is behind: in few nodes, since for small models each of them counts.
  const apart = b.reduceSum(b.mul(z, toward), [1], true);
  const behind = targeted ? b.neg(apart) : apart;
  const { loss, slope } = kind === "margin" ? { loss: behind, slope: null } : softplus(b, behind);
  return { column: targeted ? b.neg(loss) : loss, slope: slope === null ? toward : b.mul(slope, toward) };
}

function ratioOfMargins(b: GraphBuilder, z: string, classes: number, labels: string, targets: string | null): string {
  const own = oneScore(b, z, labels, classes);
  // Through the positions, because GatherElements has a gradient and TopK has none.
  const places = b.opN("TopK", [z, b.indices([targets !== null ? 4 : 3])], 2, { axis: int(1) }, "top")[1]!;
  const top = b.op("GatherElements", [z, places], { axis: int(1) });
  const rank = (i: number): string => b.op("Slice", [top, b.indices([i]), b.indices([i + 1]), b.indices([1])]);
  const low = targets !== null ? b.mul(b.add(rank(2), rank(3)), b.scalar(0.5)) : rank(2);
  // The published code adds 1e-12, so that three equal scores give a large number and not a division by zero.
  const scale = b.add(b.sub(rank(0), low), b.scalar(1e-12));
  const rival = targets !== null ? oneScore(b, z, targets, classes).value : bestOther(b, z, own.mask);
  return b.div(b.sub(rival, own.value), scale);
}

/** z[n, index[n]] as [N, 1], and the mask [N, classes] that is true there. */
function oneScore(b: GraphBuilder, z: string, index: string, classes: number): { mask: string; value: string } {
  const column = b.unsqueeze(index, [1]);
  const range = b.constant(
    tensor(
      "int32",
      [classes],
      Int32Array.from({ length: classes }, (_, i) => i),
    ),
  );
  const mask = b.op("Equal", [column, range], {}, "mask");
  return { mask, value: b.op("GatherElements", [z, column], { axis: int(1) }) };
}

function bestOther(b: GraphBuilder, z: string, mask: string): string {
  const others = b.op("Where", [mask, b.scalar(-Infinity), z], {}, "others");
  return b.op("ReduceMax", [others, b.indices([1])], { keepdims: int(1) }, "rival");
}

/**
 * log(1 + exp(d)) and its derivative, accurate for all d, and not zero until exp(d) is: ONNX Runtime's Softplus and
 * Sigmoid give 0 below about -18. With e = exp(min(d, 80)) they are e where that is small, and e/(1 + e). In few nodes,
 * none of them with a scalar beside a column but one: such a node wakes the other threads, which takes longer than its work.
 */
function softplus(b: GraphBuilder, d: string): { loss: string; slope: string } {
  const within = (most: number): string => b.op("Clip", [d, b.scalar(-3e38), b.scalar(most)]);
  const e = b.op("Exp", [within(80)]);
  const tiny = b.op("Less", [e, b.scalar(3e-4)]);
  const loss = b.op("Where", [tiny, e, b.op("Softplus", [within(3e38)])], {}, "softplus");
  return { loss, slope: b.op("Softsign", [e]) };
}
