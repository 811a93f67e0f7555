import { getString, int } from "../../ir/index.ts";
import { tensor } from "../../tensor/index.ts";
import { cast, floatType, given, num, wanted, type Decomposition, type Site } from "./context.ts";

// l = -w[t]·x[n, t, …] for the target t of each entry; "mean" divides by Σ w[t]. Targets of ignore_index count nothing.
function likelihoodLoss(s: Site, x: string, target: string, weights: string | null): string {
  const { b, node } = s;
  const reduction = getString(node, "reduction", "mean");
  const ignored = node.attributes["ignore_index"];
  const labels = b.op("Cast", [target], { to: int(7) });
  let index = labels;
  let counts: string | null = null;
  if (ignored?.type === "int") {
    const skip = b.op("Equal", [labels, b.constant(tensor("int64", [], BigInt64Array.of(ignored.value)))]);
    index = b.op("Where", [skip, b.constant(tensor("int64", [], BigInt64Array.of(0n))), labels]);
    counts = b.sub(num(s, 1), cast(s, skip, floatType(s)));
  }
  const picked = b.squeeze(b.op("GatherElements", [x, b.unsqueeze(index, [1])], { axis: int(1) }), [1]);
  if (weights !== null) {
    const own = b.op("Gather", [weights, index]);
    counts = counts === null ? own : b.mul(own, counts);
  }
  const loss = b.neg(counts === null ? picked : b.mul(picked, counts));
  const sum = (value: string): string => b.op("ReduceSum", [value], { keepdims: int(0) });
  if (reduction === "none") return loss;
  if (reduction === "sum") return sum(loss);
  return counts === null ? b.op("ReduceMean", [loss], { keepdims: int(0) }) : b.div(sum(loss), sum(counts));
}

export const NegativeLogLikelihoodLoss: Decomposition = (s) => [
  likelihoodLoss(s, s.node.inputs[0]!, s.node.inputs[1]!, given(s, 2)),
];

export const SoftmaxCrossEntropyLoss: Decomposition = (s) => {
  const scores = s.b.op("LogSoftmax", [s.node.inputs[0]!], { axis: int(1) });
  return [likelihoodLoss(s, scores, s.node.inputs[1]!, given(s, 2)), wanted(s, 1) ? scores : ""];
};
