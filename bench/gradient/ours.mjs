// Input-gradient step of one model through Marauder's target: loss, scores and gradient in one run.
// Usage: node ours.mjs MODEL THREADS SECONDS [BATCH IN ONE RUN]   prints one JSON line.
import { ortEngine } from "../../dist/engine/index.js";
import { seeded } from "../../dist/random/index.js";
import { openOnnxTarget } from "../../dist/target/index.js";
import { float32, sizeOf } from "../../dist/tensor/index.js";
import { models } from "./models.mjs";

const [name, threads, seconds] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const { model, batch, shape, classes } = models[name]();
const target = await openOnnxTarget(model, {
  engine: ortEngine,
  bounds: { low: 0, high: 1 },
  threads,
  ...(process.argv[5] ? { batch: Number(process.argv[5]) } : {}),
});
const rng = seeded(0).child("inputs");
const x = new Float32Array(batch * sizeOf(shape));
if (name === "char-lstm") {
  for (let from = 0; from < x.length; from += shape[1]) x[from + rng.int(shape[1])] = 1;
} else rng.fillUniform(x, 0, 1);
const input = float32([batch, ...shape], x);
const labels = Int32Array.from({ length: batch }, () => rng.int(classes));

async function medianMs(call, forSeconds) {
  for (let i = 0; i < 3; i++) await call();
  const times = [];
  const cpu = [];
  const end = performance.now() + 1000 * forSeconds;
  while (performance.now() < end || times.length < 5) {
    const before = process.cpuUsage();
    const start = performance.now();
    await call();
    times.push(performance.now() - start);
    const { user, system } = process.cpuUsage(before);
    cpu.push((user + system) / 1000);
  }
  for (const values of [times, cpu]) values.sort((a, b) => a - b);
  return { ms: times[times.length >> 1], msMin: times[0], cpuMs: cpu[cpu.length >> 1], steps: times.length };
}

const { ms, msMin, cpuMs, steps } = await medianMs(
  () => target.gradient(input, labels, { kind: "cross-entropy" }),
  seconds,
);
const peakMiB = process.resourceUsage().maxRSS / 1024;
const { ms: forwardMs } = await medianMs(() => target.scores(input), seconds / 4);
console.log(
  JSON.stringify({
    model: name,
    engine: "marauder",
    threads,
    batch,
    chunk: target.facts.chunk,
    ms,
    msMin,
    cpuMs,
    forwardMs,
    steps,
    peakMiB,
  }),
);
await target.close();
