import type { Interval, PartAccuracy, Tradeoff, TradeoffPoint } from "../contract/index.ts";
import type { RunContext } from "../context.ts";
import type { Dataset } from "../data/index.ts";
import { MarauderError, throwIfCancelled } from "../errors.ts";
import { differenceInterval, meanInterval, wilson } from "../stats/index.ts";

/** One training: the labels that its model gives the test rows, and what the account says of it (null: no privacy). */
export interface TrainedAt {
  readonly predicted: ArrayLike<number>;
  readonly epsilon: number | null;
}

/** Trains with a target epsilon (null: without privacy) and a seed. */
export type TrainAt = (epsilon: number | null, seed: number) => Promise<TrainedAt>;

export interface TradeoffSpec {
  readonly train: Dataset;
  readonly test: Dataset;
  /** Targets above 0; null is training without privacy. */
  readonly epsilons: readonly (number | null)[];
  readonly seeds: readonly number[];
  readonly trainAt: TrainAt;
  readonly facts: Pick<Tradeoff, "arch" | "delta" | "adjacency" | "noise">;
}

/**
 * Accuracy against epsilon over seeds, of all test rows, of each class and of each declared group: noise and clipping take
 * most from what is rare, and the mean hides it. Throws OPTION_RANGE, DATA_LABELS, CANCELLED.
 */
export async function measureTradeoff(spec: TradeoffSpec, context: RunContext): Promise<Tradeoff> {
  const { train, test, epsilons, seeds, trainAt, facts } = spec;
  if (epsilons.length === 0 || epsilons.some((e) => e !== null && !(e > 0)) || new Set(seeds).size !== seeds.length)
    throw new MarauderError(
      "OPTION_RANGE",
      `a tradeoff needs epsilons above 0 and different seeds, got ${epsilons.join(", ")} and ${seeds.join(", ")}`,
    );
  if (test.labels === null || train.labels === null)
    throw new MarauderError("DATA_LABELS", `${test.name} has no labels; a tradeoff measures accuracy`);
  const ordered = [...new Set(epsilons)].sort((a, b) => (a ?? Infinity) - (b ?? Infinity));
  const runs = new Map<number | null, TrainedAt[]>();
  let done = 0;
  // Without privacy first: if that does not learn, nothing is worth measuring.
  for (const epsilon of ordered.toReversed()) {
    const made: TrainedAt[] = [];
    for (const seed of seeds) {
      throwIfCancelled(context.signal);
      made.push(await trainAt(epsilon, seed));
      context.step(++done, ordered.length * seeds.length, epsilon === null ? "without privacy" : `epsilon ${epsilon}`);
    }
    runs.set(epsilon, made);
  }
  const parts = partsOf(train, test);
  const plain = runs.get(null) ?? null;
  const measured = (part: Part, at: readonly TrainedAt[]): PartAccuracy => partAccuracy(part, at, plain, test.labels!);
  return {
    format: "marauder-tradeoff",
    version: 1,
    data: train.name,
    ...facts,
    trainRows: train.size,
    testRows: test.size,
    seeds,
    points: ordered.map((target): TradeoffPoint => {
      const at = runs.get(target)!;
      return {
        target,
        epsilon: target === null ? null : Math.max(...at.map((run) => run.epsilon ?? Infinity)),
        all: measured(parts.all, at),
        classes: parts.classes.map((part) => measured(part, at)),
        groups: parts.groups.map(({ column, values }) => ({ column, parts: values.map((part) => measured(part, at)) })),
      };
    }),
    caveats: caveats(ordered, seeds),
  };
}

interface Part {
  readonly name: string;
  readonly trainRows: number;
  readonly rows: readonly number[];
}

function partsOf(train: Dataset, test: Dataset) {
  const every = Array.from({ length: test.size }, (_, i) => i);
  const classes = test.classNames.map((name, k): Part => ({
    name,
    trainRows: train.labels!.reduce((n, y) => n + Number(y === k), 0),
    rows: every.filter((i) => test.labels![i] === k),
  }));
  const groups = Object.entries(test.groups).map(([column, values]) => ({
    column,
    values: [...new Set(values)].sort().map((name): Part => ({
      name,
      trainRows: train.groups[column]?.filter((v) => v === name).length ?? 0,
      rows: every.filter((i) => values[i] === name),
    })),
  }));
  const all: Part = { name: "all", trainRows: train.size, rows: every };
  return { all, classes: classes.filter((part) => part.rows.length > 0), groups };
}

function partAccuracy(
  { name, trainRows, rows }: Part,
  at: readonly TrainedAt[],
  plain: readonly TrainedAt[] | null,
  labels: ArrayLike<number>,
): PartAccuracy {
  const rights = (run: TrainedAt): number => rows.reduce((n, i) => n + Number(run.predicted[i] === labels[i]), 0);
  const counts = at.map(rights);
  const n = rows.length;
  const total = (all: readonly number[]): number => Math.round(all.reduce((a, b) => a + b, 0) / all.length);
  const accuracy = covering(
    counts.map((k) => k / n),
    wilson(total(counts), n),
    0,
  );
  if (plain === null || plain === at) return { name, trainRows, testRows: n, accuracy, cost: null };
  const without = plain.map(rights);
  const lost = counts.map((k, i) => (without[i]! - k) / n);
  const cost = covering(lost, differenceInterval(total(without), n, total(counts), n), -1);
  return { name, trainRows, testRows: n, accuracy, cost };
}

/**
 * The mean over seeds, with an interval that covers Student's over the seeds and the one of the test rows: few seeds may
 * agree by chance, and few rows say little however they agree.
 */
function covering(values: readonly number[], rows: Interval, least: number): Interval {
  const { value, low, high } = meanInterval(values);
  const seeds = values.length > 1 ? { low, high } : rows;
  return {
    value,
    low: Math.max(least, Math.min(seeds.low, rows.low)),
    high: Math.min(1, Math.max(seeds.high, rows.high)),
    level: 0.95,
  };
}

function caveats(epsilons: readonly (number | null)[], seeds: readonly number[]): string[] {
  const many = seeds.length > 1;
  return [
    `Each of the ${epsilons.filter((e) => e !== null).length * seeds.length} private models keeps its own guarantee; this figure comes from all of them` +
      `${epsilons.includes(null) ? ", and from models without privacy" : ""}, so it is for those who may see the data. Choosing an epsilon by it is tuning, and is not counted.`,
    many
      ? `Intervals (95 %) cover both Student's over ${seeds.length} seeds of the training and what so many test rows can say.`
      : "There is one seed: intervals are of the test rows alone, and how much trainings differ is not known.",
    "The test rows are not protected by any of the trainings.",
  ];
}
