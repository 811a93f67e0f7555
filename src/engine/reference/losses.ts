import { getString, toNumber } from "../../ir/attributes.ts";
import type { Node } from "../../ir/graph.ts";
import { sizeOf } from "../../tensor/index.ts";
import { LogSoftmax } from "./reduce.ts";
import { fail, floatsOf, fromNumbers, need, numbers, type Kernel, type Value } from "./value.ts";

function loss(x: Value, target: Value, weights: Value | null, node: Node): Value {
  const classes = x.dims[1]!;
  const inner = sizeOf(x.dims.slice(2));
  const labels = numbers(target);
  const scores = numbers(x);
  const w = weights === null ? null : floatsOf(weights);
  const ignore = node.attributes["ignore_index"];
  const skipped = ignore?.type === "int" ? toNumber(ignore.value) : null;
  let total = 0;
  const each = Float64Array.from({ length: labels.length }, (_, i) => {
    const label = labels[i]!;
    if (label === skipped) return 0;
    if (!(label >= 0 && label < classes)) return fail(node, `label ${label} of ${classes} classes`);
    const weight = w?.[label] ?? 1;
    total += weight;
    return -weight * scores[(Math.floor(i / inner) * classes + label) * inner + (i % inner)]!;
  });
  const reduction = getString(node, "reduction", "mean");
  if (reduction === "none") return fromNumbers(x.dtype, target.dims, each);
  const sum = each.reduce((a, v) => a + v, 0);
  return fromNumbers(x.dtype, [], [reduction === "sum" ? sum : sum / total]);
}

export const NegativeLogLikelihoodLoss: Kernel = (inputs, node) => [
  loss(need(inputs, 0, node), need(inputs, 1, node), inputs[2] ?? null, node),
];

export const SoftmaxCrossEntropyLoss: Kernel = (inputs, node, opset) => {
  const along = { ...node, attributes: { axis: { type: "int", value: 1n } as const } };
  const [scores] = LogSoftmax([need(inputs, 0, node)], along, opset);
  return [loss(scores!, need(inputs, 1, node), inputs[2] ?? null, node), scores!];
};
