import { Option, type Command } from "commander";
import { join } from "node:path";
import { annotated, asImages, countCorrect } from "../../audit/train-model.ts";
import { openDataset, split, type Dataset, type OpenOptions } from "../../data/index.ts";
import { pate, type PateOptions } from "../../defenses/training/index.ts";
import { ortEngine } from "../../engine/ort-node.ts";
import { MarauderError } from "../../errors.ts";
import { writeAtomically } from "../../files.ts";
import { saveModel } from "../../ir/index.ts";
import { defaultsOf } from "../../options.ts";
import * as dp from "../../privacy/index.ts";
import { seeded } from "../../random/index.ts";
import { wilson } from "../../stats/index.ts";
import { makeTrainer, type Arch, type TrainOptions } from "../../train/index.ts";
import { numberValue, positiveInteger, seedValue } from "../flags.ts";
import { startProgress } from "../progress.ts";
import { addTableFlags, tableOptions, type TableFlags } from "../table-flags.ts";
import { percentInterval } from "../text.ts";

interface PateFlags extends TableFlags {
  data: string;
  public?: string;
  publicShare: number;
  arch: Arch;
  epochs?: number;
  batch?: number;
  learningRate?: number;
  test?: string;
  testLabels?: string;
  holdOut: number;
  teachers: number;
  threshold?: number;
  thresholdSigma?: number;
  sigma?: number;
  questions: number;
  targetEpsilon: number;
  delta?: number;
  settings?: "fixed" | "uncounted";
  teachersOut?: string;
  dataDependent?: boolean;
  statement?: string;
  seed: number;
  threads?: number;
  out: string;
  json?: boolean;
  quiet?: boolean;
}

/** marauder pate --data ... --teachers 100 --target-epsilon 3 --arch mlp --out student.onnx */
export function addPate(main: Command, signal: AbortSignal): void {
  const given = defaultsOf(pate.options);
  addTableFlags(
    main
      .command("pate")
      .description("train a student on the noisy votes of teachers that share no row (PATE): its answers cost nothing")
      .requiredOption(
        "--data <path>",
        "private training data: .npz, idx(.gz), .csv, .parquet, .jsonl, a folder of images",
      ),
  )
    .option("--public <path>", "data whose inputs are public; without it a share of the data is declared to be")
    .option("--public-share <share>", "that share; those rows are not protected", numberValue, 0.1)
    .addOption(new Option("--arch <arch>", "architecture").choices(["logistic", "mlp", "cnn"]).makeOptionMandatory())
    .option("--teachers <n>", "number of teachers", positiveInteger, given.teachers)
    .option("--threshold <votes>", "votes that an answer needs, with noise (default 0.8 of the teachers)", numberValue)
    .option("--threshold-sigma <votes>", "noise on the largest count (default 0.6 of the teachers)", numberValue)
    .option("--sigma <votes>", "noise on each count (default 0.16 of the teachers)", numberValue)
    .option("--questions <n>", "most public rows that are asked", positiveInteger, given.questions)
    .requiredOption("--target-epsilon <e>", "the guarantee: questions end before it is exceeded", numberValue)
    .option("--delta <d>", "default 1 / records^1.1, at most 1e-5", numberValue)
    .addOption(
      new Option(
        "--settings <how>",
        "how the settings were chosen; left out, the statement says that nobody said",
      ).choices(["fixed", "uncounted"]),
    )
    .option("--epochs <n>", "passes over the data of a teacher", positiveInteger)
    .option("--batch <n>", "rows per step", positiveInteger)
    .option("--learning-rate <rate>", "peak learning rate", numberValue)
    .option("--test <path>", "test data; without it a part of the data is held out")
    .option("--test-labels <path>", "labels of --test in a file of their own")
    .option("--hold-out <share>", "share held out when there is no --test", numberValue, 0.1)
    .option("--teachers-out <folder>", "write the teachers there as ONNX files; they are NOT private")
    .option(
      "--data-dependent",
      "also release, noised by smooth sensitivity, what the questions cost on these very votes: an estimate, no upper bound",
    )
    .option("--statement <file.json>", "write the privacy statement there")
    .option("--seed <n>", "seed of initial weights, order and partition; noise is never seeded", seedValue, 0)
    .option("--threads <n>", "threads of the engine", positiveInteger)
    .requiredOption("--out <student.onnx>", "where the student goes")
    .option("--json", "print JSON")
    .option("--quiet", "no progress on stderr")
    .addHelpText("after", examples)
    .action(async (flags: PateFlags) => {
      const { statement, ...rest } = await teach(flags, signal);
      const { answered, asked, accuracy, testRows, onTheseVotes } = rest;
      process.stdout.write(
        flags.json === true
          ? JSON.stringify({ ...rest, statement }, null, 2) + "\n"
          : `${dp.statementText(statement)}\n\nwrote ${flags.out}: ${flags.teachers} teachers answered ${answered} of ${asked} questions; ` +
              `the student's accuracy on ${testRows} held-out rows is ${percentInterval(accuracy)}\n${released(onTheseVotes)}`,
      );
    });
}

const examples = `
Examples:
  marauder pate --data mnist.npz --arch cnn --teachers 100 --target-epsilon 3 --out student.onnx
  marauder pate --data private.csv --label y --public public.csv --arch mlp --teachers 50 --target-epsilon 2 --out student.onnx
`;

