import { InvalidArgumentError, Option, type Command } from "commander";
import { measureTradeoff, type TrainAt } from "../../audit/tradeoff.ts";
import { asImages } from "../../audit/train-model.ts";
import type { Detail, Tradeoff } from "../../contract/index.ts";
import { openDataset, split, type Dataset } from "../../data/index.ts";
import { ortEngine } from "../../engine/ort-node.ts";
import { MarauderError } from "../../errors.ts";
import { writeAtomically } from "../../files.ts";
import type { Adjacency } from "../../privacy/index.ts";
import { adjacencies } from "../../privacy/index.ts";
import { seeded } from "../../random/index.ts";
import { renderTradeoff, tradeoffDetails, tradeoffHeadline } from "../../report/index.ts";
import { formatCell } from "../../report/format.ts";
import {
  calibratePlan,
  makeTrainer,
  privateArchitecture,
  trainPrivateClassifier,
  type Arch,
  type PrivatePlan,
  type TrainedModel,
} from "../../train/index.ts";
import { version } from "../../version.ts";
import { boundsValue, numberValue, positiveInteger, seedValue } from "../flags.ts";
import { emaOf, inputBounds } from "../privacy/train-private.ts";
import { startProgress } from "../progress.ts";
import { addTableFlags, list, tableOptions, type TableFlags } from "../table-flags.ts";
import { columns, wrap } from "../text.ts";

interface TradeoffFlags extends TableFlags {
  data: string;
  arch: Arch;
  epsilons: (number | null)[];
  seeds: number;
  seed: number;
  delta?: number;
  adjacency?: Adjacency;
  clip: number;
  bounds?: [number, number];
  epochs: number;
  plainEpochs?: number;
  batch?: number;
  learningRate?: number;
  test?: string;
  testLabels?: string;
  holdOut: number;
  threads?: number;
  out: string;
  json?: boolean;
  quiet?: boolean;
}

/** marauder tradeoff --data ... --arch mlp --epsilons 0.5,1,3,8,none --seeds 3 --out tradeoff.html */
export function addTradeoff(main: Command, signal: AbortSignal): void {
  addTableFlags(
    main
      .command("tradeoff")
      .description(
        "accuracy against epsilon, over seeds, of each class and declared group: what privacy costs, and whom",
      )
      .requiredOption("--data <path>", "training data: .npz, idx(.gz), .csv, .parquet, .jsonl, or a folder of images"),
  )
    .addOption(new Option("--arch <arch>", "architecture").choices(["logistic", "mlp", "cnn"]).makeOptionMandatory())
    .option("--epsilons <list>", "targets, and none for training without privacy", epsilonList, [0.5, 1, 2, 4, 8, null])
    .option("--seeds <n>", "trainings at each epsilon", positiveInteger, 3)
    .option("--seed <n>", "the first seed: of initial weights; noise is never seeded", seedValue, 0)
    .option("--delta <d>", "default 1 / records^1.1, at most 1e-5", numberValue)
    .addOption(new Option("--adjacency <relation>", "what neighbouring data are").choices(adjacencies))
    .option("--clip <c>", "norm that each record's gradient is cut to", numberValue, 0.1)
    .addOption(new Option("--bounds <low,high>", "range of the inputs, known without the data").argParser(boundsValue))
    .option("--epochs <n>", "expected passes of a private training", positiveInteger, 15)
    .option("--plain-epochs <n>", "passes of the training without privacy", positiveInteger)
    .option("--batch <n>", "expected rows per private step", positiveInteger)
    .option("--learning-rate <rate>", "of the private trainings", numberValue)
    .option("--test <path>", "test data; without it a part of the data is held out")
    .option("--test-labels <path>", "labels of --test in a file of their own")
    .option("--hold-out <share>", "share held out when there is no --test", numberValue, 0.2)
    .option("--threads <n>", "threads of the engine", positiveInteger)
    .requiredOption("--out <page.html>", "where the page goes; the numbers go beside it, as .json")
    .option("--json", "print JSON")
    .option("--quiet", "no progress on stderr")
    .action(async (flags: TradeoffFlags) => {
      const tradeoff = await measure(flags, signal);
      await writeAtomically(flags.out, renderTradeoff(tradeoff, version));
      await writeAtomically(jsonBeside(flags.out), JSON.stringify(tradeoff, null, 2) + "\n");
      process.stdout.write(flags.json === true ? JSON.stringify(tradeoff, null, 2) + "\n" : words(tradeoff, flags.out));
    });
}

function epsilonList(text: string): (number | null)[] {
  return list(text).map((part) => {
    if (part === "none") return null;
    const value = numberValue(part);
    if (!(value > 0)) throw new InvalidArgumentError(`expected epsilons above 0, or none; got "${part}".`);
    return value;
  });
}

const jsonBeside = (path: string): string => `${path.replace(/\.html?$/, "")}.json`;

