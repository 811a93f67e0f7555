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
  privateArchitecture,
  trainPrivateClassifier,
  type Arch,
  type InputBounds,
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
}

interface Flags extends PrivateFlags {
  arch: Arch;
  epochs?: number;
  batch?: number;
  learningRate?: number;
  seed: number;
  threads?: number;
  checkpoint?: string;
  out: string;
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
  [train, test]: readonly [Dataset, Dataset],
  signal: AbortSignal,
  progress: ReturnType<typeof startProgress>,
) {
  const records = train.size;
  const { bounds, preprocessing } = inputBounds(train, flags.bounds);
  const clip = flags.clip ?? 0.1;
  const plan = calibratePlan({
    records,
    batch: flags.batch ?? Math.min(records, Math.max(32, Math.round(records / 60))),
    epochs: flags.epochs ?? 15,
    targetEpsilon: flags.targetEpsilon!,
    clip,
    ...(flags.delta !== undefined && { delta: flags.delta }),
    ...(flags.adjacency !== undefined && { adjacency: flags.adjacency }),
    ...(flags.adaptiveClip === true && { adaptiveClip: {} }),
    ...(flags.notPrivateSeed !== undefined && { seed: flags.notPrivateSeed }),
  });
  const context = { rng: seeded(flags.seed).child("train"), signal, step: progress.step };
  const trainable = privateArchitecture(flags.arch, train, bounds, context);
  const ledger = flags.ledger === undefined ? undefined : openLedger(flags.ledger);
  try {
    const { trained, result } = await trainPrivateClassifier(
      ortEngine,
      {
        trainable,
        data: train,
        plan,
        options: { learningRate: flags.learningRate ?? 0.2 / clip, ema: emaOf(plan.steps) },
        ...(flags.threads !== undefined && { threads: flags.threads }),
      },
      context,
      {
        ...(ledger !== undefined && { ledger, label: `train ${flags.out}` }),
        ...(flags.checkpoint !== undefined && { checkpoint: { store: checkpointFolder(flags.checkpoint) } }),
      },
    );
    progress.end();
    const statement = dp.privacyStatement({
      event: result.event,
      adjacency: plan.adjacency,
      delta: plan.delta,
      records,
      noise: plan.noise,
      released: "the model's parameters after every step",
      tuning: { kind: flags.settings ?? "undeclared" },
      preprocessing,
      notCovered: [
        "The accuracy below is of rows that were not trained on; those rows are not protected by this training.",
      ],
    });
    await saveModel(annotated(trained, train, flags.arch), flags.out);
    if (flags.statement !== undefined)
      await writeAtomically(flags.statement, JSON.stringify(statement, null, 2) + "\n");
    const accuracy = wilson(await countCorrect(trained, test), test.size);
    await trained.close();
    return {
      model: flags.out,
      arch: flags.arch,
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

/** The moving average spans the last twentieth of the training. */
export const emaOf = (steps: number): number => Math.max(0, 1 - 20 / Math.max(20, steps));

function openLedger(path: string): dp.Ledger {
  if (existsSync(path)) return dp.openLedgerFile(path);
  throw new MarauderError(
    "FILE_NOT_FOUND",
    `there is no privacy ledger at ${path}; make one with its budget first (openLedgerFile)`,
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