/** What `--data-dependent` adds to the words. */
function released(cost: dp.ReleasedPateCost | null): string {
  if (cost === null) return "";
  const { epsilon, order, conditions } = cost;
  return conditions.c5 && conditions.c6
    ? `on these votes the questions cost epsilon ${epsilon}, release included (order ${order}; a noisy estimate, not an upper bound of every run)\n`
    : "no cost on these votes is released: at this noise and order the proofs of smooth sensitivity do not hold\n";
}

async function teach(flags: PateFlags, signal: AbortSignal) {
  const rng = seeded(flags.seed);
  const { train, publicData, test } = await open(flags);
  const records = train.size;
  const delta = flags.delta ?? Math.min(1e-5, records ** -1.1);
  const options: PateOptions = {
    teachers: flags.teachers,
    questions: flags.questions,
    threshold: flags.threshold ?? 0.8 * flags.teachers,
    thresholdSigma: flags.thresholdSigma ?? 0.6 * flags.teachers,
    sigma: flags.sigma ?? 0.16 * flags.teachers,
  };
  const filter = dp.privacyFilter({ epsilon: flags.targetEpsilon, delta, adjacency: "add-or-remove" });
  const training: Partial<TrainOptions> = {
    arch: flags.arch,
    ...(flags.epochs !== undefined && { epochs: flags.epochs }),
    ...(flags.batch !== undefined && { batch: flags.batch }),
    ...(flags.learningRate !== undefined && { learningRate: flags.learningRate }),
  };
  const progress = startProgress(process.stderr, flags.quiet);
  progress.task(`training ${flags.teachers} teachers on ${records} rows`);
  const trainer = makeTrainer(ortEngine, flags.threads === undefined ? {} : { threads: flags.threads });
  const folder = flags.teachersOut;
  try {
    const result = await pate.apply(
      { rng, signal, step: progress.step },
      {
        data: train,
        publicData,
        trainer,
        train: training,
        charge: (event) => filter.spend(event),
        ...(folder !== undefined && { teacher: (i, model) => saveModel(model, join(folder, `teacher-${i}.onnx`)) }),
      },
      options,
    );
    progress.end();
    await saveModel(annotated(result.student, publicData, flags.arch), flags.out);
    const accuracy = wilson(await countCorrect(result.student, test), test.size);
    await result.student.close();
    const statement = dp.privacyStatement({
      event: result.event,
      adjacency: "add-or-remove",
      delta,
      records,
      noise: result.noise,
      released: "which public rows were answered, the answers, and the student",
      tuning: { kind: flags.settings ?? "undeclared" },
      preprocessing: [{ what: "the names of the classes", from: "public" }],
      notCovered: [
        "The public rows, and the rows that were held out for testing.",
        "The teachers, their votes and the cost on these very votes: they are private and must not leave.",
        ...(flags.public === undefined
          ? ["The public rows were taken from the data themselves, because they were declared to be public."]
          : []),
      ],
    });
    if (flags.statement !== undefined)
      await writeAtomically(flags.statement, JSON.stringify(statement, null, 2) + "\n");
    const answered = result.answers.filter((a) => a !== null).length;
    const { teachers, threshold, thresholdSigma, sigma } = options;
    const onTheseVotes =
      flags.dataDependent === true ? dp.releasePateCost(result.questions, options, { teachers, delta }) : null;
    return {
      model: flags.out,
      teachers,
      threshold,
      thresholdSigma,
      sigma,
      asked: result.answers.length,
      answered,
      stopped: result.stopped,
      accuracy,
      testRows: test.size,
      epsilonOfFilter: filter.epsilon,
      onTheseVotes,
      statement,
    };
  } finally {
    await trainer.close();
  }
}

async function open(flags: PateFlags): Promise<{ train: Dataset; publicData: Dataset; test: Dataset }> {
  const read = async (path: string, more: OpenOptions = {}): Promise<Dataset> => {
    const data = await openDataset(path, { ...tableOptions(flags), ...more });
    return flags.arch === "cnn" ? asImages(data) : data;
  };
  const all = await read(flags.data);
  if (all.labels === null)
    throw new MarauderError("DATA_LABELS", `${flags.data} has no labels; give --label <column> or --labels <file>`);
  const shares = { "--hold-out": flags.holdOut, "--public-share": flags.publicShare };
  for (const [name, share] of Object.entries(shares))
    if (!(share > 0 && share < 1))
      throw new MarauderError("OPTION_RANGE", `${name} must lie between 0 and 1, got ${share}`);
  const held = flags.test === undefined ? flags.holdOut : 0;
  const open_ = flags.public === undefined ? flags.publicShare : 0;
  if (held + open_ >= 1)
    throw new MarauderError(
      "OPTION_RANGE",
      `--hold-out and --public-share leave no private rows: they add up to ${held + open_}`,
    );
  const [train, publicPart, testPart] = split(
    all,
    [1 - held - open_, open_, held],
    seeded(flags.seed).child("hold-out"),
  );
  const same = { classNames: all.classNames, ...(all.schema !== null && { schema: all.schema }) };
  const own = flags.testLabels === undefined ? {} : { labels: flags.testLabels };
  const publicData = flags.public === undefined ? publicPart! : await read(flags.public, same);
  return {
    train: train!,
    publicData: { ...publicData, classNames: all.classNames },
    test: flags.test === undefined ? testPart! : await read(flags.test, { ...same, ...own }),
  };
}
