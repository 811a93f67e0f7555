import { Option, type Command } from "commander";
import { existsSync } from "node:fs";
import { annotated, countCorrect } from "../../audit/train-model.ts";
import { boundsOf } from "../../audit/bounds.ts";
import type { Dataset } from "../../data/index.ts";
import { ortEngine } from "../../engine/ort-node.ts";
import { MarauderError } from "../../errors.ts";
import { writeAtomically } from "../../files.ts";
import { saveModel } from "../../ir/index.ts";
import * as dp from "../../privacy/index.ts";
import { seeded } from "../../random/index.ts";
import { wilson } from "../../stats/index.ts";
import {
  calibratePlan,
  checkpointFolder,
  lastLayers,
  privateArchitecture,
  trainPrivateClassifier,
  type Arch,
  type InputBounds,
  type PrivateHooks,
  type PrivatePlan,
  type PrivateResult,
  type PrivateTrainOptions,
  type ScheduleId,
  type Trainable,
} from "../../train/index.ts";
import { boundsValue, numberValue, positiveInteger } from "../flags.ts";
import type { startProgress } from "../progress.ts";

export interface PrivateFlags {
  dp?: boolean;
  targetEpsilon?: number;
  delta?: number;
  clip?: number;
  adaptiveClip?: boolean;
  adjacency?: dp.Adjacency;
  bounds?: [number, number];
  settings?: "fixed" | "uncounted";
  ledger?: string;
  notPrivateSeed?: number;
  statement?: string;
  lastLayers?: number;
}

/** What every private training reads from the command line. */
export interface PrivateRunFlags extends PrivateFlags {
  model?: string;
  epochs?: number;
  batch?: number;
  learningRate?: number;
  momentum?: number;
  nesterov?: boolean;
  schedule?: ScheduleId;
  warmUp?: number;
  ema?: number;
  seed: number;
  threads?: number;
  checkpoint?: string;
  out: string;
}

interface Flags extends PrivateRunFlags {
  arch: Arch | undefined;
}

const only = [
  "targetEpsilon",
  "delta",
  "adaptiveClip",
  "adjacency",
  "settings",
  "ledger",
  "notPrivateSeed",
  "statement",
  "lastLayers",
] as const;

export function addPrivateFlags(command: Command): Command {
  return command
    .option("--dp", "train with differential privacy (DP-SGD); needs --target-epsilon")
    .option("--target-epsilon <e>", "dp: the guarantee, never exceeded", numberValue)
    .option("--delta <d>", "dp: default 1 / records^1.1, at most 1e-5", numberValue)
    .option("--adaptive-clip", "dp: let the norm follow the gradients, at a price that is counted")
    .addOption(new Option("--adjacency <relation>", "dp: what neighbouring data are").choices(dp.adjacencies))
    .addOption(
      new Option("--bounds <low,high>", "dp: range of the inputs, known without the data").argParser(boundsValue),
    )
    .addOption(
      new Option(
        "--settings <how>",
        "dp: how the settings were chosen; left out, the statement says that nobody said",
      ).choices(["fixed", "uncounted"]),
    )
    .option("--ledger <file>", "dp: budget of these data, charged before the training begins")
    .option(
      "--not-private-seed <n>",
      "dp: repeatable noise, for demonstrations: the result is NOT PRIVATE",
      positiveInteger,
    )
    .option("--last-layers <n>", "dp, with --model: train only the last n layers with weights", positiveInteger)
    .option("--statement <file.json>", "dp: write the privacy statement there");
}

