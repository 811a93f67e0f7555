// The Secret Sharer on real mail: train plainly and privately on mail with planted secrets, then audit the models side by side.
// Usage: node bench/secret/run.mjs      needs `npm run build` and the shared data (see corpus.mjs); about 15 minutes of one
// core. Models and evidence stay in a folder outside the repository; numbers go to bench/results/secret-sharer.md.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { audit, loadModel, openLanguageModel, ortEngine, renderHtml, renderMarkdown } from "../../dist/index.js";
import { corpus, out, vocabulary } from "./corpus.mjs";
import { EPSILONS, EPOCHS, PRIVATE, SNAPSHOTS, trainPlain, trainPrivate } from "./train.mjs";
import { resultsText } from "./results.mjs";

mkdirSync(out, { recursive: true });
const { records, heldOut, manifest, mails } = await corpus();
writeFileSync(join(out, "manifest.json"), JSON.stringify(manifest, null, 1) + "\n");
const texts = records.map((r) => r.text);
await trainPlain(texts);
for (const epsilon of EPSILONS) await trainPrivate(texts, epsilon);

const models = [
  { id: "plain", title: `plain, ${EPOCHS} epochs`, file: `plain-${EPOCHS}.onnx`, epochs: EPOCHS },
  ...SNAPSHOTS.slice(0, -1).map((epochs) => ({
    id: `plain-${epochs}`,
    title: `plain, ${epochs} epoch${epochs === 1 ? "" : "s"}`,
    file: `plain-${epochs}.onnx`,
    epochs,
  })),
  ...EPSILONS.toReversed().map((epsilon) => ({
    id: `private-${epsilon}`,
    title: `DP-SGD, epsilon ${epsilon}`,
    file: `private-${epsilon}.onnx`,
    epochs: PRIVATE.epochs,
    epsilon,
  })),
  { id: "fresh", title: "fresh weights", file: "fresh.onnx", epochs: 0 },
];

/** Bits for each character of mails that no model saw. */
async function cost(file) {
  const model = await openLanguageModel(ortEngine, await loadModel(join(out, file)), { threads: 1 });
  const marks = heldOut.map((r) => `\n${r.text}\n`);
  const symbols = new Map(vocabulary.symbols.map((c, i) => [c, i]));
  const logs = await model.logProbabilities(marks.map((text) => Array.from(text, (c) => symbols.get(c))));
  await model.close();
  const each = logs.map((l) => -l.reduce((a, b) => a + b, 0) / l.length / Math.LN2);
  const mean = each.reduce((a, b) => a + b, 0) / each.length;
  const sd = Math.sqrt(each.reduce((s, v) => s + (v - mean) ** 2, 0) / (each.length - 1));
  return { bits: mean, error: sd / Math.sqrt(each.length) };
}
const costs = {};
for (const { id, file } of models) costs[id] = await cost(file);

const [own, ...others] = models;
const plan = {
  title: "A secret in the mail",
  seed: 1,
  subjects: [
    {
      id: "mail",
      title: own.title,
      model: own.file,
      risks: ["memorization"],
      canaries: {
        manifest: "manifest.json",
        epochs: own.epochs,
        compare: others.map(({ title, file, epochs, epsilon }) => ({
          title,
          model: file,
          ...(epochs !== undefined && { epochs }),
          ...(epsilon !== undefined && { epsilon }),
        })),
      },
    },
    {
      id: "mail-private",
      title: `DP-SGD, epsilon ${EPSILONS[1]}`,
      model: `private-${EPSILONS[1]}.onnx`,
      risks: ["memorization"],
      canaries: { manifest: "manifest.json", epochs: PRIVATE.epochs, epsilon: EPSILONS[1] },
    },
  ],
  probes: [
    { probe: "exposure", options: { references: 2048, searchBudget: 512, guided: 256 } },
    { probe: "extract", options: { budget: 1000, each: 2 } },
  ],
  repairs: [
    {
      id: "dp-sgd",
      title: "Train privately",
      what: `DP-SGD at epsilon ${EPSILONS[1]} for one record, on the same text with the same architecture.`,
      before: "mail",
      after: "mail-private",
    },
  ],
};
let last = 0;
const listener = {
  probe: ({ probe, subject, state }) => process.stderr.write(`${subject} ${probe}: ${state}\n`),
  step: ({ done, of, note }) => {
    if (performance.now() - last < 15_000) return;
    last = performance.now();
    process.stderr.write(`  ${((100 * done) / of).toFixed(1)} % ${note ?? ""}\n`);
  },
};
const report = await audit(plan, { base: out, out: join(out, "report"), listener });
writeFileSync(join(out, "report", "report.json"), JSON.stringify(report, null, 1));
writeFileSync(join(out, "report", "report.html"), renderHtml(report));
writeFileSync(join(out, "report", "report.md"), renderMarkdown(report));
const settings = Object.fromEntries(
  ["plain", ...EPSILONS.map((e) => `private-${e}`)].map((name) => {
    const path = join(out, `${name}.json`);
    return [name, existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : null];
  }),
);
const here = dirname(fileURLToPath(import.meta.url));
const text = resultsText({ report, models, costs, settings, mails, records: records.length, manifest });
writeFileSync(join(here, "../results/secret-sharer.md"), text);
