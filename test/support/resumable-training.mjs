// Trains a small network, or a small language model, with checkpoints in the folder given (none: without), says when it
// begins, and prints a digest of the weights. Run on its own, so that a test can kill it.
// Usage: node resumable-training.mjs [FOLDER [EVERY [char-lstm|gpt]]]; FOLDER may be "-"
import { createHash } from "node:crypto";
import { ortEngine } from "../../dist/engine/index.js";
import { seeded } from "../../dist/random/index.js";
import { float32 } from "../../dist/tensor/index.js";
import { characterVocabulary } from "../../dist/data/index.js";
import { checkpointFolder, makeLanguageTrainer, makeTrainer, windows } from "../../dist/train/index.js";

const [folder = "-", every = "20", language] = process.argv.slice(2);
const rng = seeded(5);
const size = 300;
const x = new Float32Array(size * 4);
rng.fillNormal(x);
const data = {
  name: "points",
  size,
  features: float32([size, 4], x),
  labels: Int32Array.from({ length: size }, (_, i) => (x[4 * i] * x[4 * i + 1] > 0 ? 1 : 0)),
  classNames: ["a", "b"],
  rowIds: Array.from({ length: size }, (_, i) => String(i)),
  groups: {},
  storedAs: "float32",
  schema: null,
  table: null,
};
const train = (language === undefined ? makeTrainer : makeLanguageTrainer)(ortEngine, { threads: 1 });
const checkpoint = folder === "-" ? {} : { checkpoint: { store: checkpointFolder(folder), everySteps: Number(every) } };
const context = {
  rng: rng.child("run"),
  signal: new AbortController().signal,
  step: (done, of) => process.stdout.write(`step ${done} of ${of}\n`),
};
const options = { arch: "mlp", hidden: [64, 64], epochs: 250, batch: 32, momentum: 0.9, ema: 0.99, clipNorm: 1 };
const text = Array.from({ length: 800 }, () => "abcd"[rng.int(4)]).join("");
const sequences = windows(text, characterVocabulary("abcd"), { context: 8 });
const spoken = { arch: language, width: 16, embedding: 8, layers: 1, heads: 2, epochs: 60, batch: 25, ema: 0.9 };
try {
  const trained =
    language === undefined
      ? await train(data, options, context, checkpoint)
      : await train(sequences, spoken, context, checkpoint);
  const hash = createHash("sha256");
  for (const value of trained.model.graph.constants.values()) {
    if (value.dtype === "float32")
      hash.update(new Uint8Array(value.data.buffer, value.data.byteOffset, value.data.byteLength));
  }
  process.stdout.write(`weights ${hash.digest("hex")}\n`);
} catch (error) {
  process.stdout.write(`failed ${error.code}: ${error.message}\n`);
}
await train.close();