async function measure(flags: TradeoffFlags, signal: AbortSignal): Promise<Tradeoff> {
  const [train, test] = await open(flags);
  const { bounds } = inputBounds(train, flags.bounds);
  const plans = new Map<number, PrivatePlan>();
  const planFor = (targetEpsilon: number): PrivatePlan => {
    const known = plans.get(targetEpsilon);
    if (known !== undefined) return known;
    const records = train.size;
    const plan = calibratePlan({
      records,
      batch: flags.batch ?? Math.min(records, Math.max(32, Math.round(records / 60))),
      epochs: flags.epochs,
      targetEpsilon,
      clip: flags.clip,
      ...(flags.delta !== undefined && { delta: flags.delta }),
      ...(flags.adjacency !== undefined && { adjacency: flags.adjacency }),
    });
    plans.set(targetEpsilon, plan);
    return plan;
  };
  // Targets that cannot be reached are refused before anything is trained.
  for (const epsilon of flags.epsilons) if (epsilon !== null) planFor(epsilon);
  const threads = flags.threads === undefined ? {} : { threads: flags.threads };
  const trainer = makeTrainer(ortEngine, threads);
  const progress = startProgress(process.stderr, flags.quiet);
  progress.task(`${flags.epsilons.length * flags.seeds} trainings of ${flags.arch} on ${train.size} rows`);
  const trainAt: TrainAt = async (epsilon, seed) => {
    const context = { rng: seeded(seed).child("train"), signal, step: () => undefined };
    if (epsilon === null) {
      const epochs = flags.plainEpochs === undefined ? {} : { epochs: flags.plainEpochs };
      const trained = await trainer(train, { arch: flags.arch, ...epochs }, context);
      return { predicted: await labelsOf(trained, test), epsilon: null };
    }
    const plan = planFor(epsilon);
    const trainable = privateArchitecture(flags.arch, train, bounds, context);
    const options = { learningRate: flags.learningRate ?? 0.2 / flags.clip, ema: emaOf(plan.steps) };
    const { trained, result } = await trainPrivateClassifier(
      ortEngine,
      { trainable, data: train, plan, options, ...threads },
      context,
    );
    return { predicted: await labelsOf(trained, test), epsilon: result.epsilon };
  };
  try {
    const seeds = Array.from({ length: flags.seeds }, (_, i) => flags.seed + i);
    const first = plans.values().next().value;
    const facts = {
      arch: flags.arch,
      delta: first?.delta ?? 0,
      adjacency: first?.adjacency ?? "none",
      noise: first?.noise ?? "none",
    };
    const context = { rng: seeded(flags.seed), signal, step: progress.step };
    return await measureTradeoff({ train, test, epsilons: flags.epsilons, seeds, trainAt, facts }, context);
  } finally {
    progress.end();
    await trainer.close();
  }
}

/** The labels that a model gives; the model is closed. */
async function labelsOf(trained: TrainedModel, data: Dataset): Promise<Int32Array> {
  const logits = await trained.logits(data);
  const { classes } = trained;
  await trained.close();
  return Int32Array.from({ length: data.size }, (_, i) => {
    let best = 0;
    for (let k = 1; k < classes; k++) if (logits[i * classes + k]! > logits[i * classes + best]!) best = k;
    return best;
  });
}

async function open(flags: TradeoffFlags): Promise<[train: Dataset, test: Dataset]> {
  const shaped = (data: Dataset): Dataset => (flags.arch === "cnn" ? asImages(data) : data);
  const all = shaped(await openDataset(flags.data, tableOptions(flags)));
  if (all.labels === null)
    throw new MarauderError("DATA_LABELS", `${flags.data} has no labels; give --label <column> or --labels <file>`);
  if (flags.test !== undefined) {
    const same = { classNames: all.classNames, ...(all.schema !== null && { schema: all.schema }) };
    const own = flags.testLabels === undefined ? {} : { labels: flags.testLabels };
    return [all, shaped(await openDataset(flags.test, { ...tableOptions(flags), ...same, ...own }))];
  }
  if (!(flags.holdOut > 0 && flags.holdOut < 1))
    throw new MarauderError("OPTION_RANGE", `--hold-out must lie between 0 and 1, got ${flags.holdOut}`);
  const [train, test] = split(all, [1 - flags.holdOut, flags.holdOut], seeded(flags.seed).child("hold-out"));
  return [train!, test!];
}

function words(tradeoff: Tradeoff, out: string): string {
  const tables = tradeoffDetails(tradeoff).flatMap(({ details }) => details.filter((d) => d.type === "table"));
  const table = (d: Extract<Detail, { type: "table" }>): string =>
    `${d.caption}\n\n${columns(
      d.columns.map((c) => c.label),
      d.rows.map((row) => d.columns.map((c) => formatCell(row[c.key] ?? null, c.unit))),
    )}`;
  const notes = tradeoff.caveats.map((caveat) => wrap(caveat));
  return `${[wrap(tradeoffHeadline(tradeoff)), ...tables.map(table), ...notes].join("\n\n")}\n\nwrote ${out} and ${jsonBeside(out)}\n`;
}
