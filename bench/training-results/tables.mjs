// Adult (given test set) and German credit (five folds, three times): Marauder's logistic and mlp with their defaults, and
// scikit-learn's on the very same encoded rows and folds. Rows are encoded by Marauder: categories one-hot, missing cells
// ("?") filled in from the training rows; scikit-learn gets them standardized, Marauder's models standardize inside.
// Usage: node bench/training-results/tables.mjs FOLDER OUT.json ROWS.npz [rows]; then
//        python bench/training-results/peer_tables.py ROWS.npz > PEER.json
// With the word "rows" nothing is trained, only ROWS.npz is written.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { countCorrect } from "../../dist/audit/train-model.js";
import { runContext } from "../../dist/context.js";
import { npzBytes, openDataset, take } from "../../dist/data/index.js";
import { ortEngine } from "../../dist/engine/ort-node.js";
import { seeded } from "../../dist/random/index.js";
import { makeTrainer } from "../../dist/train/index.js";

const [folder, out, rows, only] = process.argv.slice(2);
const work = mkdtempSync(join(tmpdir(), "tables-"));
// The test file writes its labels with a full stop.
const plain = join(work, "adult-test.csv");
writeFileSync(plain, readFileSync(join(folder, "adult-test.csv"), "utf8").replaceAll(/K\.(\r?\n)/g, "K$1"));
const reading = { label: "last", missing: "impute" };
const adult = await openDataset(join(folder, "adult-train.csv"), reading);
const adultTest = await openDataset(plain, { ...reading, schema: adult.schema, classNames: adult.classNames });
const german = await openDataset(join(folder, "german.csv"), reading);

/** Folds of German credit as pairs of row numbers. */
const folds = [0, 1, 2].flatMap((repeat) => {
  const order = [...seeded(repeat).child("folds").permutation(german.size)];
  return [0, 1, 2, 3, 4].map((k) => ({
    train: order.filter((_, i) => i % 5 !== k),
    test: order.filter((_, i) => i % 5 === k),
  }));
});
const tasks = {
  adult: [{ train: adult, test: adultTest }],
  german: folds.map(({ train, test }) => ({ train: take(german, train), test: take(german, test) })),
};

const trainer = makeTrainer(ortEngine, { threads: 1 });
const result = {};
for (const [name, parts] of Object.entries(only === "rows" ? {} : tasks)) {
  for (const arch of ["logistic", "mlp"]) {
    const accuracies = [];
    const started = performance.now();
    for (const seed of [0, 1, 2]) {
      let right = 0;
      let of = 0;
      for (const { train, test } of parts) {
        const model = await trainer(train, { arch }, runContext({ seed }));
        right += await countCorrect(model, test);
        of += test.size;
        await model.close();
      }
      accuracies.push(right / of);
    }
    const seconds = (performance.now() - started) / 1000 / (3 * parts.length);
    result[`${name} ${arch}`] = { accuracies, secondsPerTraining: seconds };
    console.error(name, arch, accuracies, seconds);
  }
}
await trainer.close();

const arrays = {};
for (const [name, parts] of Object.entries(tasks)) {
  parts.forEach(({ train, test }, i) => {
    for (const [part, data] of Object.entries({ train, test })) {
      arrays[`${name}_${i}_${part}_x`] = { dims: data.features.dims, data: data.features.data };
      arrays[`${name}_${i}_${part}_y`] = { dims: [data.size], data: data.labels };
    }
  });
}
writeFileSync(rows, npzBytes(arrays));
if (only !== "rows") writeFileSync(out, JSON.stringify(result, null, 2) + "\n");
rmSync(work, { recursive: true });
