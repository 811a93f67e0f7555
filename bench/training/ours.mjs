// One full training step (SGD with momentum), plain or clipped per example: gradients, clipping, update.
// Usage: node ours.mjs MODEL plain|clipped THREADS SECONDS   prints one JSON line.
import { ortEngine } from "../../dist/engine/index.js";
import { layoutOf, openClipped, openPrograms, pack, updateRule } from "../../dist/train/index.js";
import { openUpdate } from "../../dist/train/update.js";
import { dataOf, models } from "./models.mjs";
import { sgd } from "./sgd.mjs";

const [name, kind, threads, seconds] = [
  process.argv[2],
  process.argv[3],
  Number(process.argv[4]),
  Number(process.argv[5]),
];
const model = models[name]();
const { trainable, batch, loss } = model;
const layout = layoutOf(trainable.model, trainable.parameters);
const rule = updateRule(sgd);
const { features, targets } = dataOf(model);
const weights = new Float32Array(batch).fill(1 / batch);
const packed = pack(trainable.model, layout);
let state = { parameters: packed, states: rule.start(packed) };
let step;
let close;
if (kind === "plain") {
  const programs = openPrograms(ortEngine, trainable, threads);
  let spare = new Float32Array(packed.length);
  step = async () => {
    const rates = rule.ratesAt(1, 1e-4);
    const batch = { features, targets, weights };
    const made = await programs.step({ rule, loss }, state, {}, rates, batch, { ...state, parameters: spare });
    spare = state.parameters;
    state = made.state;
  };
  close = () => programs.close();
} else {
  const clipped = await openClipped(ortEngine, trainable, { loss, threads });
  const update = await openUpdate(ortEngine, rule, layout, threads);
  // The sum is not divided: with a rate divided by the batch size, momentum makes the same steps of it.
  const rates = rule.ratesAt(1, 1e-4 / batch);
  let spare = new Float32Array(packed.length);
  step = async () => {
    const { sum } = await clipped.run(state.parameters, {}, features, targets, 1, spare);
    spare = state.parameters;
    state = await update.step(state, rates, sum, { parameters: sum, states: state.states });
  };
  close = async () => {
    await clipped.close();
    await update.close();
  };
}
const first = performance.now();
for (let i = 0; i < 5 && performance.now() - first < 4000; i++) await step();
const times = [];
let cpuMin = Infinity;
const end = performance.now() + 1000 * seconds;
while (performance.now() < end || times.length < 4) {
  const begin = performance.now();
  const before = process.cpuUsage();
  await step();
  times.push(performance.now() - begin);
  const { user, system } = process.cpuUsage(before);
  cpuMin = Math.min(cpuMin, (user + system) / 1000);
}
times.sort((a, b) => a - b);
const ms = times[times.length >> 1];
const peakMiB = process.resourceUsage().maxRSS / 1024;
console.log(
  JSON.stringify({
    model: name,
    kind,
    engine: "marauder",
    threads,
    batch,
    ms,
    msMin: times[0],
    cpuMin,
    steps: times.length,
    peakMiB,
  }),
);
await close();
