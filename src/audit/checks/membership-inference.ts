import type { Interval, MembershipEvidence, SeriesDetail, TableDetail } from "../../contract/index.ts";
import { auc, balancedAccuracy, roc, tprAtFpr, type Roc } from "../../stats/index.ts";
import type { Check } from "../check.ts";
import { percent } from "./percent.ts";

const RATES = [0.1, 0.01, 0.001] as const;
/** A model is said to leak when the AUC is surely above this, or a member can be named at 1 % false alarms this often. */
const LEAK_AUC = 0.55;
const LEAK_RATIO = 3;

/** Whether known members can be told from non-members by the model's answers. */
export const membershipInference: Check<MembershipEvidence> = {
  id: "membership-inference",
  risk: "memorization",
  title: "Membership inference",
  why: "If an outsider can tell from a model's answers who was in its training data, being in the data is no longer a secret: a patient in a hospital's model, a customer in a bank's.",
  threat: {
    knows: "rows with their labels, and the model's scores for them",
    changes: "nothing",
    spends: "one query for each row",
    atlas: ["AML.T0024.000"],
    nist: ["NISTAML.033"],
  },
  reads: ["membership"],
  judge([evidence]) {
    const { attacks, correct, memberIds } = evidence!;
    const n = memberIds.length;
    const measured = attacks.map(({ attack, members, nonMembers }) => {
      const curve = roc(members, nonMembers);
      return {
        attack,
        curve,
        area: auc(members, nonMembers),
        balanced: n < 4 ? null : balancedAccuracy(members, nonMembers),
        rates: RATES.map((fpr) => ({ fpr, ...tprAtFpr(curve, fpr) })),
      };
    });
    const best = measured.toSorted((a, b) => b.area.value - a.area.value)[0]!;
    const atOne = best.rates.find((r) => r.fpr === 0.01)!.rate;
    const leaks = best.area.low > LEAK_AUC || (atOne !== null && atOne.low > LEAK_RATIO * 0.01);
    const clear = best.area.high < LEAK_AUC && (atOne === null || atOne.high < LEAK_RATIO * 0.01 * 2);
    const gap = (correct.members - correct.nonMembers) / n;
    return {
      outcome: leaks ? "fail" : clear ? "pass" : "inconclusive",
      severity: leaks ? severityOf(best.area, atOne) : "none",
      evidence: "estimate",
      headline:
        `The best attack (${best.attack}) ranks a member above a non-member in ${percent(best.area.value)} of pairs (${percent(best.area.low)} to ${percent(best.area.high)}; 50 % is chance)` +
        (atOne === null ? "." : `, and names ${percent(atOne.value)} of members at 1 % false alarms.`),
      measures: [
        { name: "AUC of the best attack", unit: "fraction", value: best.area, better: "lower" },
        ...(atOne === null
          ? []
          : [{ name: "TPR at 1 % FPR", unit: "fraction" as const, value: atOne, better: "lower" as const }]),
        { name: "accuracy on members less that on non-members", unit: "fraction", value: gap, better: "lower" },
      ],
      advice: leaks
        ? [
            "Train for fewer epochs, with more data or more regularization, until the accuracy gap closes; membership inference feeds on it.",
            "Where being in the data is itself sensitive, train with differential privacy.",
            "Let the endpoint answer labels instead of scores, and limit queries: it hinders, it does not prevent.",
          ]
        : [
            "These are the weakest attacks: attacks with shadow models find more. Read this as a floor of the leak, not as a bound.",
          ],
      details: [tableOf(measured), rocSeries(measured)],
    };
  },
};

function severityOf(area: Interval, atOne: Interval | null): "low" | "medium" | "high" {
  if (area.low > 0.75 || (atOne !== null && atOne.low > 0.1)) return "high";
  return area.low > 0.6 || (atOne !== null && atOne.low > 0.05) ? "medium" : "low";
}

type Measured = {
  readonly attack: string;
  readonly curve: Roc;
  readonly area: Interval;
  readonly balanced: Interval | null;
  readonly rates: readonly ({ readonly fpr: number } & ReturnType<typeof tprAtFpr>)[];
};

function tableOf(measured: readonly Measured[]): TableDetail {
  return {
    type: "table",
    caption:
      "Membership attacks (balanced accuracy with a threshold chosen on the other half of the rows; TPR with Clopper-Pearson intervals)",
    columns: [
      { key: "attack", label: "attack" },
      { key: "auc", label: "AUC", unit: "fraction" },
      { key: "balanced", label: "balanced accuracy", unit: "fraction" },
      ...RATES.map((fpr) => ({ key: `tpr${fpr}`, label: `TPR at ${100 * fpr} % FPR`, unit: "fraction" as const })),
    ],
    rows: measured.map((m) => ({
      attack: m.attack,
      auc: m.area,
      balanced: m.balanced,
      ...Object.fromEntries(m.rates.map((r) => [`tpr${r.fpr}`, r.rate ?? ("why" in r ? r.why : null)])),
    })),
  };
}

/** Both axes logarithmic: what matters is how many members are found when hardly anyone is accused wrongly. */
function rocSeries(measured: readonly Measured[]): SeriesDetail {
  const { negatives, positives } = measured[0]!.curve;
  const floor = { x: 1 / negatives, y: 1 / positives };
  return {
    type: "series",
    caption: "ROC on logarithmic axes; the dashed line is guessing",
    x: { label: "false-positive rate", unit: "fraction", scale: "log", domain: [floor.x, 1] },
    y: { label: "true-positive rate", unit: "fraction", scale: "log", domain: [floor.y, 1] },
    series: [
      ...measured.map(({ attack, curve }) => ({
        name: attack,
        style: "step" as const,
        points: thinned(
          curve.points
            .filter((p) => p.falsePositives > 0 && p.truePositives > 0)
            .map((p) => ({ x: p.falsePositives / negatives, y: p.truePositives / positives })),
        ),
      })),
      {
        name: "guessing",
        style: "dashed" as const,
        points: [
          { x: floor.x, y: floor.x },
          { x: 1, y: 1 },
        ],
      },
    ],
  };
}

/** At most about 200 points, evenly spaced on a log axis: the page need not carry thousands. */
function thinned<P extends { readonly x: number }>(points: readonly P[]): P[] {
  const kept: P[] = [];
  let next = -Infinity;
  points.forEach((p, i) => {
    if (Math.log10(p.x) >= next || i === points.length - 1) {
      kept.push(p);
      next = Math.log10(p.x) + 0.02;
    }
  });
  return kept;
}
