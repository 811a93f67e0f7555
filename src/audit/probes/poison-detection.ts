import { sampleRows } from "../../attacks/memorization/index.ts";
import { badnets, labelFlip, measureModel, type Poisoned } from "../../attacks/poisoning/index.ts";
import type { RunContext } from "../../context.ts";
import type { CleaningRow, DetectorOnData, EvidenceBase, PoisonDetectionEvidence } from "../../contract/index.ts";
import { take, type Dataset } from "../../data/index.ts";
import { detect, type Detected } from "../../defenses/data/index.ts";
import { throwIfCancelled } from "../../errors.ts";
import { defaultsOf } from "../../options.ts";
import { clopperPearson, wilson } from "../../stats/index.ts";
import type { TrainedModel, TrainOptions } from "../../train/index.ts";
import type { AuditSubject, Probe } from "../probe.ts";
import { doseApplies } from "./poison-dose.ts";

export interface PoisonDetectionOptions {
  readonly alpha: number;
  readonly plant: boolean;
  readonly badnetsShare: number;
  readonly flipShare: number;
  readonly target: number;
  readonly epochs: number;
  readonly trainRows: number;
  readonly testRows: number;
}

type Result = Omit<PoisonDetectionEvidence, Exclude<keyof EvidenceBase, "kind">>;

const DETECTORS = ["spectral-signatures", "knn-label-agreement"] as const;

/**
 * Looks for planted rows in the training data as they are, then plants some and sees what each detector finds and what
 * retraining without the found rows gives, beside removing as many at random and beside removing exactly the planted ones.
 * Detectors compare with one half of the test rows; models are measured on the other half.
 */
export const poisonDetectionProbe: Probe<PoisonDetectionOptions, Result> = {
  id: "poison-detection",
  risk: "poisoning",
  title: "Search for planted rows",
  makes: "poison-detection",
  options: {
    alpha: {
      type: "float",
      default: 0.01,
      min: 0.001,
      max: 0.5,
      doc: "False-alarm rate of each detector on clean data.",
    },
    plant: { type: "boolean", default: true, doc: "Also plant rows, to measure what the detectors find." },
    badnetsShare: { type: "float", default: 0.01, min: 0.0001, max: 0.5, doc: "Share of rows that get a trigger." },
    flipShare: {
      type: "float",
      default: 0.05,
      min: 0,
      max: 0.5,
      doc: "Share of rows that get a wrong label; 0 leaves this out.",
    },
    target: { type: "int", default: 0, min: 0, doc: "Class that the planted trigger calls." },
    epochs: {
      type: "int",
      default: 0,
      min: 0,
      max: 10_000,
      doc: "Passes over the data; 0 takes the architecture's default.",
    },
    trainRows: { type: "int", default: 6000, min: 50, doc: "At most so many training rows are used." },
    testRows: { type: "int", default: 3000, min: 20, doc: "At most so many test rows are used, half as reference." },
  },
  quick: { trainRows: 3000, testRows: 3000, flipShare: 0 },
  applies: doseApplies,
  async run(context, subject, options) {
    const train = sampleRows(context, subject.train!, options.trainRows, "train rows");
    const test = sampleRows(context, subject.test, options.testRows, "test rows");
    const mixed = context.rng.child("halves").permutation(test.size);
    const half = Math.floor(test.size / 2);
    const task: Task = {
      context,
      subject,
      options,
      reference: take(test, mixed.subarray(0, half).toSorted()),
      test: take(test, mixed.subarray(half).toSorted()),
    };
    const flipping = options.plant && options.flipShare > 0;
    const steps = 1 + (options.plant ? 5 : 0) + (flipping ? 5 : 0);
    context.step(0, steps, "training on the data as given");
    const asGiven = await withModel(task, train, async (model) => {
      const found: DetectorOnData[] = [];
      for (const id of DETECTORS) found.push(summary(await look(task, train, model, id), train));
      return found;
    });
    const planted: PoisonDetectionEvidence["planted"][number][] = [];
    if (options.plant) {
      context.step(1, steps, "planting a backdoor");
      const trigger = { ...defaultsOf(badnets.options), target: options.target, fraction: options.badnetsShare };
      planted.push(await clean(task, "badnets", await badnets.run(context, subjectOf(task, train), trigger), 1, steps));
    }
    if (flipping) {
      const flips = { ...defaultsOf(labelFlip.options), fraction: options.flipShare };
      planted.push(
        await clean(task, "label-flip", await labelFlip.run(context, subjectOf(task, train), flips), 6, steps),
      );
    }
    return { kind: "poison-detection", trainRows: train.size, reference: true, asGiven, planted };
  },
};

