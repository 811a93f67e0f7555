import type { LossSpec } from "../../target/target.ts";
import type { RunContext } from "../../context.ts";
import type { OptionSpec } from "../../contract/index.ts";
import { MarauderError, throwIfCancelled } from "../../errors.ts";
import type { Rng } from "../../random/rng.ts";
import { balls } from "./balls.ts";
import type { EvasionSubject } from "./subject.ts";

/** One stream for each example: what is drawn for it depends on nothing but seed, attack, row id and restart. */
export function streams(rng: Rng, subject: EvasionSubject, label: string | number): Rng[] {
  return subject.ids.map((id) => rng.child(id).child(label));
}

/** Fills row i of `z` (shape [size, d]) with a point drawn from the ball about x_i. */
export function startAnywhere(subject: EvasionSubject, z: Float32Array, rows: Int32Array, rngs: readonly Rng[]): void {
  const { d, eps, space, norm } = subject;
  for (const i of rows) balls[norm].sample(rngs[i]!, z, i * d, subject.x, i * d, d, eps, space);
}

/** Between two steps: progress, and the place where a cancelled attack stops. */
export function beat(context: RunContext, done: number, of: number): void {
  throwIfCancelled(context.signal);
  context.step(done, of);
}

export const lossOption: OptionSpec = {
  type: "choice",
  default: "cross-entropy",
  choices: ["cross-entropy", "margin", "dlr"],
  doc: "What the steps increase: cross-entropy, the margin between the best other class and the label, or the difference of logits ratio (dlr, which no rescaling of the scores can hide from; needs 3 classes, 4 when targeted).",
};

/** The loss by name, after checking that it is defined for that many classes. Throws OPTION_RANGE. */
export function lossFor(subject: EvasionSubject, name: string): LossSpec["kind"] {
  const least = subject.goals === null ? 3 : 4;
  if (name === "dlr" && subject.classes < least) {
    throw new MarauderError(
      "OPTION_RANGE",
      `the dlr loss divides by a difference of ranked scores; expected at least ${least} classes, got ${subject.classes}; use loss margin`,
    );
  }
  return name as LossSpec["kind"];
}
