// One private training on MNIST from a JSON of settings; prints one JSON line (privacy, accuracy on the 10,000 test images, time, memory).
// Usage: node bench/private/mnist.mjs DATA-FOLDER CACHE-FOLDER '{"model":"cnn","epsilon":2.93,"batch":1024,"epochs":15,"clip":0.1,"learningRate":8}'
// Models: cnn (privateCnn), scattering (a linear head on fixed features; they are computed once and kept in CACHE-FOLDER).
// "meanSigma": the features are centred by a mean with so much noise, counted in epsilon.
// "steps": n stops after n steps and prints their time alone.
// "watch": n prints the test accuracy of the raw weights every n steps, to find settings; results are from runs without it.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { performance } from "node:perf_hooks";
import { openDataset } from "../../dist/data/index.js";
import { ortEngine } from "../../dist/engine/index.js";
import { seeded } from "../../dist/random/index.js";
import { float32, tensor } from "../../dist/tensor/index.js";
import {
  calibratePlan,
  centred,
  featuresOf,
  linearHead,
  makePrivateTrainer,
  openPrograms,
  privateMean,
  privateCnn,
  scatteringModel,
} from "../../dist/train/index.js";

const [folder, cache, text] = process.argv.slice(2);
const {
  model = "cnn",
  epsilon,
  batch,
  epochs,
  clip,
  seed = 0,
  watch = 0,
  threads = 2,
  steps = Infinity,
  meanSigma = 0,
  ...options
} = JSON.parse(text);
const open = (name) =>
  openDataset(`${folder}/${name}-images-idx3-ubyte.gz`, { labels: `${folder}/${name}-labels-idx1-ubyte.gz` });
const oneHot = (d) => {
  const out = float32([d.size, 10]);
  d.labels.forEach((k, i) => (out.data[i * 10 + k] = 1));
  return out;
};
const bounds = [0, 255];
const front = scatteringModel({ size: 28, bounds });
async function inputs(name, d) {
  const images = tensor("float32", [d.size, 1, 28, 28], d.features.data);
  if (model !== "scattering") return images;
  const file = `${cache}/${name}-scattering.f32`;
  if (existsSync(file)) {
    const bytes = readFileSync(file);
    return tensor("float32", [d.size, 3969], new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4));
  }
  const start = performance.now();
  const made = await featuresOf(ortEngine, front, images);
  console.error(`features of ${name}: ${((performance.now() - start) / 1000).toFixed(0)} s`);
  writeFileSync(file, new Uint8Array(made.data.buffer));
  return made;
}
const [train, test] = [await open("train"), await open("t10k")];
const also = [];
let mean;
let [features, probes] = [await inputs("train", train), await inputs("t10k", test)];
let start = performance.now();
if (meanSigma > 0) {
  const width = features.dims[1];
  const made = privateMean(features, { norm: Math.sqrt(width), sigma: meanSigma }); // normalized features have that norm
  mean = made.mean;
  also.push(made.event);
  [features, probes] = [centred(features, mean), centred(probes, mean)];
  console.error(`private mean: ${((performance.now() - start) / 1000).toFixed(1)} s`);
}
const examples = { features, targets: oneHot(train) };
start = performance.now();
const plan = calibratePlan({ records: train.size, batch, epochs, targetEpsilon: epsilon, delta: 1e-5, clip, also });
const calibrateSeconds = (performance.now() - start) / 1000;
console.error(
  `sigma ${plan.sigma.toFixed(4)}, ${plan.steps} steps, at most ${plan.cap} records, epsilon ${plan.epsilon.toFixed(5)}`,
);
const rng = seeded(seed).child("init");
const trainable =
  model === "scattering"
    ? linearHead(3969, 10, front, mean)
    : privateCnn({ inputShape: [1, 28, 28], classes: 10, rng, bounds });

async function accuracy(parameters) {
  const programs = openPrograms(ortEngine, trainable, 1);
  const width = probes.data.length / test.size;
  let right = 0;
  for (let from = 0; from < test.size; from += 500) {
    const rows = probes.data.subarray(from * width, (from + 500) * width);
    const { data } = await programs.forward(
      parameters,
      {},
      tensor("float32", [500, ...probes.dims.slice(1)], rows),
      "logits",
    );
    for (let i = 0; i < 500; i++) {
      const row = data.subarray(i * 10, i * 10 + 10);
      if (row.indexOf(Math.max(...row)) === test.labels[from + i]) right++;
    }
  }
  await programs.close();
  return right / test.size;
}
let last = 0;
const context = {
  rng: seeded(seed),
  signal: new AbortController().signal,
  step(done, of) {
    if (performance.now() - last < 30_000) return;
    last = performance.now();
    console.error(`step ${done} of ${of}, ${((last - start) / done).toFixed(1)} ms a step`);
  },
};
const watched = [];
const times = [];
const step = (done, parameters) => {
  times.push(performance.now());
  if (done >= steps) {
    const gaps = times.slice(1).map((t, i) => t - times[i]);
    const msPerStep = gaps.sort((a, b) => a - b)[gaps.length >> 1];
    console.log(JSON.stringify({ msPerStep, peakMiB: Math.round(process.resourceUsage().maxRSS / 1024) }));
    process.exit(0);
  }
  if (watch > 0 && done % watch === 0)
    watched.push(accuracy(parameters).then((a) => console.error(`  step ${done}: ${(100 * a).toFixed(2)} %`)));
};
start = performance.now();
const cpu = process.cpuUsage();
const result = await makePrivateTrainer(ortEngine, { threads })(trainable, examples, plan, options, context, { step });
const used = process.cpuUsage(cpu);
const seconds = (performance.now() - start) / 1000;
await Promise.all(watched);
console.log(
  JSON.stringify({
    model,
    seed,
    accuracy: await accuracy(result.parameters),
    epsilon: result.epsilon,
    delta: plan.delta,
    sigma: plan.sigma,
    batch,
    epochs,
    steps: plan.steps,
    clip,
    ...(meanSigma > 0 && { meanSigma }),
    ...options,
    parameters: result.parameters.length,
    seconds: +seconds.toFixed(1),
    cpuSeconds: +((used.user + used.system) / 1e6).toFixed(1),
    calibrateSeconds: +calibrateSeconds.toFixed(1),
    peakMiB: Math.round(process.resourceUsage().maxRSS / 1024),
    noise: plan.noise,
  }),
);
