import type { EvasionEvidence } from "../../contract/evidence/evasion.ts";
import type { Detail, Severity } from "../../contract/index.ts";
import type { Check, Judgement } from "../check.ts";

/** Fails, with the inputs as witnesses, when examples flip within the reference budget. Never passes: attacks prove no robustness. */
export const adversarialExamples: Check<EvasionEvidence> = {
  id: "adversarial-examples",
  risk: "evasion",
  title: "Small changes to the input flip the prediction",
  why: "An adversary who can touch an input can choose the answer, while a person sees the same thing as before.",
  threat: {
    knows: "Everything about the model (white box), or only its scores (square); each attack's row says which.",
    changes: "Inputs at prediction time, within the budget eps and the legal range.",
    spends: "Computing time, or queries to the model.",
    atlas: ["AML.T0043", "AML.T0015"],
    nist: ["NISTAML.022", "NISTAML.025"],
  },
  reads: ["evasion"],
  judge(evidence) {
    return judgeOne(worstOf(evidence), evidence);
  },
};

/** The evidence with the lowest robust accuracy at its reference budget, when several norms were tried. */
function worstOf(evidence: readonly EvasionEvidence[]): EvasionEvidence {
  return [...evidence].sort((a, b) => atReference(a).robustAccuracy.value - atReference(b).robustAccuracy.value)[0]!;
}

function atReference(e: EvasionEvidence): EvasionEvidence["curve"][number] {
  return e.curve.find((point) => point.eps === e.referenceEps) ?? e.curve.at(-1)!;
}

function judgeOne(e: EvasionEvidence, all: readonly EvasionEvidence[]): Judgement {
  const point = atReference(e);
  const measures: Judgement["measures"] = [
    { name: "clean accuracy", unit: "fraction", value: e.testAccuracy?.accuracy ?? e.cleanAccuracy, better: "higher" },
    { name: `robust accuracy at ${budgetText(e)}`, unit: "fraction", value: point.robustAccuracy, better: "higher" },
    ...(e.distance === null
      ? []
      : [{ name: `median change that fooled (${e.norm})`, unit: "input units", value: e.distance.median } as const]),
  ];
  const details = all.flatMap(detailsOf);
  if (e.correct === 0) {
    return {
      outcome: "inconclusive",
      severity: "none",
      evidence: null,
      headline: `The model classifies none of ${e.samples} rows correctly, so there was nothing to attack.`,
      measures,
      advice: ["Check that labels, input range and normalization are those that the model was trained with."],
      details,
    };
  }
  if (point.fooled === 0) {
    return {
      outcome: "inconclusive",
      severity: "none",
      evidence: "estimate",
      headline: `Held at this budget: none of ${e.correct} correctly classified rows was fooled within ${budgetText(e)}${e.whiteBox ? "" : ", by black-box attacks alone"}.`,
      measures,
      advice: [
        "Read it as an upper bound on what these attacks find, not as proof: raise samples, steps and queries, or use a verifier for a certificate.",
        "Read the gradient-masking finding beside it: where gradients are hidden, this number means little.",
      ],
      details,
    };
  }
  return {
    outcome: "fail",
    severity: severityOf(e),
    evidence: "witness",
    headline: `${point.fooled} of ${e.correct} correctly classified rows are misclassified after a change of at most ${budgetText(e)}: accuracy falls from ${percent(e.cleanAccuracy.value)} to ${percent(point.robustAccuracy.value)}.`,
    measures,
    advice: adviceFor(e),
    details,
  };
}

/** By the share fooled at the reference budget; critical where a quarter of that budget is enough for most. */
function severityOf(e: EvasionEvidence): Severity {
  const share = (fooled: number): number => fooled / e.correct;
  const quarter = e.curve.find((point) => point.eps > 0 && point.eps <= e.referenceEps / 4);
  if (quarter !== undefined && share(quarter.fooled) >= 0.9) return "critical";
  const fooled = share(atReference(e).fooled);
  return fooled >= 0.5 ? "high" : fooled >= 0.1 ? "medium" : "low";
}

