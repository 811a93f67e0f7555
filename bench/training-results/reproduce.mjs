// The same training twice with one thread and twice with two: are the weights the same to the bit, and if not how far apart?
// Usage: node bench/training-results/reproduce.mjs DATA_FOLDER OUT.json
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { asImages } from "../../dist/audit/train-model.js";
import { runContext } from "../../dist/context.js";
import { openDataset, take, vocabularyOf } from "../../dist/data/index.js";
import { ortEngine } from "../../dist/engine/ort-node.js";
import { makeLanguageTrainer, makeTrainer, windows } from "../../dist/train/index.js";

const [folder, out] = process.argv.slice(2);
const digits = asImages(await openDataset(join(folder, "mnist/train-images-idx3-ubyte.gz")));
const some = take(
  digits,
  Array.from({ length: 4000 }, (_, i) => i),
);
const asked = take(
  digits,
  Array.from({ length: 1000 }, (_, i) => 50_000 + i),
);
const text = readFileSync(join(folder, "text/tinyshakespeare.txt"), "utf8");
const vocabulary = vocabularyOf(text);
const data = windows(text.slice(0, 40_000), vocabulary, { context: 32 });
const questions = windows(text.slice(-10_000), vocabulary, { context: 32 });

const classifier = (options) => async (threads) => {
  const trainer = makeTrainer(ortEngine, { threads });
  const model = await trainer(some, options, runContext({ seed: 1 }));
  const logits = await model.logits(asked);
  await trainer.close();
  return { model: model.model, logits, width: 10 };
};
const language = (options) => async (threads) => {
  const trainer = makeLanguageTrainer(ortEngine, { threads });
  const model = await trainer(data, { batch: 32, epochs: 2, ...options }, runContext({ seed: 1 }));
  const rows = [...questions.starts].map((start) => questions.tokens.subarray(start, start + 32));
  const logits = Float32Array.from((await model.logits(rows)).flatMap((row) => [...row]));
  await trainer.close();
  await model.close();
  return { model: model.model, logits, width: vocabulary.size };
};
const trainings = {
  "cnn, 4000 digits, 2 epochs": classifier({ arch: "cnn", epochs: 2, batch: 64 }),
  "resnet, 4000 digits, 1 epoch": classifier({ arch: "resnet", channels: [8, 16], blocks: 1, epochs: 1, batch: 64 }),
  "char-lstm, 2 epochs": language({ arch: "char-lstm", width: 128 }),
  "gpt, 2 epochs": language({ arch: "gpt", width: 64, layers: 2 }),
};

const weightsOf = ({ model }) =>
  Float64Array.from(
    [...model.graph.constants.values()]
      .filter((c) => c.dtype === "float32" && c.dims.length > 0)
      .flatMap((c) => [...c.data]),
  );
const best = ({ logits, width }) =>
  Array.from({ length: logits.length / width }, (_, i) => {
    const row = logits.subarray(i * width, (i + 1) * width);
    return row.indexOf(row.reduce((a, b) => Math.max(a, b)));
  });
function compare(a, b) {
  const [x, y] = [weightsOf(a), weightsOf(b)];
  const apart = x.map((v, i) => v - y[i]);
  const [p, q] = [best(a), best(b)];
  return {
    equalBits: x.every((v, i) => Object.is(v, y[i])),
    largestDifference: apart.reduce((m, v) => Math.max(m, Math.abs(v)), 0),
    relativeDistance: Math.hypot(...apart) / Math.hypot(...x),
    answersThatDiffer: p.filter((k, i) => k !== q[i]).length / p.length,
  };
}

const result = {};
for (const [name, train] of Object.entries(trainings)) {
  const one = await train(1);
  const two = await train(2);
  result[name] = {
    "1 thread, again": compare(one, await train(1)),
    "2 threads, again": compare(two, await train(2)),
    "2 threads against 1": compare(one, two),
  };
  console.error(name, JSON.stringify(result[name]));
}
writeFileSync(out, JSON.stringify(result, null, 2) + "\n");
