// Trains a small CNN on drawn digits, then looks for the changes that fool it: projected gradient descent in an linf ball.
import {
  drawDigits,
  makeTrainer,
  openOnnxTarget,
  ortEngine,
  evasionAttacks,
  runContext,
  runEvasion,
} from "marauder-ml";

const context = runContext({ seed: 1 });
const train = drawDigits(1500, context.rng.child("train"));
const test = drawDigits(60, context.rng.child("test"));

const trainer = makeTrainer(ortEngine, { threads: 1 });
const trained = await trainer(train, { arch: "cnn", epochs: 4, channels: [8, 16], hidden: [32] }, context);
const target = await openOnnxTarget(trained.model, { engine: ortEngine, bounds: { low: 0, high: 255 }, threads: 1 });

const percent = (share: number): string => `${Math.round(100 * share)} %`;
for (const [id, eps] of [
  ["random-noise", 40],
  ["pgd", 5],
  ["pgd", 40],
] as const) {
  const attack = evasionAttacks.find((a) => a.id === id)!;
  const result = await runEvasion(attack, target, test, { norm: "linf", eps, samples: 60 }, context);
  const { cleanAccuracy: clean, robustAccuracy: robust } = result;
  console.log(`${id}, eps ${eps} of 255: accuracy ${percent(clean.value)} before, ${percent(robust.value)} after`);
}
// What an attack does not find may still be there: "held at this budget" is all that can be said.
await target.close();
await trained.close();
await trainer.close();
