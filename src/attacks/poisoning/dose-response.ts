import type { RunContext } from "../../context.ts";
import type { Dataset } from "../../data/dataset.ts";
import { MarauderError, throwIfCancelled } from "../../errors.ts";
import { wilson } from "../../stats/index.ts";
import type { TrainedModel, Trainer, TrainOptions } from "../../train/trainer.ts";
import { measureModel, type Counted } from "./measure.ts";
import { labelsOf, type PoisonCounts, type Poisoned, type PoisonSubject } from "./poison.ts";

export interface DoseResponseTask {
  readonly train: Dataset;
  readonly test: Dataset;
  readonly bounds?: { readonly low: number; readonly high: number };
  readonly trainer: Trainer;
  readonly trainOptions: Partial<TrainOptions>;
  /** Poisoned rows of each step, ascending, all above 0. */
  readonly doses: readonly number[];
  readonly seeds: number;
  /** Makes the poisoned set with `rows` bad rows. */
  poison(context: RunContext, subject: PoisonSubject, rows: number): Promise<Poisoned>;
}

/** A proportion with its Wilson interval; `level` 0.95. */
export interface Share {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

export interface Dose {
  readonly rows: number;
  readonly shareOfSet: number;
  readonly shareOfTargetClass: number | null;
  /** Share of clean test rows that are classified rightly, pooled over seeds. */
  readonly accuracy: Share;
  /** Share of attacked test rows that get the target class; null without a target. */
  readonly success: Share | null;
  /** The same seed by seed. */
  readonly seeds: readonly { readonly accuracy: number; readonly success: number | null }[];
}

export interface DoseResponse {
  /** The model trained on clean data, measured the same way: what success costs nothing. */
  readonly floor: Dose;
  readonly doses: readonly Dose[];
  /** Where success reaches 50 %; null where the attack has no target. */
  readonly rowsToHalf: RowsToHalf | null;
  readonly example: string;
}

/**
 * Rows at which success reaches one half, by straight-line interpolation between the two doses around it. reached: false
 * says that it stayed below one half at every dose; then `above` is the largest dose.
 */
export type RowsToHalf =
  | { readonly reached: true; readonly rows: number; readonly from: number; readonly to: number }
  | { readonly reached: false; readonly above: number };

/**
 * How much damage how many rows do: trains on clean data and on every dose, with each seed, and measures on the same test
 * rows. Intervals are Wilson's, pooled over seeds; they say how well this test set pins the rate, and the seeds' own values
 * stand beside them. Throws OPTION_RANGE and whatever the attack and the trainer throw.
 */
export async function doseResponse(task: DoseResponseTask, context: RunContext): Promise<DoseResponse> {
  const { train, test, trainer, trainOptions, doses, seeds } = task;
  labelsOf(train, "dose-response");
  labelsOf(test, "dose-response");
  if (doses.length === 0 || doses.some((d, i) => !Number.isInteger(d) || d < 1 || (i > 0 && d <= doses[i - 1]!))) {
    throw new MarauderError(
      "OPTION_RANGE",
      `doses must be whole numbers of rows, ascending from 1, got ${JSON.stringify(doses)}`,
    );
  }
  if (!Number.isInteger(seeds) || seeds < 1)
    throw new MarauderError("OPTION_RANGE", `seeds must be a whole number from 1, got ${seeds}`);
  const measured = doses.map(() => [] as Awaited<ReturnType<typeof measureModel>>[]);
  const floor: (typeof measured)[number] = [];
  const counts: PoisonCounts[] = [];
  let example = "";
  let done = 0;
  const of = seeds * (doses.length + 1);
  for (let seed = 0; seed < seeds; seed++) {
    const rng = context.rng.child("dose-response").child(seed);
    const inner: RunContext = { rng, signal: context.signal, step: () => undefined };
    const fit = async <T>(data: Dataset, use: (model: TrainedModel) => Promise<T>): Promise<T> => {
      throwIfCancelled(context.signal);
      // The same generator for every dose, so that doses differ by the poison alone.
      const model = await trainer(data, trainOptions, { ...inner, rng: rng.child("train") });
      try {
        return await use(model);
      } finally {
        await model.close();
      }
    };
    await fit(train, async (cleanModel) => {
      context.step(++done, of, `clean model, seed ${seed + 1} of ${seeds}`);
      for (const [i, rows] of doses.entries()) {
        const subject = { data: train, cleanModel, ...(task.bounds === undefined ? {} : { bounds: task.bounds }) };
        const attack = await task.poison(inner, subject, rows);
        if (i === 0) floor.push(await measureModel(cleanModel, test, attack));
        measured[i]!.push(await fit(attack.data, (model) => measureModel(model, test, attack)));
        counts[i] = attack.counts;
        example = attack.description;
        context.step(++done, of, `${rows} rows, seed ${seed + 1} of ${seeds}`);
      }
    });
  }
  const points = doses.map((_, i) => pooled(counts[i]!, measured[i]!));
  const nothing = { rows: 0, shareOfSet: 0, shareOfTargetClass: counts[0]!.shareOfTargetClass === null ? null : 0 };
  const start = pooled(nothing, floor);
  return { floor: start, doses: points, rowsToHalf: rowsToHalf([start, ...points]), example };
}

function pooled(counts: PoisonCounts, runs: readonly { accuracy: Counted; success: Counted | null }[]): Dose {
  const share = (all: readonly Counted[]): Share => {
    const { value, low, high } = wilson(sum(all.map((c) => c.hits)), sum(all.map((c) => c.of)));
    return { value, low, high };
  };
  const successes = runs.flatMap((r) => (r.success === null || r.success.of === 0 ? [] : [r.success]));
  return {
    ...counts,
    accuracy: share(runs.map((r) => r.accuracy)),
    success: successes.length === 0 ? null : share(successes),
    seeds: runs.map((r) => ({
      accuracy: r.accuracy.hits / r.accuracy.of,
      success: r.success === null || r.success.of === 0 ? null : r.success.hits / r.success.of,
    })),
  };
}

/** First crossing of one half, from the floor (0 rows) upwards. */
export function rowsToHalf(points: readonly Pick<Dose, "rows" | "success">[]): RowsToHalf | null {
  const known = points.flatMap((p) => (p.success === null ? [] : [{ rows: p.rows, y: p.success.value }]));
  if (known.length === 0) return null;
  for (const [i, b] of known.entries()) {
    if (b.y < 0.5) continue;
    const a = known[i - 1];
    if (a === undefined) return { reached: true, rows: b.rows, from: b.rows, to: b.rows };
    return { reached: true, rows: a.rows + ((0.5 - a.y) / (b.y - a.y)) * (b.rows - a.rows), from: a.rows, to: b.rows };
  }
  return { reached: false, above: known.at(-1)!.rows };
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
