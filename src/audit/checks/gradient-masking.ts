import type { EvasionEvidence } from "../../contract/evidence/evasion.ts";
import type { Cell } from "../../contract/index.ts";
import type { Check, Judgement } from "../check.ts";

/** Signs that attacks by gradient were blinded, so that robust accuracy is overstated (Athalye, Carlini & Wagner 2018, section 3.1). */
export const gradientMasking: Check<EvasionEvidence> = {
  id: "gradient-masking",
  risk: "evasion",
  title: "Whether attacks by gradient can be believed",
  why: "A model that hides its gradients looks robust to a white-box attack and falls to one that does not need them.",
  threat: {
    knows: "The model's scores, or the gradients of another model.",
    changes: "Inputs at prediction time, within the budget eps and the legal range.",
    spends: "Queries to the model.",
    atlas: ["AML.T0043", "AML.T0015"],
    nist: ["NISTAML.022", "NISTAML.025"],
  },
  reads: ["evasion"],
  judge(evidence) {
    const e = [...evidence].sort(
      (a, b) => signsOf(b).filter((s) => s.shown).length - signsOf(a).filter((s) => s.shown).length,
    )[0]!;
    return judgeOne(e);
  },
};

interface Sign {
  readonly name: string;
  readonly count: number;
  readonly of: number;
  /** Share from which on it counts as a sign. */
  readonly from: number;
  readonly shown: boolean;
}

function sign(name: string, count: number, of: number, from: number): Sign {
  return { name, count, of, from, shown: of > 0 && count > 0 && count / of >= from };
}

function signsOf(e: EvasionEvidence): Sign[] {
  const h = e.health;
  const held = h.wholeRange;
  return [
    sign("gradient exactly zero", h.flat, h.looked, 0.1),
    sign("answer or gradient not a finite number", h.notFinite, h.looked, 0.01),
    sign("fooled by scores or noise after all gradients failed", h.onlyByScores, e.correct, 0.05),
    sign("fooled by one step but not by many", h.onlyByOneStep, e.correct, 0.05),
    sign("held with the whole input range as budget", held?.held ?? 0, held?.attacked ?? 0, 0.01),
  ];
}

function judgeOne(e: EvasionEvidence): Judgement {
  const base = { severity: "none", evidence: null, measures: [], advice: [], details: [] } as const;
  if (!e.whiteBox) {
    return {
      ...base,
      outcome: "inapplicable",
      headline: "The target gives no gradients, so none can be masked; only black-box attacks ran.",
    };
  }
  if (e.health.looked === 0) {
    return {
      ...base,
      outcome: "inconclusive",
      headline: "No row was classified correctly, so no gradient was looked at.",
    };
  }
  const signs = signsOf(e);
  const shown = signs.filter((s) => s.shown);
  const held = e.health.wholeRange;
  const shared: Pick<Judgement, "measures" | "details"> = {
    measures: [
      {
        name: "fooled by scores or noise after all gradients failed",
        unit: "fraction",
        value: e.health.onlyByScores / e.correct,
        better: "lower",
      },
      { name: "rows with a zero gradient", unit: "fraction", value: e.health.flat / e.health.looked, better: "lower" },
    ],
    details: [tableOf(signs), saturation(e)].filter((d) => d !== null),
  };
  if (shown.length > 0) {
    return {
      ...shared,
      outcome: "fail",
      severity: "medium",
      evidence: "estimate",
      headline: `Attacks by gradient cannot be trusted on this model: ${shown.map((s) => `${s.name} (${s.count} of ${s.of})`).join("; ")}. Its robust accuracy is likely overstated.`,
      advice: [
        "Believe the black-box number, and raise its queries: marauder attack square with more queries.",
        "Run marauder inspect to see rounding, sign, quantization and other non-smooth operators between input and output; attack the model without them.",
        "Do not count what hides gradients as a defense.",
      ],
    };
  }
  const tried = held === null || held.attacked === 0;
  const broken = e.curve.some((point) => point.fooled === e.correct);
  if (tried && !broken) {
    return {
      ...shared,
      outcome: "inconclusive",
      severity: "none",
      evidence: "estimate",
      headline: "No sign of masking was seen, but the attack with the whole input range did not run.",
      advice: [],
    };
  }
  return {
    ...shared,
    outcome: "pass",
    severity: "none",
    evidence: "estimate",
    headline: `No sign of masking: attacks by gradient ${broken ? "fooled every correctly classified row" : `fooled all ${held!.attacked} rows that held once they had the whole input range`}, and scores alone found ${e.health.onlyByScores === 0 ? "nothing" : `only ${e.health.onlyByScores} rows`} beyond them.`,
    advice: [],
  };
}

function tableOf(signs: readonly Sign[]): Judgement["details"][number] {
  return {
    type: "table",
    caption: "Signs of masked gradients, and the share of rows from which each counts.",
    columns: [
      { key: "sign", label: "Sign" },
      { key: "count", label: "Rows", unit: "count" },
      { key: "of", label: "Of", unit: "count" },
      { key: "from", label: "Counts from", unit: "fraction" },
    ],
    rows: signs.map((s): Record<string, Cell> => ({ sign: s.name, count: s.count, of: s.of, from: s.from })),
    highlight: signs.flatMap((s, k) => (s.shown ? [k] : [])),
  };
}

function saturation(e: EvasionEvidence): Judgement["details"][number] | null {
  const { saturated, flat, looked } = e.health;
  if (saturated <= flat) return null;
  return {
    type: "text",
    caption: "Saturated softmax",
    paragraphs: [
      `For ${saturated} of ${looked} rows the model was so sure that float32 rounds the gradient of its cross-entropy to zero. Tools that do not notice report such rows as robust; here the gradient of the margin was used for them.`,
    ],
  };
}
