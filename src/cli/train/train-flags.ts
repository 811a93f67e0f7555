import { Option, type Command } from "commander";
import { MarauderError } from "../../errors.ts";
import { architectures, languageArchitectures, rowLosses } from "../../train/index.ts";
import type { Arch, LanguageArch, StepOptions } from "../../train/index.ts";
import { numberList, numberValue, positiveInteger, seedValue } from "../flags.ts";
import { addPrivateFlags, checkPrivateFlags, type PrivateFlags } from "../privacy/train-private.ts";
import { addTableFlags, type TableFlags } from "../table-flags.ts";

export interface TrainFlags extends TableFlags, PrivateFlags {
  data: string;
  arch?: Arch | LanguageArch;
  model?: string;
  output?: string;
  batchNorm?: "frozen" | "affine";
  test?: string;
  testLabels?: string;
  holdOut: number;
  seed: number;
  threads?: number;
  checkpoint?: string;
  out: string;
  json?: boolean;
  quiet?: boolean;
  // Steps.
  epochs?: number;
  batch?: number;
  learningRate?: number;
  optimizer?: "sgd" | "adam" | "adamw";
  momentum?: number;
  nesterov?: boolean;
  weightDecay?: number;
  decayed?: StepOptions["decayed"];
  schedule?: StepOptions["schedule"];
  warmUp?: number;
  ema?: number;
  // Classifiers.
  loss?: StepOptions["loss"];
  labelSmoothing?: number;
  shift?: number;
  flip?: boolean;
  hidden?: number[];
  channels?: number[];
  blocks?: number;
  // Text.
  contextLength?: number;
  width?: number;
  layers?: number;
  heads?: number;
  embedding?: number;
  tied?: boolean;
  vocabulary?: string;
  lines?: boolean;
}

/** What a private training of a classifier decides itself. */
const ofPlainClassifiers = ["loss", "labelSmoothing", "shift", "flip", "hidden", "channels", "blocks"] as const;
const ofClassifiers = [...ofPlainClassifiers, "testLabels"] as const;
const ofTables = ["labels", "label", "groups", "rowId", "ignore", "missing"] as const;
const ofText = ["contextLength", "width", "layers", "heads", "embedding", "tied", "vocabulary", "lines"] as const;
const ofModels = ["output", "batchNorm"] as const;
/** What a private training decides itself. */
const ofPlainSteps = ["optimizer", "weightDecay", "decayed", ...ofPlainClassifiers] as const;

export function addTrainFlags(command: Command): Command {
  return addPrivateFlags(addPlainFlags(command).optionsGroup("Differential privacy:"));
}

function addPlainFlags(command: Command): Command {
  command.requiredOption(
    "--data <path>",
    "training data: .npz, idx(.gz), .csv, .parquet, .jsonl, a folder of images; for char-lstm and gpt a text",
  );
  return addTableFlags(command)
    .addOption(
      new Option("--arch <arch>", "architecture to build").choices([...architectures, ...languageArchitectures]),
    )
    .option("--model <user.onnx>", "in place of --arch: train this model further, from the weights that it has")
    .option("--output <name>", "with --model: the output that holds the scores, where it has several")
    .addOption(
      new Option(
        "--batch-norm <what>",
        "with --model: BatchNormalization keeps its mean and variance; its scale and bias stay (frozen) or are trained (affine)",
      ).choices(["frozen", "affine"]),
    )
    .option("--test <path>", "test data; without it a part of the data is held out")
    .option("--test-labels <path>", "labels of --test in a file of their own")
    .option("--hold-out <share>", "share held out when there is no --test; of a text its end", numberValue, 0.1)
    .optionsGroup("Steps (what is left out gets a default that fits the architecture and the size of the data):")
    .option("--epochs <n>", "passes over the data", positiveInteger)
    .option("--batch <n>", "examples per step", positiveInteger)
    .option("--learning-rate <rate>", "peak learning rate", numberValue)
    .addOption(
      new Option("--optimizer <id>", "adamw keeps the decay of weights beside the step (default)").choices([
        "sgd",
        "adam",
        "adamw",
      ]),
    )
    .option("--momentum <share>", "of sgd (default: 0.9)", numberValue)
    .option("--nesterov", "sgd looks ahead")
    .option("--weight-decay <rate>", "decay of weights", numberValue)
    .addOption(
      new Option("--decayed <what>", "what decays: all, or weights without biases").choices(["all", "weights"]),
    )
    .addOption(
      new Option("--schedule <id>", "course of the learning rate (default: cosine)").choices([
        "constant",
        "cosine",
        "step",
        "one-cycle",
      ]),
    )
    .option("--warm-up <share>", "share of the steps over which the rate rises", numberValue)
    .option(
      "--clip <norm>",
      "largest norm of a step's gradient; with --dp of each record's (default there: 0.1)",
      numberValue,
    )
    .option("--ema <decay>", "end with a moving average of the weights of this decay, for instance 0.999", numberValue)
    .optionsGroup("Classifiers:")
    .addOption(new Option("--loss <id>", "loss (default: cross-entropy)").choices(rowLosses))
    .option("--label-smoothing <share>", "share of each label that is spread over all classes", numberValue)
    .option("--shift <pixels>", "augmentation: images shift by up to so many pixels, anew in each epoch", seedValue)
    .option("--flip", "augmentation: half of the images are mirrored, anew in each epoch")
    .option("--hidden <widths>", "widths of the hidden dense layers, for instance 64,64", numberList)
    .option("--channels <numbers>", "channels of the convolutions of cnn, or of the stages of resnet", numberList)
    .option("--blocks <n>", "residual blocks in each stage of resnet (default: 2)", positiveInteger)
    .optionsGroup("Text:")
    .option(
      "--context-length <n>",
      "tokens that are predicted in one example (default: 64, or as the model of --model was trained)",
      positiveInteger,
    )
    .option("--width <n>", "width of the layers (default: char-lstm 256, gpt 128)", positiveInteger)
    .option("--layers <n>", "number of layers (default: char-lstm 1, gpt 4)", positiveInteger)
    .option("--heads <n>", "heads of attention (gpt; default: 4)", positiveInteger)
    .option("--embedding <n>", "width of the table of tokens (char-lstm; default: 64)", positiveInteger)
    .option("--tied", "one table for tokens in and out (gpt)")
    .option(
      "--vocabulary <what>",
      "text: the characters of the data (default, but with --model its own); bytes; or a file whose characters are the vocabulary",
    )
    .option("--lines", "each line is an example of its own, and the context fits the longest")
    .optionsGroup("The run:")
    .option("--seed <n>", "seed of initial weights and order", seedValue, 0)
    .option("--threads <n>", "1 makes the result the same to the bit on every run", positiveInteger)
    .option("--checkpoint <folder>", "keep the training there while it runs; the same command goes on where it stopped")
    .requiredOption("--out <model.onnx>", "where the model goes")
    .option("--json", "print JSON")
    .option("--quiet", "no progress on stderr");
}

