import type { RunContext } from "../../context.ts";
import type { Interval } from "../../contract/index.ts";
import type { Dataset } from "../../data/dataset.ts";
import { MarauderError } from "../../errors.ts";
import { resolveOptions } from "../../options.ts";
import { wilson } from "../../stats/index.ts";
import type { Target } from "../../target/target.ts";
import { float32, type Tensor } from "../../tensor/index.ts";
import { attempt, type Attempt } from "./attempt.ts";
import type { Norm } from "./balls.ts";
import { chooseExamples, type Examples } from "./examples.ts";
import { defaultEps } from "./margin.ts";
import type { EvasionAttack } from "./subject.ts";
import { terrainOf } from "./terrain.ts";

export interface EvasionSettings {
  readonly norm?: Norm;
  /** Budget in the units of the terrain: input units, or for tables shares of each column's range. Null: see `defaultEps`. */
  readonly eps?: number | null;
  /** Rows to look at, chosen at random. Default 200. */
  readonly samples?: number;
  /** The seed that the context's generator came from; only written down. */
  readonly seed?: number;
  readonly options?: Readonly<Record<string, unknown>>;
  /** Round successes to the values that the data can be stored as, and score them again. Default true. */
  readonly rounding?: boolean;
  /** A class that examples are to be taken for, or "least-likely" for each example's own. Null: any wrong class. */
  readonly targetClass?: number | "least-likely" | null;
  readonly batch?: number;
  readonly chunk?: number;
}

export interface EvasionExample {
  readonly id: string;
  readonly label: number;
  readonly predicted: number;
  /** Class after the attack; null where the model held, or was wrong before. */
  readonly adversarial: number | null;
  readonly distance: number | null;
  readonly queries: number;
}

/** What `marauder attack` prints, but for model and data paths. Rates are fractions with 95 % Wilson intervals. */
export interface EvasionResult {
  readonly attack: string;
  readonly samples: number;
  readonly seed: number | null;
  /** As resolved, with norm and eps. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly cleanAccuracy: Interval;
  /** Of all rows: correct, and not fooled. */
  readonly robustAccuracy: Interval;
  /** Of the correct rows that were attacked: fooled. */
  readonly successRate: Interval;
  /** The same before rounding to stored values; null where nothing is rounded. */
  readonly beforeRounding: { readonly robustAccuracy: Interval; readonly successRate: Interval } | null;
  /** Of the successes; null without any. Unit as eps. */
  readonly distance: { readonly median: number; readonly q25: number; readonly q75: number } | null;
  /** Spent on the target in all, clean predictions and confirmations included. */
  readonly queries: number;
  readonly gradients: number;
  readonly seconds: number;
  readonly examples: readonly EvasionExample[];
  readonly unit: string;
  /** What an attentive reader should know: rules, defaults taken, signs of trouble. */
  readonly notes: readonly string[];
  /** The inputs: adversarial where fooled, else clean; shape [samples, ...inputShape]. Not part of the JSON. */
  readonly inputs: Tensor<"float32">;
}

/**
 * Runs an attack on a data set and decides what it achieved. The attack is handed correctly classified rows and never the
 * right to say that it succeeded: every find is taken into budget and bounds, rounded as the data are stored, and scored
 * again on the target one at a time.
 */
export async function runEvasion<O>(
  given: EvasionAttack<O>,
  target: Target,
  data: Dataset,
  settings: EvasionSettings,
  context: RunContext,
): Promise<EvasionResult> {
  const attack = given as unknown as EvasionAttack;
  const before = { ...target.meter };
  const start = performance.now();
  const samples = settings.samples ?? 200;
  if (!(Number.isInteger(samples) && samples > 0)) {
    throw new MarauderError("OPTION_RANGE", `samples must be a whole number of at least 1, got ${samples}`);
  }
  const options = resolveOptions<Record<string, unknown>>(attack.options, settings.options ?? {}, attack.id);
  const norm = settings.norm ?? "linf";
  const terrain = terrainOf(data, target.bounds, settings.rounding ?? true);
  const eps =
    settings.eps ??
    defaultEps(norm, data.schema === null ? target.inputShape : [terrain.free], terrain.free) * terrain.range;
  const examples = await chooseExamples(target, data, terrain, samples, context);
  const { only, goals } = attacked(examples, settings.targetClass ?? null);
  const tried = await attempt(attack, examples, { ...settings, norm, eps, options, terrain, only, goals }, context);
  const notes = [
    `eps ${format(eps)} ${terrain.unit}${settings.eps === undefined || settings.eps === null ? " (default for such data)" : ""}; ${terrain.rules.join("; ")}`,
    ...healthNotes(tried),
  ];
  return {
    attack: attack.id,
    samples: examples.rows.length,
    seed: settings.seed ?? null,
    options: { norm, eps, ...(goals === null ? {} : { targetClass: settings.targetClass }), ...options },
    ...rates(examples, tried, tried.fooled),
    beforeRounding: terrain.grid === null ? null : withoutClean(rates(examples, tried, tried.fooledUnrounded)),
    distance: quartiles(tried.distance),
    queries: target.meter.queries - before.queries,
    gradients: target.meter.gradients - before.gradients,
    seconds: (performance.now() - start) / 1000,
    examples: describe(examples, tried),
    unit: terrain.unit,
    notes,
    inputs: inputsOf(examples, tried),
  };
}

