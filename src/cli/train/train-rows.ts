import { existsSync } from "node:fs";
import { annotated, asImages, countCorrect } from "../../audit/train-model.ts";
import { openDataset, split, type Dataset, type OpenOptions } from "../../data/index.ts";
import { ortEngine } from "../../engine/ort-node.ts";
import { MarauderError } from "../../errors.ts";
import { saveModel, type Model } from "../../ir/index.ts";
import { statementText } from "../../privacy/index.ts";
import { seeded } from "../../random/index.ts";
import { wilson, type Interval } from "../../stats/index.ts";
import { checkpointFolder, makeTrainer, ofImages, trainableOf } from "../../train/index.ts";
import type { Arch, Trainable, TrainableOptions, TrainOptions } from "../../train/index.ts";
import { trainPrivateModel } from "../privacy/train-private.ts";
import { startProgress, type Progress } from "../progress.ts";
import { tableOptions } from "../table-flags.ts";
import { percentInterval } from "../text.ts";
import { stepOptions, type TrainFlags } from "./train-flags.ts";

export interface RowsResult {
  readonly model: string;
  /** The architecture, or the file that was trained further. */
  readonly arch?: string;
  readonly from?: string;
  readonly seed: number;
  readonly classes: number;
  readonly trainRows: number;
  readonly testRows: number;
  readonly accuracy: Interval;
  readonly trainAccuracy: Interval;
}

type Parts = readonly [train: Dataset, test: Dataset];
type Work<T> = (parts: Parts, progress: Progress) => Promise<T>;

/** Trains a classifier on labelled rows and measures it on rows that it has not seen. */
export async function trainRows(flags: TrainFlags, given: Model | null, signal: AbortSignal): Promise<RowsResult> {
  const start = given === null ? null : trainableOf(given, startOptions(flags));
  return await prepared(flags, start, (parts, progress) => trainPlain(flags, start, parts, signal, progress));
}

/** The same with differential privacy. */
export async function trainRowsPrivately(
  flags: TrainFlags,
  given: Model | null,
  signal: AbortSignal,
): Promise<PrivateResult> {
  const start = given === null ? null : trainableOf(given, startOptions(flags));
  return await prepared(flags, start, (parts, progress) =>
    trainPrivateModel({ ...flags, arch: flags.arch as Arch | undefined }, start, parts, signal, progress),
  );
}

/** Opens the data, splits them and lends a progress line. */
async function prepared<T>(flags: TrainFlags, start: Trainable | null, work: Work<T>): Promise<T> {
  const images = start === null ? ofImages(flags.arch as Arch) : start.model.graph.inputs[0]?.dims?.length === 4;
  const open = async (path: string, own: TrainFlags, more: OpenOptions = {}): Promise<Dataset> => {
    const data = await openDataset(path, { ...tableOptions(own), ...more });
    return images ? asImages(data) : data;
  };
  const all = await open(flags.data, flags);
  if (all.labels === null) {
    const columns = all.table === null ? "" : `; its columns are ${all.table.header.join(", ")}`;
    throw new MarauderError(
      "DATA_LABELS",
      `${flags.data} has no labels; give --label <column> or --labels <file>${columns}`,
    );
  }
  const parts = await trainAndTest(all, flags, open);
  const progress = startProgress(process.stderr, flags.quiet);
  progress.task(`training ${flags.arch ?? flags.model} on ${parts[0].size} rows`);
  return await work(parts, progress);
}

async function trainPlain(
  flags: TrainFlags,
  start: Trainable | null,
  [train, test]: Parts,
  signal: AbortSignal,
  progress: Progress,
): Promise<RowsResult> {
  const arch = flags.arch as Arch | undefined;
  const trainer = makeTrainer(ortEngine, {
    ...(flags.threads !== undefined && { threads: flags.threads }),
    ...(start !== null && { start }),
  });
  try {
    const context = { rng: seeded(flags.seed).child("train"), signal, step: progress.step };
    const kept = flags.checkpoint === undefined ? {} : { checkpoint: { store: checkpointFolder(flags.checkpoint) } };
    const trained = await trainer(train, rowOptions(flags), context, kept);
    progress.end();
    await saveModel(annotated(trained, train, arch), flags.out);
    const accuracy = async (data: Dataset) => wilson(await countCorrect(trained, data), data.size);
    const result = {
      model: flags.out,
      ...(arch !== undefined && { arch }),
      ...(flags.model !== undefined && { from: flags.model }),
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

type PrivateResult = Awaited<ReturnType<typeof trainPrivateModel>>;

export const privateText = (r: PrivateResult): string =>
  `${statementText(r.statement)}\n\nwrote ${r.model}: accuracy on ${r.testRows} held-out rows ${percentInterval(r.accuracy)}; accuracy on the training rows is not shown, it would tell about them\n`;

export const rowsText = (r: RowsResult): string =>
  `wrote ${r.model}: accuracy on ${r.testRows} held-out rows ${percentInterval(r.accuracy)}, on ${r.trainRows} training rows ${percentInterval(r.trainAccuracy)}\n`;

const startOptions = ({ output, batchNorm }: TrainFlags): TrainableOptions => ({
  ...(output !== undefined && { output }),
  ...(batchNorm !== undefined && { batchNorm }),
});

function rowOptions(flags: TrainFlags): Partial<TrainOptions> {
  const { arch, loss, labelSmoothing, hidden, channels, blocks, shift, flip } = flags;
  const augment = shift === undefined && flip === undefined ? undefined : { shift: shift ?? 0, flip: flip ?? false };
  return {
    ...stepOptions(flags),
    arch,
    loss,
    labelSmoothing,
    hidden,
    channels,
    blocks,
    augment,
  } as Partial<TrainOptions>;
}

/** Training rows and the rows that accuracy is measured on: another file, or a part that training never sees. */
async function trainAndTest(
  all: Dataset,
  flags: TrainFlags,
  open: (path: string, flags: TrainFlags, more: OpenOptions) => Promise<Dataset>,
): Promise<[Dataset, Dataset]> {
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
