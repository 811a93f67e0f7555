import { membershipAttacks, sampleRows } from "../../attacks/memorization/index.ts";
import type { MembershipResult } from "../../contract/index.ts";
import type { Dataset } from "../../data/index.ts";
import { narrow, type Target } from "../../target/index.ts";
import type { Probe } from "../probe.ts";

interface MembershipOptions {
  readonly samples: number;
}

const round = (scores: Float64Array): number[] => Array.from(scores, (s) => Number(s.toPrecision(9)));

async function countCorrect(target: Target, data: Dataset): Promise<number> {
  const predicted = await target.label(data.features);
  return predicted.reduce((n, k, i) => n + (k === data.labels![i] ? 1 : 0), 0);
}

/** Scores known members and non-members with every membership attack. */
export const membershipProbe: Probe<MembershipOptions, MembershipResult> = {
  id: "membership",
  risk: "memorization",
  title: "Membership inference",
  makes: "membership",
  options: {
    samples: {
      type: "int",
      default: 2000,
      min: 20,
      max: 1_000_000,
      doc: "Rows scored on each side, members and non-members.",
    },
  },
  quick: { samples: 1000 },
  applies({ target, members, nonMembers }) {
    if (target === null) return "needs a model";
    if (!target.can.has("scores")) return "the model answers labels only, and these attacks need scores";
    if (members === null || nonMembers === null) {
      return "needs rows that were in the training data and rows that were not: give --members and --non-members, or --train";
    }
    if (members.labels === null || nonMembers.labels === null) return "needs the labels of members and non-members";
    return null;
  },
  async run(context, subject, { samples }) {
    const target = narrow(subject.target!, ["scores", "label"]);
    // Equal numbers on both sides: a balanced prior, so that balanced accuracy and precision mean what they say.
    const n = Math.min(samples, subject.members!.size, subject.nonMembers!.size);
    const members = sampleRows(context, subject.members!, n, "members");
    const nonMembers = sampleRows(context, subject.nonMembers!, n, "non-members");
    const attacks: MembershipResult["attacks"][number][] = [];
    for (const attack of membershipAttacks) {
      attacks.push({
        attack: attack.id,
        members: round(await attack.run(context, { target, data: members }, {})),
        nonMembers: round(await attack.run(context, { target, data: nonMembers }, {})),
      });
    }
    return {
      kind: "membership",
      attacks,
      memberIds: members.rowIds,
      nonMemberIds: nonMembers.rowIds,
      memberLabels: [...members.labels!],
      nonMemberLabels: [...nonMembers.labels!],
      correct: { members: await countCorrect(target, members), nonMembers: await countCorrect(target, nonMembers) },
      classNames: members.classNames,
      scoresFrom: "logits or log-probabilities",
    };
  },
};
