// Trains each architecture a little, and a file of another producer further; keeps the exported files, inputs and the
// answers of Marauder, for check_export.py. Usage: node bench/training-results/export.mjs OUT_FOLDER USER_MODEL.onnx
// USER_MODEL takes [N, 1, 28, 28], for instance a PyTorch export for MNIST.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runContext } from "../../dist/context.js";
import { npzBytes, vocabularyOf } from "../../dist/data/index.js";
import { ortEngine } from "../../dist/engine/ort-node.js";
import { loadModel, saveModel } from "../../dist/ir/index.js";
import { seeded } from "../../dist/random/index.js";
import { float32, sizeOf } from "../../dist/tensor/index.js";
import { makeLanguageTrainer, makeTrainer, trainableOf, windows } from "../../dist/train/index.js";

const [folder, user] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });
const random = (dims, label) => {
  const data = new Float32Array(sizeOf(dims));
  seeded(1).child(label).fillNormal(data);
  return float32(dims, data);
};
const dataset = (shape, classes) => ({
  name: "noise",
  size: 60,
  features: random([60, ...shape], shape.join()),
  labels: Int32Array.from({ length: 60 }, (_, i) => i % classes),
  classNames: Array.from({ length: classes }, (_, i) => `c${i}`),
  rowIds: Array.from({ length: 60 }, (_, i) => String(i)),
  groups: {},
  storedAs: "float32",
  schema: null,
  table: null,
});
const keep = async (name, model, input, logits, dims) => {
  await saveModel(model, join(folder, `${name}.onnx`));
  writeFileSync(join(folder, `${name}.npz`), npzBytes({ input, logits: { dims, data: logits } }));
};
for (const [arch, shape] of [
  ["logistic", [9]],
  ["mlp", [9]],
  ["cnn", [3, 16, 16]],
  ["resnet", [3, 16, 16]],
]) {
  const trainer = makeTrainer(ortEngine);
  const data = dataset(shape, 4);
  const model = await trainer(data, { arch, epochs: 2 }, runContext());
  await keep(arch, model.model, data.features, await model.logits(data), [60, 4]);
  await trainer.close();
}
const start = trainableOf(await loadModel(user));
const further = makeTrainer(ortEngine, { start });
const data = dataset([1, 28, 28], 10);
const model = await further(data, { epochs: 2, batch: 20 }, runContext());
await keep("user-further", model.model, data.features, await model.logits(data), [60, 10]);
await further.close();

const text = "a man, a plan, a canal: panama. ".repeat(30);
for (const arch of ["char-lstm", "gpt"]) {
  const trainer = makeLanguageTrainer(ortEngine);
  const examples = windows(text, vocabularyOf(text), { context: 12 });
  const lm = await trainer(examples, { arch, width: 32, layers: 2, epochs: 2 }, runContext());
  const rows = Array.from(examples.starts.subarray(0, 20), (at) => examples.tokens.subarray(at, at + 9));
  const logits = Float32Array.from((await lm.logits(rows)).flatMap((row) => [...row]));
  const input = { dims: [20, 9], data: BigInt64Array.from(rows.flatMap((row) => [...row].map(BigInt))) };
  await keep(arch, lm.model, input, logits, [20, 9, lm.vocabulary.size]);
  await lm.close();
  await trainer.close();
}
