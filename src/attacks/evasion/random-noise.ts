import { balls } from "./balls.ts";
import type { EvasionAttack, EvasionSubject } from "./subject.ts";
import type { Rng } from "../../random/rng.ts";
import { beat, streams } from "./walk.ts";

export interface RandomNoiseOptions {
  readonly draws: number;
  readonly shape: string;
}

/** Control: noise of the same size without any aim. What it fools was not robust to begin with. */
export const randomNoise: EvasionAttack<RandomNoiseOptions> = {
  id: "random-noise",
  title: "Random noise (control)",
  summary: "Noise of the same norm, drawn without looking at the model: what an attack must beat to mean anything.",
  risk: "evasion",
  paper: {
    authors: "Fawzi, Moosavi-Dezfooli, Frossard",
    year: 2016,
    title: "Robustness of classifiers: from adversarial to random noise",
    url: "https://arxiv.org/abs/1608.08967",
    section: "2",
  },
  differences: [
    "a control, not a method of the paper: draws of fixed size, and the worst of them counts for each example",
  ],
  needs: ["label"],
  norms: ["linf", "l2", "l1"],
  options: {
    draws: { type: "int", default: 100, min: 1, max: 1_000_000, doc: "Noisy copies of each example." },
    shape: {
      type: "choice",
      default: "uniform",
      choices: ["uniform", "gaussian", "corners"],
      doc: "uniform: anywhere in the ball. gaussian: normal noise scaled to the full budget. corners: every feature moves by plus or minus the same amount, the full budget.",
    },
  },
  async run(context, subject, options) {
    const { d } = subject;
    const rngs = streams(context.rng, subject, "noise");
    const buffer = new Float32Array(subject.size * d);
    for (let draw = 0; draw < options.draws; draw++) {
      beat(context, draw, options.draws);
      const rows = subject.open();
      if (rows.length === 0) return;
      for (let k = 0; k < rows.length; k++) noise(subject, rows[k]!, rngs[rows[k]!]!, options.shape, buffer, k * d);
      await subject.ask(rows, buffer.subarray(0, rows.length * d));
    }
    beat(context, options.draws, options.draws);
  },
};

function noise(subject: EvasionSubject, i: number, rng: Rng, shape: string, out: Float32Array, o: number): void {
  const { d, x, eps, space } = subject;
  const ball = balls[subject.norm];
  if (shape === "uniform") return ball.sample(rng, out, o, x, i * d, d, eps, space);
  const row = out.subarray(o, o + d);
  if (shape === "corners") fillSigns(rng, row);
  else rng.fillNormal(row);
  if (space.mask !== null) for (let j = 0; j < d; j++) row[j]! *= space.mask[j]!;
  const size = ball.distance(row, 0, new Float32Array(d), 0, d);
  for (let j = 0; j < d; j++) row[j] = x[i * d + j]! + (size > 0 ? (eps / size) * row[j]! : 0);
  ball.project(out, o, x, i * d, d, eps, space);
}

/** Plus or minus one, 32 features from one draw. */
function fillSigns(rng: Rng, row: Float32Array): void {
  let bits = 0;
  for (let j = 0; j < row.length; j++) {
    if (j % 32 === 0) bits = rng.uint32();
    row[j] = bits & 1 ? 1 : -1;
    bits >>>= 1;
  }
}