function adviceFor(e: EvasionEvidence): string[] {
  const noise = e.attacks.find((row) => row.kind === "control");
  const advice: string[] = [];
  if (noise !== undefined && noise.fooled > 0.2 * e.correct) {
    advice.push(
      `Random noise of the same size already fools ${noise.fooled} of ${e.correct}: ask first whether the budget is realistic, and train with noisy copies of the data.`,
    );
  }
  advice.push(
    e.changes.length > 0
      ? "Look at which columns an adversary can really move, and leave the others out or check them against a second source."
      : "Retrain with adversarial training (PGD at the budget that you must withstand) and audit again: it costs some clean accuracy.",
    "Do not rely on a detector or on hiding the model until an attack that knows them has been tried.",
    "Decide by the cost of a wrong answer which predictions need a person or a second signal.",
  );
  return advice;
}

const percent = (value: number): string => `${Number((100 * value).toPrecision(3))} %`;

function budgetText(e: EvasionEvidence): string {
  const eps = Number(e.referenceEps.toPrecision(3));
  if (e.unit !== "input units") return `${eps} of each column's range (${e.norm})`;
  const of255 = (255 * e.referenceEps) / e.range;
  const whole = Math.abs(of255 - Math.round(of255)) < 1e-6 && of255 < 64;
  return whole && e.norm === "linf"
    ? `${Math.round(of255)}/255 of the input range (linf)`
    : `${eps} in input units (${e.norm})`;
}

function detailsOf(e: EvasionEvidence): Detail[] {
  const details: Detail[] = [
    {
      type: "series",
      caption: `Robust accuracy against the budget, worst case over ${e.attacks.length} attacks for each of ${e.samples} rows; the band is the 95 % interval.`,
      x: { label: `eps (${e.norm}, ${e.unit})`, scale: "linear" },
      y: { label: "accuracy under attack", scale: "linear", unit: "fraction", domain: [0, 1] },
      series: [
        {
          name: "robust accuracy",
          style: "line",
          points: e.curve.map(({ eps, robustAccuracy: { value, low, high } }) => ({ x: eps, y: value, low, high })),
        },
      ],
    },
  ];
  if (e.pictures.length > 0) {
    details.push({
      type: "images",
      caption: "The smallest changes that fooled the model: original, change amplified about grey, and result.",
      rows: e.pictures,
    });
  }
  if (e.changes.some((row) => row.changes.length > 0)) {
    details.push({ type: "diff", caption: "The smallest changes that fooled the model.", rows: e.changes });
  }
  details.push({
    type: "table",
    caption: `Attacks at the reference budget, ${budgetText(e)}. "survivors" were left by the attacks above.`,
    columns: [
      { key: "attack", label: "Attack" },
      { key: "on", label: "Tried on" },
      { key: "attacked", label: "Rows", unit: "count" },
      { key: "rate", label: "Fooled", unit: "fraction" },
      { key: "queries", label: "Queries", unit: "count" },
      { key: "gradients", label: "Gradients", unit: "count" },
      { key: "seconds", label: "Time", unit: "seconds" },
    ],
    rows: e.attacks.map((row) => ({
      attack: row.title,
      on: row.on,
      attacked: row.attacked,
      rate: row.attacked === 0 ? null : row.successRate,
      queries: row.queries,
      gradients: row.gradients,
      seconds: row.seconds,
    })),
  });
  const rounded =
    e.fooledUnrounded === null
      ? []
      : [`Before rounding to stored values ${e.fooledUnrounded} rows were fooled, after it ${atReference(e).fooled}.`];
  details.push({
    type: "text",
    caption: "What the attacker may do",
    paragraphs: [...e.rules.map(sentence), ...rounded],
  });
  return details;
}

const sentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
