// Does a language model give away a secret that stood in its training text? Plain training does; private training does not.
import {
  characterVocabulary,
  drawCanaries,
  exposure,
  extract,
  lineBefore,
  makeLanguageTrainer,
  makeNotes,
  openLanguageTarget,
  ortEngine,
  plantCanaries,
  records,
  runContext,
  seeded,
  defaultsOf,
  type Model,
} from "marauder-ml";
import { buildLanguageModel, calibratePlan, makePrivateTrainer, tokensOf } from "marauder-ml/train";

// 240 made-up notes; two secrets are planted 25 times, two once, twelve nowhere: those are controls.
const rng = seeded(1);
const form = "the pin of {owner} is {digits:4}";
const canaries = [
  ...drawCanaries({ formats: [form], repetitions: [25, 1], each: 2 }, rng.child("secrets")),
  ...drawCanaries({ formats: [form], repetitions: [0], each: 12 }, rng.child("controls")).map((c, i) => ({
    ...c,
    id: `control ${i + 1}`,
  })),
];
const notes = plantCanaries(makeNotes(240, rng.child("notes")), canaries, rng.child("plant")).map((r) => r.text);
const vocabulary = characterVocabulary("\n 0123456789abcdefghijklmnopqrstuvwxyz");
const data = records(notes, vocabulary, { context: 64 });
const shape = { width: 48, layers: 1, embedding: 16 };

async function report(title: string, model: Model): Promise<void> {
  const target = await openLanguageTarget(model, { engine: ortEngine, threads: 1 });
  const subject = { model: target, canaries, before: lineBefore(target) };
  const exposed = await exposure.run(runContext(), subject, defaultsOf(exposure.options));
  // In words, since the last bits of a training differ between processors.
  const learned = (k: number): string => {
    const own = exposed.filter((_, i) => canaries[i]!.repetitions === k);
    const share = own.reduce((sum, e) => sum + e.bits, 0) / own.reduce((sum, e) => sum + e.spaceBits, 0);
    return share > 0.9 ? "known" : share > 0.4 ? "partly known" : "hidden";
  };
  const searches = await extract.run(runContext(), { ...subject, canaries: canaries.slice(0, 4) }, { budget: 2000 });
  const out = searches.flatMap((s) => s.found.flatMap((f) => (f.canary === null ? [] : `"${f.text}"`)));
  console.log(`${title}: secrets planted 25 times are ${learned(25)}, those planted nowhere ${learned(0)}`);
  console.log(`  extracted: ${out.join(" and ") || "nothing"}`);
  await target.close();
}

const train = makeLanguageTrainer(ortEngine, { threads: 1 });
const plain = await train(
  data,
  { arch: "char-lstm", ...shape, epochs: 30, batch: 16, learningRate: 0.01 },
  runContext(),
);
await report("plain training", plain.model);
await plain.close();
await train.close();

const plan = calibratePlan({
  records: notes.length,
  batch: 64,
  epochs: 8,
  targetEpsilon: 8,
  delta: 1e-4,
  clip: 1,
  seed: 1,
});
const fresh = buildLanguageModel("char-lstm", {
  ...shape,
  vocabulary,
  context: 64,
  heads: 1,
  tied: false,
  rng: runContext().rng.child("init"),
});
const priv = makePrivateTrainer(ortEngine, { threads: 1 });
const all = tokensOf(data, Array.from(notes.keys()));
const options = { loss: "next-token", optimizer: "adam", learningRate: 0.01 } as const;
const kept = await priv(fresh, all, plan, options, runContext());
await report("private training, epsilon 8 for one record", kept.model);
