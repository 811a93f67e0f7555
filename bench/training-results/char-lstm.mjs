// A character model of tiny Shakespeare on one thread, and its loss on the last tenth of the text.
// Usage: node bench/training-results/char-lstm.mjs TEXT OUT.json [OPTIONS as JSON] [MODEL.onnx]
// The vocabulary is that of the whole text (65 characters), as everyone takes it.
import { readFileSync, writeFileSync } from "node:fs";
import { runContext } from "../../dist/context.js";
import { ortEngine } from "../../dist/engine/ort-node.js";
import { saveModel } from "../../dist/ir/index.js";
import { encodeText, vocabularyOf } from "../../dist/data/index.js";
import { heldOutLoss, makeLanguageTrainer, windows } from "../../dist/train/index.js";

const [path, out, json = "{}", onnx] = process.argv.slice(2);
const { seed = 0, context = 64, ...given } = JSON.parse(json);
const options = {
  arch: "char-lstm",
  width: 256,
  layers: 1,
  embedding: 64,
  batch: 32,
  epochs: 6,
  learningRate: 4e-3,
  ...given,
};
const text = readFileSync(path, "utf8");
const vocabulary = vocabularyOf(text);
const cut = Math.floor(0.9 * text.length);
const data = windows(text.slice(0, cut), vocabulary, { context, name: "tiny Shakespeare" });
const held = encodeText(vocabulary, text.slice(cut));

const train = makeLanguageTrainer(ortEngine, { threads: 1 });
const started = performance.now();
const before = process.cpuUsage();
const curve = [];
let said = 0;
const step = (done, of, note) => {
  if (done % Math.ceil(data.starts.length / options.batch) === 0) curve.push(note);
  const now = performance.now();
  if (now - said < 20_000) return;
  said = now;
  console.error(`${((now - started) / 60_000).toFixed(1)} min  ${done}/${of}  ${note}`);
};
const model = await train(data, options, runContext({ seed, step }));
const used = process.cpuUsage(before);
const seconds = (performance.now() - started) / 1000;
const short = await heldOutLoss(model, held, { run: context + 1, overlap: 0 });
const long = await heldOutLoss(model, held, { run: 513, overlap: 256 });
if (onnx !== undefined) await saveModel(model.model, onnx);
const result = {
  options: { seed, context, ...options },
  trainTokens: cut,
  heldOutTokens: held.length,
  wallSeconds: seconds,
  cpuSeconds: (used.user + used.system) / 1e6,
  heldOutNatsFromNothing: short,
  heldOutNatsAfter256: long,
  curve,
};
writeFileSync(out, JSON.stringify(result, null, 2) + "\n");
console.log(JSON.stringify(result, null, 2));
await model.close();
await train.close();