interface Task {
  readonly context: RunContext;
  readonly subject: AuditSubject;
  readonly options: PoisonDetectionOptions;
  readonly reference: Dataset;
  readonly test: Dataset;
}

const subjectOf = ({ subject }: Task, data: Dataset): { data: Dataset; bounds?: { low: number; high: number } } =>
  data.schema === null ? { data, bounds: subject.bounds } : { data };

async function withModel<T>(task: Task, data: Dataset, use: (model: TrainedModel) => Promise<T>): Promise<T> {
  const { context, subject, options } = task;
  throwIfCancelled(context.signal);
  const how: Partial<TrainOptions> = { arch: subject.arch, ...(options.epochs > 0 && { epochs: options.epochs }) };
  const model = await subject.trainer(data, how, {
    rng: context.rng.child("train"),
    signal: context.signal,
    step: () => undefined,
  });
  try {
    return await use(model);
  } finally {
    await model.close();
  }
}

const look = (
  { context, reference, options }: Task,
  data: Dataset,
  model: TrainedModel,
  detector: string,
): Promise<Detected> =>
  detect(
    data,
    { detector, options: { alpha: options.alpha }, reference, model },
    { rng: context.rng, signal: context.signal, step: () => undefined },
  );

function summary({ detection, features }: Detected, data: Dataset): DetectorOnData {
  const name = (label: number): string => data.classNames[label] ?? String(label);
  return {
    detector: detection.detector,
    features,
    alpha: detection.alpha,
    assumes: detection.assumes,
    flagged: detection.flagged.length,
    rows: detection.flagged
      .toSorted((a, b) => b.score - a.score || a.row - b.row)
      .slice(0, 200)
      .map((f) => ({ id: f.id, label: name(data.labels![f.row]!), reason: f.reason })),
    classes: detection.classes.map((c) => ({
      label: name(c.label),
      rows: c.rows,
      flagged: c.flagged,
      adjusted: c.adjusted,
      verdict: c.verdict,
    })),
  };
}

/** What each way of cleaning removes, and the accuracy and attack success of a model trained on the rest. */
async function clean(
  task: Task,
  attack: string,
  poisoned: Poisoned,
  from: number,
  steps: number,
): Promise<PoisonDetectionEvidence["planted"][number]> {
  const { context, test } = task;
  const { data } = poisoned;
  const bad = new Set(poisoned.rows);
  const rows: CleaningRow[] = [];
  let done = from;
  const measured = async (by: string, removed: ReadonlySet<number>, model: TrainedModel): Promise<void> => {
    const { accuracy, success } = await measureModel(model, test, poisoned);
    const hits = [...removed].filter((row) => bad.has(row)).length;
    rows.push({
      by,
      removed: removed.size,
      recall: by === "nothing removed" ? null : clopperPearson(hits, bad.size),
      falseRemoval: by === "nothing removed" ? null : clopperPearson(removed.size - hits, data.size - bad.size),
      accuracy: wilson(accuracy.hits, accuracy.of),
      success: success === null || success.of === 0 ? null : wilson(success.hits, success.of),
    });
    context.step(++done, steps, `${attack}: ${by}`);
  };
  const retrained = (by: string, removed: ReadonlySet<number>): Promise<void> => {
    const left: number[] = [];
    for (let row = 0; row < data.size; row++) if (!removed.has(row)) left.push(row);
    return withModel(task, take(data, left), (model) => measured(by, removed, model));
  };
  const found = await withModel(task, data, async (model) => {
    await measured("nothing removed", new Set(), model);
    const sets: [string, Set<number>][] = [];
    for (const id of DETECTORS) {
      const { detection } = await look(task, data, model, id);
      const removed = new Set(detection.flagged.map((f) => f.row));
      // Nothing found, nothing to retrain: the model stays as it is.
      if (removed.size === 0) await measured(id, removed, model);
      else sets.push([id, removed]);
    }
    return sets;
  });
  for (const [id, removed] of found) await retrained(id, removed);
  const most = found.reduce((a, [, removed]) => Math.max(a, removed.size), bad.size);
  await retrained("random rows", new Set(context.rng.child("random rows").child(attack).choose(data.size, most)));
  await retrained("exactly the planted rows", bad);
  return { attack: poisoned.description, planted: bad.size, rows };
}
