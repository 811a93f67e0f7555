import { balls } from "./balls.ts";
import { type EvasionAttack, type EvasionSubject, pack } from "./subject.ts";
import { beat, lossFor, startAnywhere, streams } from "./walk.ts";
import type { LossSpec } from "../../target/target.ts";

export interface ApgdOptions {
  readonly steps: number;
  readonly restarts: number;
  readonly rho: number;
  readonly momentum: number;
}

/** Auto-PGD on the cross-entropy. Croce & Hein 2020, section 3 and algorithm 1. */
export const apgdCe: EvasionAttack<ApgdOptions> = {
  id: "apgd-ce",
  title: "Auto-PGD (cross-entropy)",
  summary:
    "Projected gradient steps with momentum whose length halves, for each example on its own, when the loss stops growing: no step size to tune.",
  risk: "evasion",
  paper: {
    authors: "Croce, Hein",
    year: 2020,
    title: "Reliable evaluation of adversarial robustness with an ensemble of diverse parameter-free attacks",
    url: "https://arxiv.org/abs/2003.01690",
    section: "3, algorithm 1",
  },
  differences: [
    "an example is left alone as soon as it is fooled",
    "projects onto the intersection of ball and bounds exactly",
    "where float32 rounds the gradient of the cross-entropy to exactly zero, the margin (negative, so below every cross-entropy) takes its place",
  ],
  needs: ["scores", "gradient"],
  norms: ["linf", "l2"],
  options: {
    steps: {
      type: "int",
      default: 100,
      min: 1,
      max: 100_000,
      doc: "Iterations in each restart; each is one gradient.",
    },
    restarts: {
      type: "int",
      default: 1,
      min: 1,
      max: 10_000,
      doc: "Runs from new random starts; the worst counts for each example.",
    },
    rho: {
      type: "float",
      default: 0.75,
      min: 0,
      max: 1,
      doc: "Share of the steps since the last checkpoint that must raise the loss, else the step halves.",
    },
    momentum: {
      type: "float",
      default: 0.75,
      min: 0,
      max: 1,
      doc: "Weight of the new step against the last move (alpha in the paper).",
    },
  },
  async run(context, subject, options) {
    const total = options.restarts * options.steps;
    const loss = lossFor(subject, "cross-entropy");
    for (let restart = 0; restart < options.restarts; restart++) {
      const rows = subject.open();
      if (rows.length === 0) return;
      const start = subject.x.slice();
      startAnywhere(subject, start, rows, streams(context.rng, subject, restart));
      await oneRun(subject, start, loss, options, (step) => beat(context, restart * options.steps + step, total));
    }
    beat(context, total, total);
  },
};

/** Iterations after which step lengths are looked at: w_j = ceil(p_j N), p_0 = 0, p_1 = 0.22, p_{j+1} = p_j + max(p_j - p_{j-1} - 0.03, 0.06). */
export function checkpoints(steps: number): number[] {
  const out: number[] = [];
  let before = 0;
  // Hundredths, since 0.41 is no float64 and ceil would move a checkpoint.
  for (let p = 22; p <= 100;) {
    out.push(Math.ceil((p * steps) / 100));
    const next = p + Math.max(p - before - 3, 6);
    before = p;
    p = next;
  }
  return [...new Set(out)];
}

interface State {
  /** x^(k), x^(k-1), x_max and the gradients at x^(k) and x_max; shape [size, d]. */
  readonly now: Float32Array;
  readonly last: Float32Array;
  readonly best: Float32Array;
  readonly gradient: Float32Array;
  readonly bestGradient: Float32Array;
  /** One number for each example. */
  readonly eta: Float64Array;
  readonly loss: Float64Array;
  readonly bestLoss: Float64Array;
  readonly rises: Int32Array;
  /** Step and best loss at the last checkpoint. */
  readonly etaThen: Float64Array;
  readonly bestThen: Float64Array;
}