export const isText = (arch: TrainFlags["arch"]): arch is LanguageArch =>
  (languageArchitectures as readonly string[]).includes(arch ?? "");

/** Throws USAGE where it is not said what is trained. */
export function checkWhatIsTrained(flags: TrainFlags): void {
  if ((flags.arch === undefined) === (flags.model === undefined)) {
    throw new MarauderError(
      "USAGE",
      "say what is trained: --arch <arch> to build a model, or --model <user.onnx> to train one further, not both",
    );
  }
}

/** Throws USAGE for flags that do not go together, OPTION_RANGE for a share that is none. `text`: the model is one of text. */
export function checkTrainFlags(flags: TrainFlags, text: boolean): void {
  checkPrivateFlags(flags);
  const misplaced = (names: readonly (keyof TrainFlags)[], what: string): void => {
    const found = names.find((name) => flags[name] !== undefined);
    if (found === undefined) return;
    const flag = `--${found.replaceAll(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}`;
    throw new MarauderError("USAGE", `${flag} is for ${what}; leave it out`);
  };
  if (text) misplaced([...ofClassifiers, ...ofTables, ...ofModels], "classifiers, not for a model of text");
  else misplaced(ofText, "char-lstm and gpt");
  if (flags.model === undefined) misplaced(ofModels, "--model");
  if (flags.dp === true) {
    misplaced(text ? ofPlainSteps.filter((name) => name !== "optimizer") : ofPlainSteps, "trainings without --dp");
    if (text) {
      misplaced(["lastLayers", "bounds"], "classifiers");
      if (flags.lines !== true)
        throw new MarauderError(
          "USAGE",
          "--dp protects records, and it is not said what a record of this text is: add --lines, with one record on each line",
        );
    }
  }
  if (!(flags.holdOut > 0 && flags.holdOut < 1)) {
    throw new MarauderError("OPTION_RANGE", `--hold-out must lie between 0 and 1, got ${flags.holdOut}`);
  }
}

/** The options of the steps that were given. With adam the decay is added to the gradient, as papers have it, and 0 unless said. */
export function stepOptions(flags: TrainFlags): Partial<Omit<StepOptions, "loss">> {
  const { epochs, batch, learningRate, momentum, nesterov, weightDecay, decayed, schedule, warmUp, clip, ema } = flags;
  return {
    epochs,
    batch,
    learningRate,
    momentum,
    nesterov,
    weightDecay,
    decayed,
    schedule,
    warmUp,
    clipNorm: clip,
    ema,
    ...(flags.optimizer !== undefined && { optimizer: flags.optimizer === "sgd" ? "sgd" : "adam" }),
    ...(flags.optimizer === "adam" && { decay: "l2", weightDecay: weightDecay ?? 0 }),
  } as Partial<Omit<StepOptions, "loss">>;
}
