import { Option, type Command } from "commander";
import { existsSync } from "node:fs";
import { annotated, asImages, countCorrect } from "../../audit/train-model.ts";
import { openDataset, split, type Dataset, type OpenOptions } from "../../data/index.ts";
import { ortEngine } from "../../engine/ort-node.ts";
import { MarauderError } from "../../errors.ts";
import { checkWritable } from "../../files.ts";
import { saveModel } from "../../ir/index.ts";
import { statementText } from "../../privacy/index.ts";
import { seeded } from "../../random/index.ts";
import { wilson } from "../../stats/index.ts";
import { checkpointFolder, makeTrainer, type Arch, type TrainOptions } from "../../train/index.ts";
import { numberValue, positiveInteger, seedValue } from "../flags.ts";
import { addTableFlags, tableOptions, type TableFlags } from "../table-flags.ts";
import { startProgress } from "../progress.ts";
import { percentInterval } from "../text.ts";
import { addPrivateFlags, checkPrivateFlags, trainPrivateModel, type PrivateFlags } from "../privacy/train-private.ts";

interface TrainFlags extends TableFlags, PrivateFlags {
  data: string;
  arch: Arch;
  epochs?: number;
  batch?: number;
  learningRate?: number;
  test?: string;
  testLabels?: string;
  holdOut: number;
  seed: number;
  threads?: number;
  checkpoint?: string;
  out: string;
  json?: boolean;
  quiet?: boolean;
}

/** marauder train --data ... --arch mlp|cnn|logistic --out model.onnx */
export function addTrain(main: Command, signal: AbortSignal): void {
  const command = main
    .command("train")
    .description("train a classifier; the result is an ordinary ONNX file that takes raw inputs")
    .requiredOption("--data <path>", "training data: .npz, idx(.gz), .csv, .parquet, .jsonl, or a folder of images");
  addPrivateFlags(
    addTableFlags(command)
      .addOption(new Option("--arch <arch>", "architecture").choices(["logistic", "mlp", "cnn"]).makeOptionMandatory())
      .option("--epochs <n>", "passes over the data", positiveInteger)
      .option("--batch <n>", "rows per step", positiveInteger)
      .option("--learning-rate <rate>", "peak learning rate", numberValue)
      .option("--test <path>", "test data; without it a part of the data is held out")
      .option("--test-labels <path>", "labels of --test in a file of their own")
      .option("--hold-out <share>", "share held out when there is no --test", numberValue, 0.1)
      .option("--seed <n>", "seed of initial weights and order", seedValue, 0)
      .option("--threads <n>", "1 makes the result the same to the bit on every run", positiveInteger)
      .option(
        "--checkpoint <folder>",
        "keep the training there while it runs; the same command goes on where it stopped",
      )
      .requiredOption("--out <model.onnx>", "where the model goes")
      .option("--json", "print JSON")
      .option("--quiet", "no progress on stderr"),
  ).action(async (flags: TrainFlags) => {
    checkPrivateFlags(flags);
    if (flags.dp === true) {
      const made = await prepared(flags, (parts, progress) => trainPrivateModel(flags, parts, signal, progress));
      process.stdout.write(
        flags.json === true
          ? JSON.stringify(made, null, 2) + "\n"
          : `${statementText(made.statement)}\n\nwrote ${flags.out}: accuracy on ${made.testRows} held-out rows ${percentInterval(made.accuracy)}; accuracy on the training rows is not shown, it would tell about them\n`,
      );
      return;
    }
    const result = await trainModel(flags, signal);
    process.stdout.write(
      flags.json === true
        ? JSON.stringify(result, null, 2) + "\n"
        : `wrote ${flags.out}: accuracy on ${result.testRows} held-out rows ${percentInterval(result.accuracy)}, on ${result.trainRows} training rows ${percentInterval(result.trainAccuracy)}\n`,
    );
  });
}

const trainModel = (flags: TrainFlags, signal: AbortSignal) =>
  prepared(flags, (parts, progress) => trainPlain(flags, parts, signal, progress));

