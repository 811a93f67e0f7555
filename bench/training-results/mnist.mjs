// The MNIST CNN on all cores: accuracy on the 10 000 test images, wall time and processor time of the training, by seed.
// Usage: node bench/training-results/mnist.mjs FOLDER OUT.json [SEED,SEED,...] [OPTIONS as JSON] [MODEL.onnx]
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { asImages, countCorrect } from "../../dist/audit/train-model.js";
import { runContext } from "../../dist/context.js";
import { openDataset } from "../../dist/data/index.js";
import { ortEngine } from "../../dist/engine/ort-node.js";
import { saveModel } from "../../dist/ir/index.js";
import { wilson } from "../../dist/stats/index.js";
import { makeTrainer } from "../../dist/train/index.js";

const [folder, out, seeds = "0", json = "{}", onnx] = process.argv.slice(2);
const options = {
  arch: "cnn",
  channels: [16, 32],
  hidden: [128],
  epochs: 6,
  batch: 64,
  learningRate: 4e-3,
  schedule: "one-cycle",
  augment: { shift: 2, flip: false },
  ...JSON.parse(json),
};
const train = asImages(await openDataset(join(folder, "train-images-idx3-ubyte.gz")));
const test = asImages(await openDataset(join(folder, "t10k-images-idx3-ubyte.gz")));
const runs = [];
for (const seed of seeds.split(",").map(Number)) {
  const trainer = makeTrainer(ortEngine);
  const started = performance.now();
  const before = process.cpuUsage();
  let said = 0;
  const step = (done, of, note) => {
    if (performance.now() - said > 10_000) console.error(`${done}/${of} ${note}`);
    if (performance.now() - said > 10_000) said = performance.now();
  };
  const model = await trainer(train, options, runContext({ seed, step }));
  const used = process.cpuUsage(before);
  const wallSeconds = (performance.now() - started) / 1000;
  const right = await countCorrect(model, test);
  if (onnx !== undefined && runs.length === 0) await saveModel(model.model, onnx);
  const interval = wilson(right, test.size);
  runs.push({ seed, accuracy: interval, wallSeconds, cpuSeconds: (used.user + used.system) / 1e6 });
  console.error(JSON.stringify(runs.at(-1)));
  writeFileSync(out, JSON.stringify({ options, runs }, null, 2) + "\n");
  await model.close();
  await trainer.close();
}
console.log(JSON.stringify({ options, runs }, null, 2));
