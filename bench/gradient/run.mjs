// Milliseconds and peak memory of one input-gradient step, against PyTorch on the same machine in one run.
// Usage: node bench/gradient/run.mjs PYTHON [SECONDS] [MODEL,MODEL] [1|2]   PYTHON has torch (pip install torch==2.13.0);
// needs `npm run build`. The two take turns, three rounds; medians and ratios go to bench/results/gradient.md and .json.
// Models that are not named keep their rows ("none" writes the table again). The last argument is the threads: 2 measures time, 1 processor time, and a
// table has both once both were run.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { flopsOf, gemmPeak } from "./flops.mjs";
import { models } from "./models.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const [python, seconds = "3", only = Object.keys(models).join(), threadText = "2"] = process.argv.slice(2);
if (python === undefined) {
  console.error(
    "usage: node bench/gradient/run.mjs PYTHON [SECONDS] [MODEL,MODEL] [THREADS], where PYTHON can import torch",
  );
  process.exit(2);
}
const threads = Math.min(Number(threadText), availableParallelism());
/** Turns of each; processor time varies less. */
const ROUNDS = threads === 1 ? 2 : 3;
const run = (command, args) => JSON.parse(execFileSync(command, args, { encoding: "utf8" }));
const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];
const results = join(here, "../results");
const file = join(results, "gradient.json");
const before = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : [];
const rows = new Map(before.map((row) => [row.model, row]));

/** What the two took in turns: medians, and the ratio of each turn. */
async function timesOf(model, ours, theirs) {
  const made = models[model]();
  const ratios = ours.map((o, i) => theirs[i].ms / o.ms);
  const [ms, forwardMs] = [median(ours.map((o) => o.ms)), median(ours.map((o) => o.forwardMs))];
  const [torchMs, torchForwardMs] = [median(theirs.map((t) => t.ms)), median(theirs.map((t) => t.forwardMs))];
  return {
    model,
    batch: ours[0].batch,
    chunk: ours[0].chunk,
    ms,
    torchMs,
    ratio: median(ratios),
    ratioRange: [Math.min(...ratios), Math.max(...ratios)],
    ratioOfFastest: Math.min(...theirs.map((t) => t.msMin)) / Math.min(...ours.map((o) => o.msMin)),
    backwardOverForward: (ms - forwardMs) / forwardMs,
    torchBackwardOverForward: (torchMs - torchForwardMs) / torchForwardMs,
    gflops: flopsOf(made.model, made.batch).step / ms / 1e6,
    gemmGflops: await gemmPeak(threads),
    peakMiB: median(ours.map((o) => o.peakMiB)),
    torchPeakMiB: median(theirs.map((t) => t.peakMiB)),
    torch: theirs[0].engine,
  };
}

for (const model of only.split(",").filter((name) => name in models)) {
  const ours = [];
  const theirs = [];
  const args = [model, String(threads), seconds];
  for (let round = 0; round < ROUNDS; round++) {
    ours.push(run(process.execPath, [join(here, "ours.mjs"), ...args]));
    theirs.push(run(python, [join(here, "peer_torch.py"), ...args]));
  }
  const [cpuMs, torchCpuMs] = [ours, theirs].map((turns) => Math.min(...turns.map((t) => t.cpuMs)));
  const measured =
    threads === 1 ? { cpuMs, torchCpuMs, cpuRatio: torchCpuMs / cpuMs } : await timesOf(model, ours, theirs);
  rows.set(model, { ...rows.get(model), ...measured, model });
  console.error(rows.get(model));
  writeFileSync(file, JSON.stringify([...rows.values()], null, 2) + "\n");
}
const all = Object.keys(models).flatMap((name) => rows.get(name) ?? []);
const timed = all.filter((r) => r.ms !== undefined);
const mean = (of, from) => Math.exp(from.reduce((s, r) => s + Math.log(of(r)), 0) / from.length).toFixed(2);
const fixed = (n) => (v) => v.toFixed(n);
const line = (r) =>
  [
    r.model,
    `${r.batch} (${r.chunk})`,
    r.ms.toFixed(2),
    r.torchMs.toFixed(2),
    `${r.ratio.toFixed(2)} (${r.ratioRange.map(fixed(2)).join(" to ")})`,
    r.ratioOfFastest.toFixed(2),
    r.cpuRatio === undefined
      ? ""
      : `${r.cpuRatio.toFixed(2)} (${r.cpuMs.toPrecision(4)}, ${r.torchCpuMs.toPrecision(4)} ms)`,
    `${r.peakMiB.toFixed(0)}, ${r.torchPeakMiB.toFixed(0)}`,
    `${r.backwardOverForward.toFixed(2)}, ${r.torchBackwardOverForward.toFixed(2)}`,
    `${r.gflops.toFixed(1)} of ${r.gemmGflops.toFixed(0)}`,
  ].join(" | ");
const names = (rowsOf) => rowsOf.map((r) => r.model).join(", ") || "none";
const cpuToo = timed.filter((r) => r.cpuRatio !== undefined);
const table = [
  "# Input-gradient step against PyTorch",
  "",
  `Medians of 3 turns of ${seconds} s each; 2 threads on ${cpus()[0]?.model ?? "?"}; ${timed[0]?.torch}; Node ${process.versions.node};`,
  `load of the machine at the end ${loadavg()[0].toFixed(1)}.`,
  "One step: forward, cross-entropy summed over the batch, gradient of the inputs only; in brackets how many examples",
  "Marauder takes at once. Peak memory is of the whole process.",
  "Fastest: the ratio of the fastest steps of all turns. One thread: the ratio of processor times with one thread, which",
  "other work on the machine disturbs least.",
  "GFLOP/s: operations of the plain products over the time of the step, beside those of one large matrix product",
  "in ONNX Runtime on the same threads; minimal filtering needs fewer than it is credited with.",
  "Made by `node bench/gradient/run.mjs PYTHON`. The pure-JavaScript library of the same purpose is not in the table: it",
  "took 16 s for a step of mnist-cnn when the engine was chosen.",
  "",
  "| model | batch | Marauder ms | PyTorch ms | times as fast (range) | fastest | one thread | MiB, PyTorch's | backward over forward, PyTorch's | GFLOP/s |",
  "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
  ...timed.map((r) => `| ${line(r)} |`),
  "",
  `Geometric mean of the ratios: ${mean((r) => r.ratio, timed)}; of the fastest steps ${mean((r) => r.ratioOfFastest, timed)}` +
    (cpuToo.length === 0 ? "." : `; on one thread ${mean((r) => r.cpuRatio, cpuToo)}.`),
  `Slower than PyTorch: ${names(timed.filter((r) => r.ratio < 1))}; in the fastest steps: ${names(timed.filter((r) => r.ratioOfFastest < 1))}.`,
  `More memory than PyTorch: ${names(timed.filter((r) => r.peakMiB > r.torchPeakMiB))}.`,
  "",
].join("\n");
writeFileSync(join(results, "gradient.md"), table);
console.log(table);