/** Opens the data, splits them and lends a progress line. */
async function prepared<T>(
  flags: TrainFlags,
  work: (parts: [train: Dataset, test: Dataset], progress: ReturnType<typeof startProgress>) => Promise<T>,
): Promise<T> {
  if (!(flags.holdOut > 0 && flags.holdOut < 1)) {
    throw new MarauderError("OPTION_RANGE", `--hold-out must lie between 0 and 1, got ${flags.holdOut}`);
  }
  await checkWritable(flags.out);
  const all = await open(flags.data, flags);
  if (all.labels === null) {
    const columns = all.table === null ? "" : `; its columns are ${all.table.header.join(", ")}`;
    throw new MarauderError(
      "DATA_LABELS",
      `${flags.data} has no labels; give --label <column> or --labels <file>${columns}`,
    );
  }
  const parts = await trainAndTest(all, flags);
  const progress = startProgress(process.stderr, flags.quiet);
  progress.task(`training ${flags.arch} on ${parts[0].size} rows`);
  return await work(parts, progress);
}

async function trainPlain(
  flags: TrainFlags,
  [train, test]: [train: Dataset, test: Dataset],
  signal: AbortSignal,
  progress: ReturnType<typeof startProgress>,
) {
  const options: Partial<TrainOptions> = {
    arch: flags.arch,
    ...(flags.epochs !== undefined && { epochs: flags.epochs }),
    ...(flags.batch !== undefined && { batch: flags.batch }),
    ...(flags.learningRate !== undefined && { learningRate: flags.learningRate }),
  };
  const trainer = makeTrainer(ortEngine, flags.threads === undefined ? {} : { threads: flags.threads });
  try {
    const context = { rng: seeded(flags.seed).child("train"), signal, step: progress.step };
    const kept = flags.checkpoint === undefined ? {} : { checkpoint: { store: checkpointFolder(flags.checkpoint) } };
    const trained = await trainer(train, options, context, kept);
    progress.end();
    await saveModel(annotated(trained, train, flags.arch), flags.out);
    const accuracy = async (data: Dataset) => wilson(await countCorrect(trained, data), data.size);
    const result = {
      model: flags.out,
      arch: flags.arch,
      seed: flags.seed,
      classes: trained.classes,
      trainRows: train.size,
      testRows: test.size,
      accuracy: await accuracy(test),
      trainAccuracy: await accuracy(train),
    };
    await trained.close();
    return result;
  } finally {
    await trainer.close();
  }
}

async function open(path: string, flags: TrainFlags, more: OpenOptions = {}): Promise<Dataset> {
  const data = await openDataset(path, {
    ...tableOptions(flags),
    ...more,
  });
  return flags.arch === "cnn" ? asImages(data) : data;
}

/** Training rows and the rows that accuracy is measured on: another file, or a part that training never sees. */
async function trainAndTest(all: Dataset, flags: TrainFlags): Promise<[Dataset, Dataset]> {
  if (flags.test !== undefined) {
    const same = { classNames: all.classNames, ...(all.schema !== null && { schema: all.schema }) };
    // A file of labels belongs to one file of data; the name of an array (npz) serves for both.
    const { labels, ...others } = flags;
    const shared = labels !== undefined && !existsSync(labels) ? labels : undefined;
    const own = flags.testLabels ?? shared;
    return [all, await open(flags.test, { ...others, ...(own !== undefined && { labels: own }) }, same)];
  }
  const [train, test] = split(all, [1 - flags.holdOut, flags.holdOut], seeded(flags.seed).child("hold-out"));
  if (train!.size === 0 || test!.size === 0) {
    throw new MarauderError(
      "NOT_ENOUGH_DATA",
      `holding out ${flags.holdOut} of ${all.size} rows in ${all.classNames.length} classes leaves ${train!.size} to train on and ${test!.size} to measure on; ` +
        "give --test, another --hold-out, or a --label with fewer classes",
    );
  }
  return [train!, test!];
}
