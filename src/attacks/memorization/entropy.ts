import { logSumExp } from "../../stats/index.ts";
import { forEachScore, type MembershipAttack } from "./membership.ts";

/**
 * Membership by modified prediction entropy: like the entropy of the prediction, but a confident wrong answer counts as
 * "not a member". Song & Mittal 2021, section 4.2, equation 4:
 * Mentr(p, y) = -(1 - p_y) log p_y - sum_{i != y} p_i log(1 - p_i). The score is -Mentr.
 */
export const entropy: MembershipAttack = {
  id: "entropy",
  title: "Membership by modified prediction entropy",
  summary: "Guesses that a row was in the training data when the model is both confident and right about it.",
  risk: "memorization",
  paper: {
    authors: "Song, Mittal",
    year: 2021,
    title: "Systematic Evaluation of Privacy Risks of Machine Learning Models",
    url: "https://arxiv.org/abs/2003.10595",
    section: "4.2",
  },
  differences: ["One threshold for all classes rather than one for each class; all thresholds are reported."],
  needs: ["scores"],
  options: {},
  async run(context, subject) {
    const out = new Float64Array(subject.data.size);
    await forEachScore(context, subject, (row, z, y) => {
      out[row] = -modifiedEntropy(z, y);
    });
    return out;
  },
};

/** Modified prediction entropy in nats from logits, exact where probabilities round to 0 or 1. */
export function modifiedEntropy(z: Float64Array, y: number): number {
  const all = logSumExp(z);
  let sum = 0;
  for (let i = 0; i < z.length; i++) {
    const logP = z[i]! - all;
    const logRest = logSumExp(z, i) - all; // log(1 - p_i) without cancellation
    sum -= i === y ? Math.exp(logRest) * logP : Math.exp(logP) * logRest;
  }
  return sum;
}
