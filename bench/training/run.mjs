// Milliseconds and peak memory of one full training step, plain and clipped per example, against PyTorch and Opacus in one run.
// Usage: node bench/training/run.mjs PYTHON [SECONDS [MODELS [ROUNDS [THREADS]]]]   MODELS are joined by commas, all when absent.
// PYTHON has torch (pip install torch==2.13.0; with opacus, that is measured too); needs `npm run build`. All take turns; results go
// to bench/results/training.json, where rows of other models stay, and training.md.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { models } from "./models.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const results = join(here, "../results");
const [python, seconds = "2", chosen, rounds = "3", given] = process.argv.slice(2);
if (python === undefined) {
  console.error("usage: node bench/training/run.mjs PYTHON [SECONDS [MODELS [ROUNDS [THREADS]]]]");
  process.exit(2);
}
// "none" only writes the table again.
const names = chosen === "none" ? [] : chosen === undefined || chosen === "" ? Object.keys(models) : chosen.split(",");
const threads = given ?? String(Math.min(2, availableParallelism()));
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
const file = join(results, "training.json");
const old = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")).filter((row) => row.load !== undefined) : [];
const rows = new Map(old.map((row) => [row.model, row]));
for (const model of names) {
  const turns = Array.from({ length: Number(rounds) }, () => ({
    plain: ours(model, "plain"),
    torch: theirs(model, "plain"),
    clipped: ours(model, "clipped"),
    ...(opacus && { opacus: theirs(model, "opacus") }),
  }));
  const keys = Object.keys(turns[0]);
  const each = (of) => Object.fromEntries(keys.map((key) => [key, of(key)]));
  const ratio = (above, below) => median(turns.map((t) => t[above].ms / t[below].ms));
  rows.set(model, {
    model,
    batch: turns[0].plain.batch,
    threads: Number(threads),
    rounds: turns.length,
    engine: turns[0].torch.engine,
    opacus: turns[0].opacus?.how ?? null,
    load: loadavg()[0],
    ms: each((key) => median(turns.map((t) => t[key].ms))),
    cpuBest: each((key) => Math.min(...turns.map((t) => t[key].cpuMin))),
    msBest: each((key) => Math.min(...turns.map((t) => t[key].msMin))),
    peakMiB: each((key) => median(turns.map((t) => t[key].peakMiB))),
    plainAgainstTorch: ratio("torch", "plain"),
    clippedOverPlain: ratio("clipped", "plain"),
    clippedAgainstOpacus: opacus ? ratio("opacus", "clipped") : null,
  });
  console.error(rows.get(model));
}
const all = Object.keys(models)
  .map((name) => rows.get(name))
  .filter((row) => row !== undefined);
const geometric = (of) => Math.exp(all.reduce((s, r) => s + Math.log(of(r)), 0) / all.length);
const n = (v) => (v === null || v === undefined || Number.isNaN(v) ? "not measured" : v.toFixed(2));
const mib = (v) => (v === undefined ? "not measured" : v.toFixed(0));
const notes = readFileSync(join(here, "notes.md"), "utf8");
const table = [
  "# Training step against PyTorch and Opacus",
  "",
  `${all[0].threads} threads on ${cpus()[0]?.model ?? "?"}; ${all[0].engine}; Node ${process.versions.node}. All take turns; medians of the rounds' medians.`,
  "Plain: forward, mean cross-entropy, gradients, SGD with momentum. Clipped: every example's gradient cut to norm 1, then the same update, no noise.",
  "Opacus: ghost clipping; for the LSTM its DPLSTM with hooks, since ghost clipping does not take a layer that is used at every step.",
  "Peak memory is of the whole process. Load: of the machine at the end of the model's rounds; above 2, others were at work on its two cores.",
  "Made by `node bench/training/run.mjs PYTHON`.",
  "",
  "| model | batch | plain ms | PyTorch ms | times as fast | clipped ms | over plain | Opacus ms | faster than Opacus | MiB plain, clipped | MiB PyTorch, Opacus | load |",
  "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
  ...all.map(
    (r) =>
      `| ${r.model} | ${r.batch} | ${n(r.ms.plain)} | ${n(r.ms.torch)} | ${n(r.plainAgainstTorch)} | ${n(r.ms.clipped)} | ${n(r.clippedOverPlain)} | ` +
      `${n(r.ms.opacus)} | ${n(r.clippedAgainstOpacus)} | ${mib(r.peakMiB.plain)}, ${mib(r.peakMiB.clipped)} | ${mib(r.peakMiB.torch)}, ${mib(r.peakMiB.opacus)} | ${n(r.load)} |`,
  ),
  "",
  "Processor time of the fastest step of all rounds, which other work on the machine disturbs least:",
  "",
  "| model | plain ms | PyTorch ms | times as fast | clipped ms | over plain | Opacus ms | faster than Opacus |",
  "| --- | --- | --- | --- | --- | --- | --- | --- |",
  ...all.map(
    ({ model, cpuBest: m }) =>
      `| ${model} | ${n(m.plain)} | ${n(m.torch)} | ${n(m.torch / m.plain)} | ${n(m.clipped)} | ${n(m.clipped / m.plain)} | ${n(m.opacus)} | ` +
      `${m.opacus === undefined ? "not measured" : n(m.opacus / m.clipped)} |`,
  ),
  "",
  `Geometric mean, times as fast as PyTorch: ${geometric((r) => r.plainAgainstTorch).toFixed(2)} of medians, ` +
    `${geometric((r) => r.cpuBest.torch / r.cpuBest.plain).toFixed(2)} of the processor time of the fastest steps.`,
  "",
  notes,
].join("\n");
writeFileSync(join(results, "training.md"), table);
writeFileSync(file, JSON.stringify(all, null, 2) + "\n");
console.log(table);