/** Throws USAGE where flags of a private training stand without --dp. */
export function checkPrivateFlags(flags: PrivateFlags): void {
  const flag = only.find((name) => flags[name] !== undefined);
  if (flags.dp !== true && flag !== undefined) {
    const name = flag.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`);
    throw new MarauderError("USAGE", `--${name} belongs to a private training: add --dp, or leave it out`);
  }
  if (flags.dp === true && flags.targetEpsilon === undefined) {
    throw new MarauderError("USAGE", "--dp needs a guarantee to keep: give --target-epsilon, for instance 3");
  }
}

/** Trains privately, writes the model and says what may be said of its privacy. Accuracy is of rows that were not trained on. */
export async function trainPrivateModel(
  flags: Flags,
  start: Trainable | null,
  [train, test]: readonly [Dataset, Dataset],
  signal: AbortSignal,
  progress: ReturnType<typeof startProgress>,
) {
  const records = train.size;
  if (start === null && flags.lastLayers !== undefined) {
    throw new MarauderError(
      "USAGE",
      "--last-layers is for a model that is trained further: give --model, or leave it out",
    );
  }
  const { bounds, preprocessing } =
    start === null
      ? inputBounds(train, flags.bounds)
      : { bounds: [[0], [1]] as InputBounds, preprocessing: [givenModel(flags.model!)] };
  const plan = planFor(flags, records, 0.1);
  const context = { rng: seeded(flags.seed).child("train"), signal, step: progress.step };
  const whole = start ?? privateArchitecture(flags.arch!, train, bounds, context);
  const trainable = flags.lastLayers === undefined ? whole : lastLayers(whole, flags.lastLayers);
  const ledger = openLedger(flags.ledger);
  try {
    const { trained, result } = await trainPrivateClassifier(
      ortEngine,
      {
        trainable,
        data: train,
        plan,
        options: stepsOf(flags, plan),
        ...(flags.threads !== undefined && { threads: flags.threads }),
      },
      context,
      hooksFor(flags, ledger),
    );
    progress.end();
    const statement = statementOf(
      flags,
      result,
      preprocessing,
      "The accuracy below is of rows that were not trained on; those rows are not protected by this training.",
    );
    await saveModel(annotated(trained, train, flags.arch), flags.out);
    if (flags.statement !== undefined)
      await writeAtomically(flags.statement, JSON.stringify(statement, null, 2) + "\n");
    const accuracy = wilson(await countCorrect(trained, test), test.size);
    await trained.close();
    return {
      model: flags.out,
      ...(flags.arch !== undefined && { arch: flags.arch }),
      ...(flags.model !== undefined && { from: flags.model, trained: trainable.parameters }),
      seed: flags.seed,
      classes: trained.classes,
      trainRows: records,
      testRows: test.size,
      accuracy,
      plan,
      noiseMultiplier: result.sigma,
      updates: result.updates,
      statement,
    };
  } finally {
    ledger?.close();
  }
}

export const givenModel = (path: string): dp.Preprocessing => ({
  what: `the model that was trained further (${path}), which must not have seen these data`,
  from: "public",
});

/** The moving average spans the last twentieth of the training. */
export const emaOf = (steps: number): number => Math.max(0, 1 - 20 / Math.max(20, steps));

function stepsOf(flags: Flags, plan: PrivatePlan): Partial<PrivateTrainOptions> {
  const { momentum, nesterov, schedule, warmUp, ema = emaOf(plan.steps) } = flags;
  const given = { momentum, nesterov, schedule, warmUp };
  return {
    ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
    learningRate: flags.learningRate ?? 1 / plan.clip,
    ema,
  };
}

/** The plan of the flags; `clip` is the norm where none is given. */
export function planFor(flags: PrivateRunFlags, records: number, clip: number): PrivatePlan {
  return calibratePlan({
    records,
    batch: flags.batch ?? Math.min(records, Math.max(32, Math.round(records / 60))),
    epochs: flags.epochs ?? 15,
    targetEpsilon: flags.targetEpsilon!,
    clip: flags.clip ?? clip,
    ...(flags.delta !== undefined && { delta: flags.delta }),
    ...(flags.adjacency !== undefined && { adjacency: flags.adjacency }),
    ...(flags.adaptiveClip === true && { adaptiveClip: {} }),
    ...(flags.notPrivateSeed !== undefined && { seed: flags.notPrivateSeed }),
  });
}

/** Where the training is charged and kept. */
export const hooksFor = (flags: PrivateRunFlags, ledger: dp.Ledger | undefined): PrivateHooks => ({
  ...(ledger !== undefined && { ledger, label: `train ${flags.out}` }),
  ...(flags.checkpoint !== undefined && { checkpoint: { store: checkpointFolder(flags.checkpoint) } }),
});

/** What may be said of a training that has ended. */
export const statementOf = (
  flags: PrivateRunFlags,
  { plan, event }: Pick<PrivateResult, "plan" | "event">,
  preprocessing: readonly dp.Preprocessing[],
  notCovered: string,
): dp.PrivacyStatement =>
  dp.privacyStatement({
    event,
    adjacency: plan.adjacency,
    delta: plan.delta,
    records: plan.records,
    noise: plan.noise,
    released: "the model's parameters after every step",
    tuning: { kind: flags.settings ?? "undeclared" },
    preprocessing,
    notCovered: [notCovered],
  });

export function openLedger(path: string | undefined): dp.Ledger | undefined {
  if (path === undefined) return undefined;
  if (existsSync(path)) return dp.openLedgerFile(path);
  throw new MarauderError(
    "FILE_NOT_FOUND",
    `there is no privacy ledger at ${path}; make one with its budget first: marauder ledger FILE --create`,
  );
}

/** Ranges that are known without the data, or measured on them, which the statement then says. */
export function inputBounds(
  data: Dataset,
  given: [number, number] | undefined,
): { bounds: InputBounds; preprocessing: dp.Preprocessing[] } {
  const known = given ?? (data.storedAs === "uint8" ? boundsOf(data) : null);
  const categories: dp.Preprocessing[] =
    data.schema?.inputs.some((i) => i.category !== undefined) === true
      ? [{ what: "the list of categories of each column", from: "uncounted" }]
      : [];
  if (known !== null) {
    const range: dp.Preprocessing = { what: `the range of the inputs, ${known.join(" to ")}`, from: "public" };
    return { bounds: [[known[0]], [known[1]]], preprocessing: [range, ...categories] };
  }
  const width = data.schema === null ? 1 : data.features.data.length / data.size;
  const low = new Float64Array(width).fill(Infinity);
  const high = new Float64Array(width).fill(-Infinity);
  data.features.data.forEach((value, i) => {
    low[i % width] = Math.min(low[i % width]!, value);
    high[i % width] = Math.max(high[i % width]!, value);
  });
  return {
    bounds: [low, high],
    preprocessing: [
      { what: "the range of each input (give --bounds to state it without the data)", from: "uncounted" },
      ...categories,
    ],
  };
}
