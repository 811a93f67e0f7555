import { throwIfCancelled } from "../../errors.ts";
import type { Rng } from "../../random/rng.ts";
import type { Beginning, CandidateTree } from "./candidate-tree.ts";
import { TIE_BITS } from "./reference-costs.ts";

/** How many candidates are cheaper than a secret: an estimate without bias, and its 95 % interval. */
export interface CheaperEstimate {
  readonly count: number;
  readonly low: number;
  readonly high: number;
  /** Draws that were cheaper than the secret; few of them make the estimate worthless. */
  readonly hits: number;
}

interface Walker {
  readonly node: Beginning;
  /** log2 of the probability with which it was drawn. */
  readonly logQ: number;
  readonly rng: Rng;
}

/**
 * Importance sampling along the model itself: candidates are drawn digit by digit as the model would write them, kept
 * within the format, and each that is cheaper than the secret counts as the inverse of the probability of drawing it. Random
 * references hardly ever meet the cheap candidates of a space of 2^46; these draws meet little else.
 */
export async function cheaperByGuide(
  tree: CandidateTree,
  cost: number,
  draws: number,
  rng: Rng,
  signal: AbortSignal,
): Promise<CheaperEstimate> {
  let walkers = Array.from({ length: draws }, (_, i): Walker => ({ node: tree.root, logQ: 0, rng: rng.child(i) }));
  const weights: number[] = [];
  while (walkers.length > 0) {
    throwIfCancelled(signal);
    // Walkers at one place ask one question.
    const places = [...new Map(walkers.map(({ node }) => [node.text, node])).values()];
    const children = await tree.expand(places);
    const at = new Map(places.map((node, i) => [node.text, children[i]!]));
    const next: Walker[] = [];
    for (const { node, logQ, rng: own } of walkers) {
      const { child, share } = pick(at.get(node.text)!, own.float());
      if (child.bits > cost - TIE_BITS) continue; // costs only grow: it is dearer than the secret
      const q = logQ + Math.log2(share);
      if (tree.isWhole(child)) weights.push(2 ** -q);
      else next.push({ node: child, logQ: q, rng: own });
    }
    walkers = next;
  }
  const count = weights.reduce((a, b) => a + b, 0) / draws;
  const square = weights.reduce((a, b) => a + b * b, 0) / draws - count * count;
  const error = 1.96 * Math.sqrt(Math.max(0, square) / draws);
  return { count, low: Math.max(0, count - error), high: count + error, hits: weights.length };
}

/** A child with probability proportional to what the model gives it. */
function pick(children: readonly Beginning[], u: number): { child: Beginning; share: number } {
  const least = Math.min(...children.map((c) => c.bits));
  const shares = children.map((c) => 2 ** (least - c.bits));
  const sum = shares.reduce((a, b) => a + b, 0);
  let rest = u * sum;
  let i = 0;
  while (i < children.length - 1 && rest >= shares[i]!) rest -= shares[i++]!;
  return { child: children[i]!, share: shares[i]! / sum };
}
