// One private training on MNIST; prints one JSON line.
// Usage: node bench/private/mnist.mjs DATA-FOLDER '{"model":"cnn","epsilon":2.93,"batch":512,"epochs":40,...}'
import { performance } from "node:perf_hooks";
import { openDataset } from "../../dist/data/index.js";
import { ortEngine } from "../../dist/engine/index.js";
import { seeded } from "../../dist/random/index.js";
import { float32 } from "../../dist/tensor/index.js";
import { calibratePlan, makePrivateTrainer, privateCnn } from "../../dist/train/index.js";

const [folder, text] = process.argv.slice(2);
const { model = "cnn", epsilon, batch, epochs, clip, seed = 0, evaluate = 0, steps, ...options } = JSON.parse(text);
const open = (name) =>
  openDataset(`${folder}/${name}-images-idx3-ubyte.gz`, { labels: `${folder}/${name}-labels-idx1-ubyte.gz` });
const [train, test] = [await open("train"), await open("t10k")];
const images = (d) => float32([d.size, 1, 28, 28], d.features.data);
const oneHot = (d) => {
  const out = new Float32Array(d.size * 10);
  d.labels.forEach((k, i) => (out[i * 10 + k] = 1));
  return float32([d.size, 10], out);
};
const top = Math.max(...train.features.data.subarray(0, 7840));
const t0 = performance.now();
const plan = calibratePlan({ records: train.size, batch, epochs, targetEpsilon: epsilon, delta: 1e-5, clip });
const calibrated = performance.now() - t0;
console.error(
  `sigma ${plan.sigma.toFixed(4)}, ${plan.steps} steps, cap ${plan.cap}, epsilon ${plan.epsilon.toFixed(5)}, calibrated in ${(calibrated / 1000).toFixed(1)} s`,
);
const trainable = privateCnn({
  inputShape: [1, 28, 28],
  classes: 10,
  rng: seeded(seed).child("init"),
  bounds: [0, top > 1 ? 255 : 1],
});
const examples = { features: images(train), targets: oneHot(train) };
const { encodeModel } = await import("../../dist/ir/index.js");
void encodeModel;
const start = performance.now();
let last = start;
const stop = steps === undefined ? new AbortController().signal : AbortSignal.timeout(1e9);
const context = {
  rng: seeded(seed),
  signal: stop,
  step(done, of) {
    if (performance.now() - last < 20000 && done !== 10) return;
    last = performance.now();
    console.error(`step ${done} of ${of}, ${((last - start) / done).toFixed(1)} ms a step`);
  },
};
const score = async (parameters) => {
  const { openPrograms } = await import("../../dist/train/index.js");
  const programs = openPrograms(ortEngine, trainable, undefined);
  const x = images(test);
  let right = 0;
  for (let from = 0; from < 10000; from += 500) {
    const part = float32([500, 1, 28, 28], x.data.subarray(from * 784, (from + 500) * 784));
    const { data } = await programs.forward(parameters, {}, part, "logits");
    for (let i = 0; i < 500; i++) {
      const row = data.subarray(i * 10, i * 10 + 10);
      let best = 0;
      for (let k = 1; k < 10; k++) if (row[k] > row[best]) best = k;
      if (best === test.labels[from + i]) right++;
    }
  }
  await programs.close();
  return right / 10000;
};
const trainer = makePrivateTrainer(ortEngine, { threads: 2 });
const pending = [];
const result = await trainer(trainable, examples, plan, options, context, {
  step(done, parameters) {
    if (evaluate && done % evaluate === 0)
      pending.push(score(parameters).then((a) => console.error(`  step ${done}: test ${(100 * a).toFixed(2)} %`)));
  },
});
await Promise.all(pending);
const seconds = (performance.now() - start) / 1000;
console.log(
  JSON.stringify({
    model,
    epsilon: result.epsilon,
    sigma: plan.sigma,
    steps: plan.steps,
    batch,
    epochs,
    clip,
    seed,
    ...options,
    accuracy: await score(result.parameters),
    seconds: +seconds.toFixed(1),
    peakMiB: Math.round(process.resourceUsage().maxRSS / 1024),
  }),
);