/** The rows that an attack can win: correct ones, and for a targeted attack not of the wanted class already. */
function attacked(
  examples: Examples,
  goal: number | "least-likely" | null,
): { only: Int32Array; goals: Int32Array | null } {
  const { labels, predicted, scores, target } = examples;
  const correct = Int32Array.from(labels.keys()).filter((i) => labels[i] === predicted[i]);
  if (goal === null) return { only: correct, goals: null };
  if (goal === "least-likely") {
    if (scores === null)
      throw new MarauderError(
        "CAPABILITY_MISSING",
        `${target.id} gives no scores, so its least likely class is unknown; name a class`,
      );
    const least = (i: number): number => {
      const row = scores.subarray(i * target.classes, (i + 1) * target.classes);
      return row.indexOf(Math.min(...row));
    };
    return { only: correct, goals: correct.map(least) };
  }
  if (!(Number.isInteger(goal) && goal >= 0 && goal < target.classes)) {
    throw new MarauderError("OPTION_RANGE", `the wanted class must be 0 to ${target.classes - 1}, got ${goal}`);
  }
  const only = correct.filter((i) => labels[i] !== goal);
  return { only, goals: only.map(() => goal) };
}

/** Wilson interval; without trials everything is possible. */
export function share(count: number, of: number): Interval {
  return of === 0 ? { value: 0, low: 0, high: 1, level: 0.95 } : wilson(count, of);
}

function rates(
  examples: Examples,
  tried: Attempt,
  fooled: Uint8Array,
): Pick<EvasionResult, "cleanAccuracy" | "robustAccuracy" | "successRate"> {
  const { labels, predicted } = examples;
  const correct = labels.filter((label, i) => label === predicted[i]).length;
  const lost = fooled.reduce((sum, flag) => sum + flag, 0);
  return {
    cleanAccuracy: share(correct, labels.length),
    robustAccuracy: share(correct - lost, labels.length),
    successRate: share(lost, tried.only.length),
  };
}

function withoutClean({ robustAccuracy, successRate }: ReturnType<typeof rates>): EvasionResult["beforeRounding"] {
  return { robustAccuracy, successRate };
}

/** Quartiles with linear interpolation (type 7), of the numbers that are not NaN. */
export function quartiles(values: Float64Array): EvasionResult["distance"] {
  const sorted = values.filter((v) => !Number.isNaN(v)).sort();
  if (sorted.length === 0) return null;
  const at = (q: number): number => {
    const place = q * (sorted.length - 1);
    const below = Math.floor(place);
    const above = Math.min(below + 1, sorted.length - 1);
    return sorted[below]! + (place - below) * (sorted[above]! - sorted[below]!);
  };
  return { median: at(0.5), q25: at(0.25), q75: at(0.75) };
}

function describe(examples: Examples, tried: Attempt): EvasionExample[] {
  const place = new Map(Array.from(tried.only, (i, k) => [i, k]));
  return examples.ids.map((id, i) => {
    const k = place.get(i);
    const won = k !== undefined && tried.fooled[k] === 1;
    return {
      id,
      label: examples.labels[i]!,
      predicted: examples.predicted[i]!,
      adversarial: won ? tried.adversarial[k]! : null,
      distance: won ? tried.distance[k]! : null,
      queries: k === undefined ? 0 : tried.queries[k]!,
    };
  });
}

function inputsOf(examples: Examples, tried: Attempt): Tensor<"float32"> {
  const { raw, d, target } = examples;
  const values = raw.slice();
  tried.only.forEach((i, k) => values.set(tried.found.subarray(k * d, (k + 1) * d), i * d));
  return float32([examples.rows.length, ...target.inputShape], values);
}

function healthNotes(tried: Attempt): string[] {
  const of = `of ${tried.only.length} attacked rows`;
  const notes: string[] = [];
  if (tried.only.length === 0)
    notes.push(
      "no row is classified correctly, so there was nothing to attack; check labels, bounds and normalization",
    );
  if (tried.flat > 0) {
    notes.push(
      `the gradient was exactly zero for ${tried.flat} ${of}: an attack by gradient says nothing about those; compare with square`,
    );
  } else if (tried.saturated > 0) {
    notes.push(
      `the softmax was saturated for ${tried.saturated} ${of}: the margin was used where its gradient vanished`,
    );
  }
  if (tried.notFinite > 0)
    notes.push(
      `the model answered NaN or an infinite gradient inside its bounds for ${tried.notFinite} ${of}; such answers do not count as success`,
    );
  return notes;
}

const format = (value: number): string => String(Number(value.toPrecision(4)));
