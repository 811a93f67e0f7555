import type { RunContext } from "../../context.ts";
import type { Dataset } from "../../data/dataset.ts";
import { MarauderError } from "../../errors.ts";
import type { Rng } from "../../random/rng.ts";
import type { Bounds } from "../../target/target.ts";
import { float32, type Tensor } from "../../tensor/index.ts";
import type { Batch, InputGradient, TrainedModel, Trainer, TrainOptions } from "../../train/trainer.ts";
import { resolveTrainOptions } from "../../train/train-options.ts";
import type { Defense } from "../defense.ts";

/** Robust training needs more passes than plain training: the default number of epochs is multiplied by this. */
const LONGER = 2;

/** What is trained, and with what; the defense replaces the inputs of each batch. */
export interface AdversarialTrainingSubject {
  readonly data: Dataset;
  readonly trainer: Trainer;
  readonly train: Partial<TrainOptions>;
  /** The legal range of the inputs; what the adversary makes stays inside. */
  readonly bounds: Bounds;
}

export interface AdversarialTrainingOptions {
  readonly eps: number;
  readonly steps: number;
  readonly relStep: number;
  readonly randomStart: boolean;
  readonly mix: number;
  readonly warmUp: number;
}

export const adversarialTraining: Defense<AdversarialTrainingOptions, AdversarialTrainingSubject, TrainedModel> = {
  id: "adversarial-training",
  kind: "training",
  risks: ["evasion"],
  title: "Adversarial training by PGD",
  summary:
    "Trains on the worst inputs that projected gradient descent finds within a budget around each row, so that the model learns to withstand them. Costs clean accuracy and several times the training time.",
  paper: {
    authors: "Madry, Makelov, Schmidt, Tsipras, Vladu",
    year: 2018,
    title: "Towards deep learning models resistant to adversarial attacks",
    url: "https://arxiv.org/abs/1706.06083",
    section: "2.1",
  },
  differences: [
    "steps and step length are those of the paper's CIFAR-10 models (7 steps of eps / 4) for all data; its MNIST models used 40 steps of eps / 30",
    "the budget grows over the first part of the training (warmUp 0 gives the paper's form): a small network does not start to learn under the full budget",
    "twice the epochs of plain training, and Adam with a cosine learning rate unless the training options say otherwise",
  ],
  needs: ["train"],
  options: {
    eps: {
      type: "float",
      default: 0.3,
      min: 0,
      max: 1e6,
      doc: "Budget: largest change of each input (linf), in the units of the inputs.",
    },
    steps: { type: "int", default: 7, min: 1, max: 1000, doc: "Gradient steps on each batch." },
    relStep: { type: "float", default: 0.25, min: 1e-6, max: 2, doc: "Length of a step, as a fraction of eps." },
    randomStart: { type: "boolean", default: true, doc: "Start from a random point of the budget." },
    mix: { type: "float", default: 0, min: 0, max: 1, doc: "Share of the rows of each batch that stay clean." },
    warmUp: {
      type: "float",
      default: 0.3,
      min: 0,
      max: 1,
      doc: "Share of the training in which the budget grows from 0 to eps.",
    },
  },
  async apply(context, { data, trainer, train, bounds }, options) {
    checkBounds(data, bounds);
    const starts = context.rng.child("adversarial-training");
    const batch = (given: Batch, inputGradient: InputGradient): Promise<Tensor<"float32">> =>
      worstInputs(given, inputGradient, starts.child(given.step), bounds, options, context);
    const plain = resolveTrainOptions(train, data.size, data.features.dims.slice(1));
    const epochs = train.epochs ?? LONGER * plain.epochs;
    return trainer(data, { ...train, epochs }, context, { batch });
  },
};

/** Projected gradient ascent on the cross-entropy from each row of a batch; linf. */
async function worstInputs(
  { features, targets, step, steps }: Batch,
  inputGradient: InputGradient,
  rng: Rng,
  bounds: Bounds,
  options: AdversarialTrainingOptions,
  context: RunContext,
): Promise<Tensor<"float32">> {
  const clean = features.data;
  const [n = 0] = features.dims;
  const width = n === 0 ? 0 : clean.length / n;
  const rise = options.warmUp * steps;
  const eps = options.eps * (step < rise ? (step + 1) / (rise + 1) : 1);
  const length = options.relStep * eps;
  const low = clean.map((v) => Math.max(bounds.low, v - eps));
  const high = clean.map((v) => Math.min(bounds.high, v + eps));
  for (const row of rng.child("clean").choose(n, Math.round(options.mix * n))) {
    const own = clean.subarray(row * width, (row + 1) * width);
    low.set(own, row * width);
    high.set(own, row * width);
  }
  const x = clean.slice();
  if (options.randomStart) {
    const noise = new Float32Array(x.length);
    rng.child("start").fillUniform(noise, -eps, eps);
    for (let i = 0; i < x.length; i++) x[i] = Math.min(high[i]!, Math.max(low[i]!, x[i]! + noise[i]!));
  }
  const moved = float32(features.dims, x);
  for (let k = 0; k < options.steps && !context.signal.aborted; k++) {
    const gradient = await inputGradient(moved, targets);
    for (let i = 0; i < x.length; i++) {
      const to = x[i]! + length * Math.sign(gradient[i]!);
      x[i] = Math.min(high[i]!, Math.max(low[i]!, to));
    }
  }
  return moved;
}

function checkBounds(data: Dataset, { low, high }: Bounds): void {
  const x = data.features.data;
  if (!(low < high)) {
    throw new MarauderError("OPTION_RANGE", `input bounds must be two growing numbers, got ${low} and ${high}`);
  }
  for (let i = 0; i < x.length; i++) {
    if (x[i]! < low || x[i]! > high) {
      const row = data.rowIds[Math.floor((i * data.size) / x.length)];
      throw new MarauderError(
        "DATA_INVALID",
        `row ${row} of data set ${JSON.stringify(data.name)} has the value ${x[i]}, which is outside the input bounds ` +
          `${low} to ${high}; scale the data, or give the bounds that the model is used with`,
        { details: { row } },
      );
    }
  }
}
