import { test } from "vitest";
import { gunzipSync } from "node:zlib";
import { readFileSync } from "node:fs";
import { ortEngine } from "../src/engine/index.ts";
import { makeTrainer } from "../src/train/index.ts";
import { seeded } from "../src/random/index.ts";
import { datasetOf } from "../test/support/gaussian-data.ts";
import { badnets, labelFlip, measureModel } from "../src/attacks/poisoning/index.ts";
import { modelFeatures, rawFeatures, spectralSignatures, knnLabelAgreement } from "../src/defenses/data/index.ts";
import { defaultsOf } from "../src/options.ts";
import { take } from "../src/data/subset.ts";
const D = "/work/shared/data/mnist/";
function load(n: string, skip = 0, count = 2000) {
  const img = gunzipSync(readFileSync(D + n + "-images-idx3-ubyte.gz")).subarray(16);
  const lab = gunzipSync(readFileSync(D + n + "-labels-idx1-ubyte.gz")).subarray(8);
  const f = new Float32Array(count * 784);
  for (let i = 0; i < f.length; i++) f[i] = img[skip * 784 + i]! / 255;
  return { ...datasetOf(f, Array.from(lab.subarray(skip, skip + count)), [1, 28, 28], 10), storedAs: "uint8" as const };
}
test("x", async () => {
  const engine = ortEngine as any;
  const trainer = makeTrainer(engine);
  const test_ = load("t10k", 0, 1000);
  for (const seed of [0, 1, 2]) {
    const rng = seeded(seed);
    const ctx = { rng, signal: new AbortController().signal, step() {} };
    const data = load("train", seed * 2000, 2000);
    const variants: [string, any][] = [["clean", { data, rows: [], target: null, source: null, plant: (x: any) => x }],
      ["badnets", await badnets.run(ctx, { data }, { ...defaultsOf(badnets.options), target: 7 } as any)],
      ["flip5", await labelFlip.run(ctx, { data }, defaultsOf(labelFlip.options) as any)]];
    for (const [name, p] of variants) {
      let t = Date.now();
      const model = await trainer(p.data, { arch: "cnn" }, ctx);
      const tt = Date.now() - t;
      const m = await measureModel(model, test_, p.target === null ? { target: null, source: null, plant: (x: any) => x } : p);
      const bad = new Set(p.rows);
      const line = [seed, name, tt + "ms", m.accuracy.hits / m.accuracy.of, m.success && m.success.hits / m.success.of];
      for (const [fn, s] of [["model", await modelFeatures(model, p.data, test_)], ["raw", rawFeatures(p.data, test_, rng.child("f"))], ["model-noref", await modelFeatures(model, p.data, null)], ["raw-noref", rawFeatures(p.data, null, rng.child("f"))]] as const) {
        for (const det of [spectralSignatures, knnLabelAgreement] as any[]) {
          t = Date.now();
          const r = await det.apply(ctx, s, defaultsOf(det.options));
          line.push(`\n   ${fn}/${det.id.slice(0, 4)} found=${r.flagged.length} hit=${r.flagged.filter((f: any) => bad.has(f.row)).length}/${bad.size} p=${r.classes.map((c: any) => c.adjusted?.toFixed(3)).join(" ")} ${Date.now() - t}ms`);
        }
      }
      console.log(line.join(" "));
      await model.close();
    }
  }
}, 600000);
