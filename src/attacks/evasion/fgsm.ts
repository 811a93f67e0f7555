import { balls } from "./balls.ts";
import { type EvasionAttack, pack } from "./subject.ts";
import { beat, lossFor, lossOption } from "./walk.ts";

export interface FgsmOptions {
  readonly loss: string;
}

/** Fast gradient (sign) method: one step of full length. Goodfellow, Shlens & Szegedy 2015, section 4. */
export const fgsm: EvasionAttack<FgsmOptions> = {
  id: "fgsm",
  title: "Fast gradient sign method",
  summary: "One step of full budget in the direction in which the loss grows fastest: the quickest look at a model.",
  risk: "evasion",
  paper: {
    authors: "Goodfellow, Shlens, Szegedy",
    year: 2015,
    title: "Explaining and harnessing adversarial examples",
    url: "https://arxiv.org/abs/1412.6572",
    section: "4",
  },
  differences: [
    "l2 and l1 versions: a step of length eps along the normalized gradient, or along its largest coordinate that can still move; then the nearest point of ball and bounds",
    "where float32 rounds the gradient of the loss to exactly zero, the gradient of the margin is used",
  ],
  needs: ["scores", "gradient"],
  norms: ["linf", "l2", "l1"],
  options: { loss: lossOption },
  async run(context, subject, options) {
    const { d, eps, space, x } = subject;
    const ball = balls[subject.norm];
    const rows = subject.open();
    beat(context, 0, 1);
    const z = pack(x, rows, d, new Float32Array(rows.length * d));
    const { gradient } = await subject.climb(rows, z, lossFor(subject, options.loss));
    beat(context, 1, 1);
    const direction = new Float32Array(d);
    for (let k = 0; k < rows.length; k++) {
      const go = k * d;
      const xo = rows[k]! * d;
      if (!ball.ascend({ gradient, go, out: direction, oo: 0, d, at: x, ao: xo, space, density: 0 })) continue;
      for (let j = 0; j < d; j++) z[go + j] = x[xo + j]! + eps * direction[j]!;
      ball.project(z, go, x, xo, d, eps, space);
    }
    await subject.ask(rows, z);
  },
};
