// Why the gradient's graph has the form it has: for each choice the forms that were weighed, in milliseconds of processor
// time on one thread (lower quartile of turns; other work on the machine disturbs it little).
// Usage: node bench/gradient/forms.mjs [SECONDS]   needs `npm run build`; writes bench/results/gradient-forms.md.
import { readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { ortEngine } from "../../dist/engine/index.js";
import { seeded } from "../../dist/random/index.js";
import { float32, sizeOf } from "../../dist/tensor/index.js";
import { cases } from "./form-cases.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const seconds = Number(process.argv[2] ?? 1.5);

function random(dims, label, scale = 1) {
  const data = new Float32Array(sizeOf(dims));
  seeded(3).child(label).fillNormal(data, 0, scale);
  return float32(dims, data);
}

/** Turns of all forms one after the other, so that the machine's moods meet all of them. */
async function measure(forms) {
  const open = [];
  for (const form of forms) {
    const session = await ortEngine.load(form.model, { threads: 1 });
    const call = () => session.run(form.feeds, form.fetches);
    const start = performance.now();
    await call();
    open.push({ ...form, session, call, each: Math.max(1, Math.round(5 / (performance.now() - start))), times: [] });
  }
  const end = performance.now() + 1000 * seconds * forms.length;
  while (performance.now() < end || open[0].times.length < 6) {
    for (const one of open) {
      const before = process.cpuUsage();
      for (let i = 0; i < one.each; i++) await one.call();
      const { user, system } = process.cpuUsage(before);
      one.times.push((user + system) / 1000 / one.each);
    }
  }
  for (const one of open) {
    one.times.sort((a, b) => a - b);
    await one.session.close();
  }
  return open.map((one) => ({
    name: one.name,
    ms: one.times[one.times.length >> 2] / (one.per ?? 1),
    used: one.used === true,
  }));
}

const lines = [];
for (const { title, forms } of cases(random)) {
  const rows = await measure(forms);
  console.error(title, rows);
  lines.push(
    `| ${title} | ${rows.map((r) => `${r.used ? "**" : ""}${r.name} ${r.ms.toFixed(r.ms < 1 ? 3 : 2)}${r.used ? "**" : ""}`).join("; ")} |`,
  );
}
const table = [
  "# Forms of the gradient",
  "",
  `Milliseconds of processor time on one thread of ${cpus()[0]?.model ?? "?"}, Node ${process.versions.node}; bold: the form in use.`,
  "Made by `node bench/gradient/forms.mjs`.",
  "",
  "| what | forms |",
  "| --- | --- |",
  ...lines,
  "",
  readFileSync(join(here, "notes.md"), "utf8"),
].join("\n");
writeFileSync(join(here, "../results/gradient-forms.md"), table);
console.log(table);
