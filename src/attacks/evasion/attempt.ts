import type { RunContext } from "../../context.ts";
import { MarauderError, throwIfCancelled } from "../../errors.ts";
import type { Norm } from "./balls.ts";
import { openCrowd } from "./crowd.ts";
import { askOne, type Examples } from "./examples.ts";
import { measure } from "./grid.ts";
import { bestClass, marginOf, marginTolerance } from "./margin.ts";
import type { EvasionAttack } from "./subject.ts";
import type { Terrain } from "./terrain.ts";

export interface AttemptSettings {
  readonly norm: Norm;
  readonly eps: number;
  readonly options: Readonly<Record<string, unknown>>;
  readonly terrain: Terrain;
  /** Which examples to attack, as positions in `Examples`. */
  readonly only: Int32Array;
  /** A class for each of `only`; null when any wrong class will do. */
  readonly goals: Int32Array | null;
  /** Examples in one call of the target, and examples held in memory at once; results do not depend on either. */
  readonly batch?: number;
  readonly chunk?: number;
}

/** What one attack did, as the frame measured it; arrays are aligned with `only`. */
export interface Attempt {
  readonly only: Int32Array;
  /** 1 where the model is fooled: by a stored value, one at a time, past the tolerance, within budget and bounds. */
  readonly fooled: Uint8Array;
  /** 1 where it was fooled before rounding to stored values. */
  readonly fooledUnrounded: Uint8Array;
  /** Fooling inputs in raw values, else the clean ones; shape [only.length, d]. */
  readonly found: Float32Array;
  /** Class that the fooled model answers, -1 elsewhere. */
  readonly adversarial: Int32Array;
  /** NaN where not fooled. */
  readonly distance: Float64Array;
  readonly queries: Uint32Array;
  /** Examples with a zero gradient of the loss; with a zero gradient of the margin too; with an answer that is NaN. */
  readonly saturated: number;
  readonly flat: number;
  readonly notFinite: number;
  /** Spent on the target by attack and frame together. */
  readonly spent: { readonly queries: number; readonly gradients: number; readonly seconds: number };
}

/**
 * Runs one attack on some examples and confirms each success on the real target, one at a time. Throws CAPABILITY_MISSING,
 * OPTION_RANGE, CANCELLED, BUDGET_SPENT.
 */
export async function attempt(
  attack: EvasionAttack,
  examples: Examples,
  settings: AttemptSettings,
  context: RunContext,
): Promise<Attempt> {
  const { target, d } = examples;
  const { only, norm, eps } = settings;
  check(attack, examples, settings);
  const before = { ...target.meter };
  const start = performance.now();
  const count = only.length;
  const out = {
    fooled: new Uint8Array(count),
    fooledUnrounded: new Uint8Array(count),
    found: new Float32Array(count * d),
    adversarial: new Int32Array(count).fill(-1),
    distance: new Float64Array(count).fill(NaN),
    queries: new Uint32Array(count),
  };
  const health = { saturated: 0, flat: 0, notFinite: 0 };
  const chunk = settings.chunk ?? Math.max(8, Math.min(1024, Math.floor(2 ** 21 / d)));
  const batch = settings.batch ?? Math.max(32, Math.min(512, Math.floor(2 ** 15 / d)));
  for (let from = 0; from < count; from += chunk) {
    throwIfCancelled(context.signal);
    const part = only.subarray(from, from + chunk);
    const raw = new Float32Array(part.length * d);
    part.forEach((i, k) => raw.set(examples.raw.subarray(i * d, (i + 1) * d), k * d));
    const crowd = openCrowd({
      target,
      needs: attack.needs,
      raw,
      labels: part.map((i) => examples.labels[i]!),
      goals: settings.goals === null ? null : settings.goals.subarray(from, from + chunk),
      ids: Array.from(part, (i) => examples.ids[i]!),
      norm,
      eps,
      space: settings.terrain.space,
      units: settings.terrain.units,
      grid: settings.terrain.grid,
      batch,
      signal: context.signal,
    });
    const own: RunContext = {
      rng: context.rng.child(attack.id),
      signal: context.signal,
      step: (done, of) => context.step(from + Math.floor((part.length * done) / Math.max(of, 1)), count, attack.id),
    };
    await attack.run(own, crowd, settings.options);
    out.found.set(crowd.found, from * d);
    out.queries.set(crowd.queries, from);
    out.fooledUnrounded.set(crowd.fooledUnrounded, from);
    for (const name of ["saturated", "flat", "notFinite"] as const) {
      health[name] += crowd.health[name].reduce((sum, flag) => sum + flag, 0);
    }
    for (let k = 0; k < part.length; k++) {
      if (crowd.fooled[k] === 0) continue;
      await confirm(examples, settings, part[k]!, from + k, raw.subarray(k * d, (k + 1) * d), out);
    }
  }
  context.step(count, count, attack.id);
  const spent = {
    queries: target.meter.queries - before.queries,
    gradients: target.meter.gradients - before.gradients,
    seconds: (performance.now() - start) / 1000,
  };
  return { only, ...out, ...health, spent };
}

type Found = Pick<Attempt, "fooled" | "fooledUnrounded" | "found" | "adversarial" | "distance">;

/** Asks the target about one find on its own, and measures it. What does not hold is put back to the clean input. */
async function confirm(
  examples: Examples,
  settings: AttemptSettings,
  example: number,
  at: number,
  clean: Float32Array,
  out: Found,
): Promise<void> {
  const { target, d, ids, labels } = examples;
  const input = out.found.subarray(at * d, (at + 1) * d);
  const said = await askOne(target, input.slice(), ids[example]!);
  const goal = settings.goals === null ? -1 : settings.goals[at]!;
  const label = labels[example]!;
  const holds =
    said.scores === null
      ? goal < 0
        ? said.label !== label
        : said.label === goal
      : marginOf(said.scores, 0, target.classes, label, goal) > marginTolerance(said.scores, 0, target.classes);
  if (!holds) {
    input.set(clean);
    return;
  }
  out.fooled[at] = 1;
  out.adversarial[at] = said.scores === null ? said.label : bestClass(said.scores, 0, target.classes);
  out.distance[at] = measure(input, 0, clean, 0, { d, units: settings.terrain.units, norm: settings.norm });
}

function check(attack: EvasionAttack, examples: Examples, settings: AttemptSettings): void {
  const { target } = examples;
  const missing = attack.needs.filter((need) => !target.can.has(need));
  if (missing.length > 0) {
    throw new MarauderError(
      "CAPABILITY_MISSING",
      `${attack.id} needs ${missing.join(" and ")} from the target; expected ${attack.needs.join(", ")}, got ${[...target.can].join(", ") || "nothing"}; use a black-box attack such as square or random-noise`,
      { details: { attack: attack.id, missing } },
    );
  }
  if (!attack.norms.includes(settings.norm)) {
    throw new MarauderError(
      "OPTION_RANGE",
      `${attack.id} is not made for the norm ${settings.norm}; expected ${attack.norms.join(" or ")}`,
    );
  }
  if (!(settings.eps > 0 && settings.eps < Infinity)) {
    throw new MarauderError("OPTION_RANGE", `eps must be a positive number, got ${settings.eps}`);
  }
  if (settings.terrain.free === 0) {
    throw new MarauderError(
      "MODEL_INPUT",
      "no input may change: the table has no numeric column that varies; expected at least one",
    );
  }
}
