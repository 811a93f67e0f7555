import { badnets } from "../../attacks/poisoning/index.ts";
import { annotated, asImages, trainAnnotated } from "../../audit/train-model.ts";
import {
  csvText,
  drawDigits,
  makeAnimals,
  makeTransactions,
  openDataset,
  writeTable,
  type Dataset,
} from "../../data/index.ts";
import { lookUntilNothing } from "../../defenses/data/index.ts";
import { adversarialTraining } from "../../defenses/training/index.ts";
import { ortEngine } from "../../engine/ort-node.ts";
import { writeAtomically } from "../../files.ts";
import { saveModel } from "../../ir/index.ts";
import { defaultsOf } from "../../options.ts";
import { makeTrainer, type OpenTrainer, type TrainedModel } from "../../train/index.ts";
import type { Workshop } from "./workshop.ts";

/** How much data the demo makes. */
export interface Sizes {
  readonly train: number;
  readonly test: number;
  /** Rows that are trusted to be clean: the sanitizer compares with them. */
  readonly trusted: number;
  readonly transactions: number;
  readonly hardenEpochs: number;
}

/** The class that the planted trigger calls, and the share of the rows that carry it. */
export const TARGET = 7;
const PLANTED = 0.01;

/** Linf budget that the hardened model is trained for, of 255. */
const HARDEN_EPS = 40;

/** Draws the data, trains the models, poisons a copy: everything that the demo audits, as ordinary files. */
export async function makeSubjects(shop: Workshop, sizes: Sizes): Promise<void> {
  const trainer = makeTrainer(ortEngine);
  try {
    await digits(shop, sizes, trainer);
    await poisonedDigits(shop, trainer);
    await transactions(shop, sizes, trainer);
    await animals(shop, trainer);
  } finally {
    await trainer.close();
  }
}

const images = async (shop: Workshop, name: string): Promise<Dataset> => asImages(await openDataset(shop.path(name)));

async function digits(shop: Workshop, { train, test, trusted }: Sizes, trainer: OpenTrainer): Promise<void> {
  await shop.step("draw digits", ["digits-train.npz", "digits-test.npz", "digits-trusted.npz"], async ({ rng }) => {
    await writeTable(drawDigits(train, rng.child("train"), { prefix: "train-" }), shop.path("digits-train.npz"));
    await writeTable(drawDigits(test, rng.child("test"), { prefix: "test-" }), shop.path("digits-test.npz"));
    const clean = drawDigits(trusted, rng.child("trusted"), { prefix: "trusted-" });
    await writeTable(clean, shop.path("digits-trusted.npz"));
  });
  await shop.step("train a CNN on the digits", ["digits.onnx"], async (context) => {
    const data = await images(shop, "digits-train.npz");
    await saveModel(await trainAnnotated(trainer, data, { arch: "cnn" }, context), shop.path("digits.onnx"));
  });
}

async function poisonedDigits(shop: Workshop, trainer: OpenTrainer): Promise<void> {
  const files = ["digits-train-poisoned.npz", "digits-test-triggered.npz", "digits-planted-rows.json"];
  await shop.step("poison a copy of the digits", files, async (context) => {
    const data = await images(shop, "digits-train.npz");
    const options = { ...defaultsOf(badnets.options), target: TARGET, fraction: PLANTED };
    const poisoned = await badnets.run(context, { data, bounds: { low: 0, high: 255 } }, options);
    await writeTable(poisoned.data, shop.path(files[0]!));
    await writeTable(poisoned.plant(await images(shop, "digits-test.npz")), shop.path(files[1]!));
    await writeAtomically(
      shop.path(files[2]!),
      JSON.stringify({ planted: poisoned.rowIds, ...poisoned.counts }) + "\n",
    );
  });
  await shop.step("train a CNN on the poisoned copy", ["digits-poisoned.onnx"], async (context) => {
    const data = await images(shop, "digits-train-poisoned.npz");
    await saveModel(await trainAnnotated(trainer, data, { arch: "cnn" }, context), shop.path("digits-poisoned.onnx"));
  });
}

async function transactions(shop: Workshop, { transactions: n }: Sizes, trainer: OpenTrainer): Promise<void> {
  await shop.step("make card transactions", ["payments-train.csv", "payments-test.csv"], async ({ rng }) => {
    const { header, rows } = makeTransactions(n, rng);
    const cut = Math.round(0.75 * n);
    await writeAtomically(shop.path("payments-train.csv"), csvText({ header, rows: rows.slice(0, cut) }));
    await writeAtomically(shop.path("payments-test.csv"), csvText({ header, rows: rows.slice(cut) }));
  });
  await shop.step("train a fraud model on the transactions", ["payments.onnx"], async (context) => {
    const data = await openDataset(shop.path("payments-train.csv"), { label: "fraud", groups: ["region"], id: "id" });
    await saveModel(await trainAnnotated(trainer, data, { arch: "mlp" }, context), shop.path("payments.onnx"));
  });
}

async function animals(shop: Workshop, trainer: OpenTrainer): Promise<void> {
  await shop.step("make the table of animals", ["animals.csv"], async () => {
    await writeAtomically(shop.path("animals.csv"), csvText(makeAnimals()));
  });
  await shop.step("train a model on the animals", ["animals.onnx"], async (context) => {
    const data = await openDataset(shop.path("animals.csv"), {
      label: "eggs",
      id: "animal",
      groups: ["kind"],
      ignore: ["kind"],
    });
    await saveModel(await trainAnnotated(trainer, data, { arch: "mlp" }, context), shop.path("animals.onnx"));
  });
}

/** Repairs what can be repaired: trains again on sanitized data, and trains the CNN on adversarial examples. */
export async function makeRepairs(shop: Workshop, sizes: Sizes): Promise<void> {
  const trainer = makeTrainer(ortEngine);
  try {
    await shop.step("sanitize the poisoned digits", ["digits-train-sanitized.npz"], async (context) => {
      const data = await images(shop, "digits-train-poisoned.npz");
      const trusted = await images(shop, "digits-trusted.npz");
      const train = (rows: Dataset): Promise<TrainedModel> => trainer(rows, { arch: "cnn" }, context);
      const model = await train(data);
      const looking = { detector: "spectral-signatures", reference: trusted, model, looks: 3, train };
      const { kept, model: last } = await lookUntilNothing(data, looking, context);
      await writeTable(kept, shop.path("digits-train-sanitized.npz"));
      await model.close();
      await last?.close();
    });
    await shop.step("train again on the sanitized digits", ["digits-sanitized.onnx"], async (context) => {
      const data = await images(shop, "digits-train-sanitized.npz");
      await saveModel(
        await trainAnnotated(trainer, data, { arch: "cnn" }, context),
        shop.path("digits-sanitized.onnx"),
      );
    });
    await shop.step("train the CNN on adversarial examples", ["digits-hardened.onnx"], async (context) => {
      const data = await images(shop, "digits-train.npz");
      const subject = {
        data,
        trainer,
        bounds: { low: 0, high: 255 },
        train: { arch: "cnn", epochs: sizes.hardenEpochs } as const,
      };
      const trained = await adversarialTraining.apply(context, subject, {
        ...defaultsOf(adversarialTraining.options),
        eps: HARDEN_EPS,
        // Three long steps harden as well as seven short ones here, in half the time (measured).
        steps: 3,
        relStep: 0.5,
      });
      await saveModel(annotated(trained, data, "cnn"), shop.path("digits-hardened.onnx"));
      await trained.close();
    });
  } finally {
    await trainer.close();
  }
}