async function oneRun(
  subject: EvasionSubject,
  start: Float32Array,
  loss: LossSpec["kind"],
  options: ApgdOptions,
  pulse: (step: number) => void,
): Promise<void> {
  const { size, d, eps } = subject;
  const buffer = new Float32Array(size * d);
  const first = 2 * eps;
  const s: State = {
    now: start,
    last: start.slice(),
    best: start.slice(),
    gradient: new Float32Array(size * d),
    bestGradient: new Float32Array(size * d),
    eta: new Float64Array(size).fill(first),
    loss: new Float64Array(size),
    bestLoss: new Float64Array(size).fill(-Infinity),
    rises: new Int32Array(size),
    etaThen: new Float64Array(size).fill(first),
    bestThen: new Float64Array(size),
  };
  const marks = new Set(checkpoints(options.steps));
  let lastMark = 0;
  const look = async (): Promise<Int32Array> => {
    const rows = subject.open();
    const seen = await subject.climb(rows, pack(s.now, rows, d, buffer), loss);
    for (let k = 0; k < rows.length; k++)
      note(s, rows[k]!, d, seen.loss[k]!, seen.gradient.subarray(k * d, (k + 1) * d));
    return rows;
  };
  pulse(0);
  const rows = await look();
  for (const i of rows) {
    s.rises[i] = 0;
    s.bestThen[i] = s.bestLoss[i]!;
  }
  const scratch = new Float32Array(2 * d);
  // x^(0) has been looked at: step k makes x^(k) from x^(k-1), and after it a checkpoint may restore x_max.
  for (let k = 1; k <= options.steps; k++) {
    pulse(k - 1);
    const open = subject.open();
    if (open.length === 0) return;
    for (const i of open) move(subject, s, i, k === 1 ? 1 : options.momentum, scratch);
    await look();
    if (!marks.has(k)) continue;
    for (const i of subject.open()) review(s, i, d, options.rho * (k - lastMark));
    lastMark = k;
  }
}

/** Writes down loss and gradient at the present point of an example, and keeps the point if it is the best. */
function note(s: State, i: number, d: number, loss: number, gradient: Float32Array): void {
  const o = i * d;
  s.gradient.set(gradient, o);
  if (loss > s.loss[i]!) s.rises[i]! += 1;
  s.loss[i] = loss;
  if (!(loss > s.bestLoss[i]!)) return;
  s.bestLoss[i] = loss;
  s.best.set(s.now.subarray(o, o + d), o);
  s.bestGradient.set(gradient, o);
}

/** z = P(x + eta s), x' = P(x + alpha (z - x) + (1 - alpha)(x - x_last)), s the direction of steepest ascent. */
function move(subject: EvasionSubject, s: State, i: number, alpha: number, scratch: Float32Array): void {
  const { d, eps, space, x } = subject;
  const ball = balls[subject.norm];
  const o = i * d;
  const z = scratch.subarray(0, d);
  const direction = scratch.subarray(d);
  const moved = ball.ascend({
    gradient: s.gradient,
    go: o,
    out: direction,
    oo: 0,
    d,
    at: s.now,
    ao: o,
    space,
    density: 1,
  });
  if (!moved) direction.fill(0);
  for (let j = 0; j < d; j++) z[j] = s.now[o + j]! + s.eta[i]! * direction[j]!;
  ball.project(z, 0, x, o, d, eps, space);
  for (let j = 0; j < d; j++) {
    const here = s.now[o + j]!;
    z[j] = here + alpha * (z[j]! - here) + (1 - alpha) * (here - s.last[o + j]!);
  }
  s.last.set(s.now.subarray(o, o + d), o);
  ball.project(z, 0, x, o, d, eps, space);
  s.now.set(z, o);
}

/** Conditions 1 and 2 of section 3: too few rises, or nothing gained since the last checkpoint without halving. */
function review(s: State, i: number, d: number, enough: number): void {
  const stuck = s.etaThen[i] === s.eta[i] && s.bestThen[i] === s.bestLoss[i];
  const halve = s.rises[i]! < enough || stuck;
  s.etaThen[i] = s.eta[i]!;
  s.bestThen[i] = s.bestLoss[i]!;
  s.rises[i] = 0;
  if (!halve) return;
  s.eta[i]! /= 2;
  const o = i * d;
  s.now.set(s.best.subarray(o, o + d), o);
  s.gradient.set(s.bestGradient.subarray(o, o + d), o);
  s.loss[i] = s.bestLoss[i]!;
}
