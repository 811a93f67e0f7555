// Seconds for one epsilon, and for calibrating noise, against dp_accounting in one run: the two take turns, three rounds.
// Usage: node bench/accounting/run.mjs PYTHON   PYTHON has dp-accounting (pip install dp-accounting); needs `npm run build`.
// Results go to bench/results/accounting.md and .json.
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const python = process.argv[2];
if (python === undefined) {
  console.error("usage: node bench/accounting/run.mjs PYTHON, where PYTHON can import dp_accounting");
  process.exit(2);
}
const ROUNDS = 3;
const run = (command, args) =>
  JSON.parse(execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }));
const loadBefore = loadavg()[0];
const rounds = [];
for (let i = 0; i < ROUNDS; i++) {
  rounds.push({
    ours: run(process.execPath, [join(here, "ours.mjs"), "5"]),
    theirs: run(python, [join(here, "peer_dp_accounting.py"), "5"]),
  });
}
const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];
const rows = Object.keys(rounds[0].ours).map((name) => {
  const of = (who, what) => rounds.map((r) => r[who][name][what]);
  return {
    name,
    ours: median(of("ours", "median")),
    theirs: median(of("theirs", "median")),
    oursFastest: Math.min(...of("ours", "fastest")),
    theirsFastest: Math.min(...of("theirs", "fastest")),
    ourValue: rounds[0].ours[name].value,
    theirValue: rounds[0].theirs[name].value,
  };
});
const versions = execFileSync(
  python,
  [
    "-c",
    "import importlib.metadata as m, numpy, scipy; print('dp-accounting', m.version('dp-accounting') + ', numpy', numpy.__version__ + ', scipy', scipy.__version__)",
  ],
  { encoding: "utf8" },
).trim();
const s = (x) => (x < 0.1 ? x.toFixed(4) : x.toFixed(2));
const table = rows.map(
  (r) =>
    `| ${r.name} | ${s(r.ours)} | ${s(r.theirs)} | ${(r.theirs / r.ours).toFixed(1)} | ${s(r.oursFastest)} | ${s(r.theirsFastest)} | ${r.ourValue.toFixed(6)} | ${r.theirValue.toFixed(6)} |`,
);
const text = `# Accounting against dp_accounting

Seconds, medians of ${ROUNDS} turns of 5 repeats after one to warm up (calibration: one); ${cpus()[0].model.trim()}; Node ${process.versions.node};
${versions}. Load of the machine ${loadBefore.toFixed(1)} before and ${loadavg()[0].toFixed(1)} after: the ratios mean more than the seconds.
Row 2 is rate 256/60000, noise 1.1, 14062 steps, delta 1e-5. Calibration looks for the noise between 0.2 and 100; theirs stops at its
own tolerance. Made by \`node bench/accounting/run.mjs PYTHON\`.

| case | ours | dp_accounting | times as fast | ours, fastest | dp_accounting, fastest | our value | their value |
| --- | --- | --- | --- | --- | --- | --- | --- |
${table.join("\n")}
`;
const results = join(here, "..", "results");
writeFileSync(join(results, "accounting.md"), text);
writeFileSync(join(results, "accounting.json"), JSON.stringify({ versions, rows }, null, 2) + "\n");
console.log(text);
