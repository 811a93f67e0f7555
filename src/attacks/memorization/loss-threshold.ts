import { logSumExp } from "../../stats/index.ts";
import { forEachScore, type MembershipAttack } from "./membership.ts";

/**
 * Membership by a threshold on the loss: members are rows that the model finds easy. The control that every stronger
 * attack must beat. Yeom et al. 2018, section 3.2. The score is the log-probability of the label, so that the order is
 * that of the negative loss, in float64 from logits (no saturation at probability 1).
 */
export const lossThreshold: MembershipAttack = {
  id: "loss-threshold",
  title: "Membership by loss threshold",
  summary: "Guesses that a row was in the training data when the model's loss on it is low.",
  risk: "memorization",
  paper: {
    authors: "Yeom, Giacomelli, Fredrikson, Jha",
    year: 2018,
    title: "Privacy Risk in Machine Learning: Analyzing the Connection to Overfitting",
    url: "https://arxiv.org/abs/1709.01604",
    section: "3.2",
  },
  differences: ["All thresholds are reported (a ROC curve) rather than the mean training loss alone."],
  needs: ["scores"],
  options: {},
  async run(context, subject) {
    const out = new Float64Array(subject.data.size);
    // z_y - LSE_{k != y} orders rows as log p_y does, and still tells rows apart where p_y rounds to 1.
    await forEachScore(context, subject, (row, z, y) => {
      out[row] = z[y]! - logSumExp(z, y);
    });
    return out;
  },
};
