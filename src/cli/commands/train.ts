import { Option, type Command } from "commander";
import { withNotes } from "../../audit/model-notes.ts";
import { take, openDataset, split, type Dataset } from "../../data/index.ts";
import { ortEngine } from "../../engine/ort-node.ts";
import { MarauderError } from "../../errors.ts";
import { saveModel } from "../../ir/index.ts";
import { seeded } from "../../random/index.ts";
import { wilson } from "../../stats/index.ts";
import { makeTrainer, type Arch, type TrainOptions } from "../../train/index.ts";
import { boundsOf } from "../../audit/bounds.ts";
import { numberValue, positiveInteger, seedValue } from "../flags.ts";
import { startProgress } from "../progress.ts";
import { percentInterval } from "../text.ts";

interface TrainFlags {
  data: string;
  labels?: string;
  label?: string;
  groups?: string[];
  arch: Arch;
  epochs?: number;
  batch?: number;
  learningRate?: number;
  test?: string;
  holdOut: number;
  seed: number;
  threads?: number;
  out: string;
  json?: boolean;
  quiet?: boolean;
}

/** marauder train --data ... --arch mlp|cnn|logistic --out model.onnx */
export function addTrain(main: Command, signal: AbortSignal): void {
  main
    .command("train")
    .description("train a classifier; the result is an ordinary ONNX file that takes raw inputs")
    .requiredOption("--data <path>", "training data: .npz, idx(.gz), .csv, .parquet, .jsonl, or a folder of images")
    .option("--labels <path>", "labels in a file of their own")
    .option("--label <column>", "column or array that holds the labels")
    .option("--groups <columns>", "columns that name groups; kept out of the model's inputs", (t) => t.split(","))
    .addOption(new Option("--arch <arch>", "architecture").choices(["logistic", "mlp", "cnn"]).makeOptionMandatory())
    .option("--epochs <n>", "passes over the data", positiveInteger)
    .option("--batch <n>", "rows per step", positiveInteger)
    .option("--learning-rate <rate>", "peak learning rate", numberValue)
    .option("--test <path>", "test data; without it a part of the data is held out")
    .option("--hold-out <share>", "share held out when there is no --test", numberValue, 0.1)
    .option("--seed <n>", "seed of initial weights and order", seedValue, 0)
    .option("--threads <n>", "1 makes the result the same to the bit on every run", positiveInteger)
    .requiredOption("--out <model.onnx>", "where the model goes")
    .option("--json", "print JSON")
    .option("--quiet", "no progress on stderr")
    .action(async (flags: TrainFlags) => {
      const result = await trainModel(flags, signal);
      process.stdout.write(
        flags.json === true
          ? JSON.stringify(result, null, 2) + "\n"
          : `wrote ${flags.out}: accuracy on ${result.testRows} held-out rows ${percentInterval(result.accuracy)}, on ${result.trainRows} training rows ${percentInterval(result.trainAccuracy)}\n`,
      );
    });
}

async function trainModel(flags: TrainFlags, signal: AbortSignal) {
  if (!(flags.holdOut > 0 && flags.holdOut < 1)) {
    throw new MarauderError("OPTION_RANGE", `--hold-out must lie between 0 and 1, got ${flags.holdOut}`);
  }
  const rng = seeded(flags.seed).child("train");
  const { data: path, labels, label, groups } = flags;
  const given = { ...(labels && { labels }), ...(label && { label }), ...(groups && { groups }) };
  const all = await openDataset(path, given);
  const [train, test] = await trainAndTest(all, flags, given);
  const progress = startProgress(process.stderr, flags.quiet);
  progress.task(`training ${flags.arch} on ${train.size} rows`);
  const options: Partial<TrainOptions> = {
    arch: flags.arch,
    ...(flags.epochs && { epochs: flags.epochs }),
    ...(flags.batch && { batch: flags.batch }),
    ...(flags.learningRate && { learningRate: flags.learningRate }),
  };
  const trainer = makeTrainer(ortEngine, flags.threads === undefined ? {} : { threads: flags.threads });
  const context = { rng, signal, step: progress.step };
  const trained = await trainer(train, options, context);
  try {
    progress.end();
    const bounds = boundsOf(train);
    const notes = {
      arch: flags.arch,
      classNames: train.classNames,
      ...(flags.label && { label: flags.label }),
      ...(bounds && { bounds }),
      ...(train.schema && { schema: train.schema }),
    };
    await saveModel(withNotes(trained.model, notes), flags.out);
    const accuracy = async (data: Dataset) =>
      wilson(await countCorrect(trained.logits(data), data, trained.classes), data.size);
    return {
      model: flags.out,
      arch: flags.arch,
      seed: flags.seed,
      classes: trained.classes,
      trainRows: train.size,
      testRows: test.size,
      accuracy: await accuracy(test),
      trainAccuracy: await accuracy(train),
    };
  } finally {
    await trained.close();
    await trainer.close();
  }
}

async function trainAndTest(all: Dataset, flags: TrainFlags, given: object): Promise<[Dataset, Dataset]> {
  if (flags.test !== undefined) {
    const schema = all.schema === null ? {} : { schema: all.schema };
    return [all, await openDataset(flags.test, { ...given, ...schema, classNames: all.classNames })];
  }
  const parts = split(all, [1 - flags.holdOut, flags.holdOut], seeded(flags.seed).child("hold-out"));
  return [parts[0]!, parts[1]!.size > 0 ? parts[1]! : take(all, [])];
}

async function countCorrect(pending: Promise<Float32Array>, data: Dataset, classes: number): Promise<number> {
  const logits = await pending;
  let correct = 0;
  for (let i = 0; i < data.size; i++) {
    let best = 0;
    for (let k = 1; k < classes; k++) if (logits[i * classes + k]! > logits[i * classes + best]!) best = k;
    if (best === data.labels![i]) correct++;
  }
  return correct;
}
