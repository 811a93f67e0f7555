// Milliseconds and peak memory of one input-gradient step, against PyTorch on the same machine in one run.
// Usage: node bench/gradient/run.mjs PYTHON [SECONDS]   PYTHON has torch (pip install torch==2.13.0); needs `npm run build`.
// The two take turns, three rounds; medians and ratios go to bench/results/gradient.md and .json.
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { models } from "./models.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const python = process.argv[2];
const seconds = process.argv[3] ?? "3";
if (python === undefined) {
  console.error("usage: node bench/gradient/run.mjs PYTHON [SECONDS], where PYTHON can import torch");
  process.exit(2);
}
const threads = String(Math.min(2, availableParallelism()));
const ROUNDS = 3;
const run = (command, args) => JSON.parse(execFileSync(command, args, { encoding: "utf8" }));
const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];
const rows = [];
for (const model of Object.keys(models)) {
  const ours = [];
  const theirs = [];
  for (let round = 0; round < ROUNDS; round++) {
    ours.push(run(process.execPath, [join(here, "ours.mjs"), model, threads, seconds]));
    theirs.push(run(python, [join(here, "peer_torch.py"), model, threads, seconds]));
  }
  const ratios = ours.map((o, i) => theirs[i].ms / o.ms);
  rows.push({
    model,
    batch: ours[0].batch,
    ms: median(ours.map((o) => o.ms)),
    torchMs: median(theirs.map((t) => t.ms)),
    ratio: median(ratios),
    ratioRange: [Math.min(...ratios), Math.max(...ratios)],
    peakMiB: median(ours.map((o) => o.peakMiB)),
    torchPeakMiB: median(theirs.map((t) => t.peakMiB)),
    torch: theirs[0].engine,
  });
  console.error(rows.at(-1));
}
const mean = Math.exp(rows.reduce((s, r) => s + Math.log(r.ratio), 0) / rows.length);
const table = [
  "# Input-gradient step against PyTorch",
  "",
  `Medians of ${ROUNDS} turns of ${seconds} s each; ${threads} threads on ${cpus()[0]?.model ?? "?"}; ${rows[0].torch}; Node ${process.versions.node}.`,
  "One step: forward, cross-entropy summed over the batch, gradient of the inputs only. Peak memory is of the whole process.",
  "Made by `node bench/gradient/run.mjs PYTHON`.",
  "",
  "| model | batch | Marauder ms | PyTorch ms | times as fast (range) | Marauder MiB | PyTorch MiB |",
  "| --- | --- | --- | --- | --- | --- | --- |",
  ...rows.map(
    (r) =>
      `| ${r.model} | ${r.batch} | ${r.ms.toFixed(2)} | ${r.torchMs.toFixed(2)} | ${r.ratio.toFixed(2)} (${r.ratioRange.map((v) => v.toFixed(2)).join(" to ")}) | ${r.peakMiB.toFixed(0)} | ${r.torchPeakMiB.toFixed(0)} |`,
  ),
  "",
  `Geometric mean of the ratios: ${mean.toFixed(2)}.`,
  "",
].join("\n");
const results = join(here, "../results");
writeFileSync(join(results, "gradient.md"), table);
writeFileSync(join(results, "gradient.json"), JSON.stringify(rows, null, 2) + "\n");
console.log(table);
