// Milliseconds and peak memory of one full training step, plain and clipped per example, against PyTorch in one run.
// Usage: node bench/training/run.mjs PYTHON [SECONDS [THREADS]]   PYTHON has torch (pip install torch==2.13.0; with opacus, that is
// measured too); needs `npm run build`. All take turns, three rounds; results go to bench/results/training.md and .json.
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const python = process.argv[2];
const seconds = process.argv[3] ?? "3";
if (python === undefined) {
  console.error("usage: node bench/training/run.mjs PYTHON [SECONDS [THREADS]], where PYTHON can import torch");
  process.exit(2);
}
const threads = process.argv[4] ?? String(Math.min(2, availableParallelism()));
const ROUNDS = 3;
const run = (command, args) =>
  JSON.parse(execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }));
const ours = (model, kind) => run(process.execPath, [join(here, "ours.mjs"), model, kind, threads, seconds]);
const theirs = (model, kind) => run(python, [join(here, "peer_torch.py"), model, kind, threads, seconds]);
const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];
let opacus = true;
try {
  execFileSync(python, ["-c", "import opacus"], { stdio: "ignore" });
} catch {
  opacus = false;
}
const rows = [];
let torch = "";
for (const model of ["tabular", "mnist-cnn", "resnet18-gn", "char-lstm", "transformer"]) {
  const rounds = Array.from({ length: ROUNDS }, () => ({
    plain: ours(model, "plain"),
    torch: theirs(model, "plain"),
    clipped: ours(model, "clipped"),
    vmap: theirs(model, "vmap"),
    ...(opacus && { opacus: theirs(model, "opacus") }),
  }));
  torch = rounds[0].torch.engine;
  const ms = (key) => median(rounds.map((r) => r[key].ms));
  const ratio = (above, below) => median(rounds.map((r) => r[above].ms / r[below].ms));
  const best = (key) => Math.min(...rounds.map((r) => r[key].msMin));
  const peak = (key) => median(rounds.map((r) => r[key].peakMiB));
  const keys = Object.keys(rounds[0]);
  rows.push({
    model,
    batch: rounds[0].plain.batch,
    ms: Object.fromEntries(keys.map((k) => [k, ms(k)])),
    msBest: Object.fromEntries(keys.map((k) => [k, best(k)])),
    peakMiB: Object.fromEntries(keys.map((k) => [k, peak(k)])),
    plainAgainstTorch: ratio("torch", "plain"),
    clippedOverPlain: ratio("clipped", "plain"),
    clippedAgainstVmap: ratio("vmap", "clipped"),
    clippedAgainstOpacus: opacus ? ratio("opacus", "clipped") : null,
  });
  console.error(rows.at(-1));
}
const mean = Math.exp(rows.reduce((s, r) => s + Math.log(r.plainAgainstTorch), 0) / rows.length);
const n = (v) => (v === null || v === undefined ? "not measured" : v.toFixed(2));
const table = [
  "# Training step against PyTorch",
  "",
  `Medians of ${ROUNDS} turns of ${seconds} s each; ${threads} threads on ${cpus()[0]?.model ?? "?"}; ${torch}; Node ${process.versions.node};`,
  `load of the machine at the end ${loadavg()[0].toFixed(1)}: the ratios mean more than the milliseconds.`,
  "Plain: forward, mean cross-entropy, gradients, SGD with momentum. Clipped: every example's gradient cut to norm 1, then the same update, no noise.",
  "vmap is torch.func.vmap over torch.func.grad; Opacus is its ghost clipping. Peak memory is of the whole process.",
  "Made by `node bench/training/run.mjs PYTHON`.",
  "",
  "| model | batch | plain ms | PyTorch ms | times as fast | clipped ms | over plain | faster than vmap | faster than Opacus | MiB plain, clipped | MiB PyTorch, vmap |",
  "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
  ...rows.map(
    (r) =>
      `| ${r.model} | ${r.batch} | ${n(r.ms.plain)} | ${n(r.ms.torch)} | ${n(r.plainAgainstTorch)} | ${n(r.ms.clipped)} | ${n(r.clippedOverPlain)} | ` +
      `${n(r.clippedAgainstVmap)} | ${n(r.clippedAgainstOpacus)} | ${r.peakMiB.plain.toFixed(0)}, ${r.peakMiB.clipped.toFixed(0)} | ${r.peakMiB.torch.toFixed(0)}, ${r.peakMiB.vmap.toFixed(0)} |`,
  ),
  "",
  "The same with the fastest step of all rounds, which other work on the machine disturbs least:",
  "",
  "| model | plain ms | PyTorch ms | times as fast | clipped ms | over plain | vmap ms | Opacus ms | faster than Opacus |",
  "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
  ...rows.map(
    ({ model, msBest: m }) =>
      `| ${model} | ${n(m.plain)} | ${n(m.torch)} | ${n(m.torch / m.plain)} | ${n(m.clipped)} | ${n(m.clipped / m.plain)} | ${n(m.vmap)} | ${n(m.opacus)} | ` +
      `${n(opacus ? m.opacus / m.clipped : null)} |`,
  ),
  "",
  `Geometric mean of the plain ratios of medians: ${mean.toFixed(2)}.`,
  "",
].join("\n");
const results = join(here, "../results");
writeFileSync(join(results, "training.md"), table);
writeFileSync(join(results, "training.json"), JSON.stringify(rows, null, 2) + "\n");
console.log(table);
