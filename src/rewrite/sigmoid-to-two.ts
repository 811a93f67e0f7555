import { GraphBuilder, int } from "../ir/index.ts";
import type { Graph } from "../ir/index.ts";

/**
 * Makes two scores [0, l] of a single logit l (shape [N, 1], [N] or any with one number for each example): the class of
 * the larger one is the class at probability 0.5, and a softmax over both is the sigmoid of l. Returns the new value of
 * shape [N, 2].
 */
export function sigmoidToTwo(graph: Graph, logit: string): { graph: Graph; scores: string } {
  const b = new GraphBuilder(graph);
  const column = b.reshape(logit, [-1, 1]);
  const scores = b.op("Concat", [b.mul(column, b.scalar(0)), column], { axis: int(1) }, "two_scores");
  return { graph: b.build(), scores };
}
