// Trains the models of the experiment and writes them into the folder of corpus.mjs; what is there already is kept.
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { encodeModel, makeLanguageTrainer, ortEngine, records, runContext } from "../../dist/index.js";
import {
  buildLanguageModel,
  calibratePlan,
  decodeCheckpoint,
  layoutOf,
  makePrivateTrainer,
  resolveLanguageOptions,
  tokensOf,
  unpack,
} from "../../dist/train/index.js";
import { architecture, CONTEXT, out, SEED, vocabulary } from "./corpus.mjs";

export const EPOCHS = 20;
export const SNAPSHOTS = [2, 6, EPOCHS];
export const EPSILONS = [1, 8];
export const PRIVATE = { batch: 128, epochs: 8, delta: 1e-5, clip: 1, learningRate: 5e-3 };
const BATCH = 32;

const file = (name) => join(out, name);
const context = (what) => {
  let said = 0;
  const step = (done, of, note) => {
    if (performance.now() - said < 15_000) return;
    said = performance.now();
    process.stderr.write(`${what}: ${done} of ${of} steps ${note ?? ""}\n`);
  };
  return runContext({ seed: SEED, step });
};
const sequences = (texts) => records(texts, vocabulary, { context: CONTEXT, name: "mail" });
const build = (size) => {
  const options = resolveLanguageOptions(architecture, size);
  const rng = context("").rng.child("init");
  return buildLanguageModel(options.arch, { ...options, vocabulary, context: CONTEXT, rng });
};
const note = (name, values) => writeFileSync(file(`${name}.json`), JSON.stringify(values, null, 1) + "\n");

/** Plain training; a file after some epochs, from one run with a constant rate, so that each is a prefix of the next. */
export async function trainPlain(texts) {
  if (existsSync(file("plain.json"))) return;
  const data = sequences(texts);
  const made = build(texts.length);
  writeFileSync(file("fresh.onnx"), encodeModel(made.exported));
  const perEpoch = Math.ceil(texts.length / BATCH);
  const store = {
    open: async () => ({
      read: async () => null,
      async write(bytes) {
        const { step, vectors } = decodeCheckpoint(bytes);
        if (!SNAPSHOTS.includes(step / perEpoch)) return;
        const model = unpack(made.exported, layoutOf(made.model, made.parameters), vectors[0]);
        writeFileSync(file(`plain-${step / perEpoch}.onnx`), encodeModel(model));
      },
      close: async () => {},
    }),
  };
  const started = performance.now();
  const train = makeLanguageTrainer(ortEngine, { threads: 1 });
  const options = { ...architecture, epochs: EPOCHS, batch: BATCH, schedule: "constant", learningRate: 3e-3 };
  const checkpoint = { store, everySteps: perEpoch, everyMs: 1e9 };
  const model = await train(data, options, context("plain"), { checkpoint });
  await model.close();
  await train.close();
  note("plain", { epochs: EPOCHS, batch: BATCH, learningRate: 3e-3, seconds: (performance.now() - started) / 1000 });
}

/** DP-SGD with noise from the system's generator. One record, a mail or one copy of a secret, is what is protected. */
export async function trainPrivate(texts, epsilon) {
  const name = `private-${epsilon}`;
  if (existsSync(file(`${name}.json`))) return;
  const { batch, epochs, delta, clip, learningRate } = PRIVATE;
  const plan = calibratePlan({ records: texts.length, batch, epochs, targetEpsilon: epsilon, delta, clip });
  const started = performance.now();
  const examples = tokensOf(sequences(texts), Array.from(texts.keys()));
  const options = { loss: "next-token", optimizer: "adam", learningRate, schedule: "cosine", rows: 32 };
  const train = makePrivateTrainer(ortEngine, { threads: 1 });
  const result = await train(build(texts.length), examples, plan, options, context(name));
  writeFileSync(file(`${name}.onnx`), encodeModel(result.model));
  const { steps, noise } = plan;
  const seconds = (performance.now() - started) / 1000;
  note(name, { ...PRIVATE, steps, sigma: result.sigma, epsilon: result.epsilon, noise, seconds });
}
