import { balls } from "./balls.ts";
import { type EvasionAttack, pack } from "./subject.ts";
import { beat, lossFor, lossOption, startAnywhere, streams } from "./walk.ts";

export interface PgdOptions {
  readonly steps: number;
  readonly relStep: number;
  readonly restarts: number;
  readonly randomStart: boolean;
  readonly loss: string;
  readonly density: number;
}

/** Projected gradient descent on the negative loss. Madry et al. 2018, section 2.1. */
export const pgd: EvasionAttack<PgdOptions> = {
  id: "pgd",
  title: "Projected gradient descent",
  summary:
    "Many small steps uphill on the loss, each followed by a projection back into the budget, from a random start: the standard white-box attack.",
  risk: "evasion",
  paper: {
    authors: "Madry, Makelov, Schmidt, Tsipras, Vladu",
    year: 2018,
    title: "Towards deep learning models resistant to adversarial attacks",
    url: "https://arxiv.org/abs/1706.06083",
    section: "2.1",
  },
  differences: [
    "the step is relative to eps: 2.5 eps / steps, so that every point of the ball can be reached from every start",
    "every iterate counts, and an example is left alone as soon as it is fooled",
    "l2 starts are drawn from the ball; l1 steps are sparse (Tramer & Boneh 2019, appendix A)",
    "projects onto the intersection of ball and bounds exactly, not onto one after the other",
    "where float32 rounds the gradient of the loss to exactly zero, the gradient of the margin is used",
  ],
  needs: ["scores", "gradient"],
  norms: ["linf", "l2", "l1"],
  options: {
    steps: { type: "int", default: 40, min: 1, max: 100_000, doc: "Gradient steps in each restart." },
    relStep: { type: "float", default: 0.0625, min: 1e-6, max: 2, doc: "Length of a step, as a fraction of eps." },
    restarts: {
      type: "int",
      default: 1,
      min: 1,
      max: 10_000,
      doc: "Runs from new random starts; the worst counts for each example.",
    },
    randomStart: {
      type: "boolean",
      default: true,
      doc: "Start from a random point of the ball; false starts the first run at the clean input.",
    },
    loss: lossOption,
    density: {
      type: "float",
      default: 0.05,
      min: 0,
      max: 1,
      doc: "l1 only: share of the features that one step changes, at least one feature.",
    },
  },
  async run(context, subject, options) {
    const { d, eps, space, x } = subject;
    const ball = balls[subject.norm];
    const loss = lossFor(subject, options.loss);
    const z = x.slice();
    const buffer = new Float32Array(subject.size * d);
    const direction = new Float32Array(d);
    const length = options.relStep * eps;
    const total = options.restarts * options.steps;
    for (let restart = 0; restart < options.restarts; restart++) {
      if (restart > 0 || options.randomStart) {
        startAnywhere(subject, z, subject.open(), streams(context.rng, subject, restart));
      }
      for (let step = 0; step < options.steps; step++) {
        beat(context, restart * options.steps + step, total);
        const rows = subject.open();
        if (rows.length === 0) return;
        const { gradient } = await subject.climb(rows, pack(z, rows, d, buffer), loss);
        for (let k = 0; k < rows.length; k++) {
          const o = rows[k]! * d;
          if (!subject.isOpen(rows[k]!)) continue;
          const step = { gradient, go: k * d, out: direction, oo: 0, d, at: z, ao: o, space, density: options.density };
          if (!ball.ascend(step)) continue;
          for (let j = 0; j < d; j++) z[o + j]! += length * direction[j]!;
          ball.project(z, o, x, o, d, eps, space);
        }
      }
      const rows = subject.open();
      await subject.ask(rows, pack(z, rows, d, buffer));
    }
    beat(context, total, total);
  },
};
