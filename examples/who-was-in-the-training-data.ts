// A model that has learned its rows by heart is surer of them than of rows that it never saw. How well does that tell
// members from non-members, and how well at one false alarm in a hundred?
import {
  auc,
  drawDigits,
  makeTrainer,
  membershipAttacks,
  openOnnxTarget,
  ortEngine,
  roc,
  runContext,
  tprAtFpr,
} from "marauder-ml";

const context = runContext({ seed: 2 });
const members = drawDigits(200, context.rng.child("members"));
const others = drawDigits(200, context.rng.child("others"));
const trainer = makeTrainer(ortEngine, { threads: 1 });
const percent = (share: number): string => `${Math.round(100 * share)} %`;

for (const epochs of [2, 40]) {
  const trained = await trainer(members, { arch: "mlp", epochs }, context);
  const target = await openOnnxTarget(trained.model, { engine: ortEngine, bounds: { low: 0, high: 255 }, threads: 1 });
  for (const attack of membershipAttacks) {
    const inside = await attack.run(context, { target, data: members }, {});
    const outside = await attack.run(context, { target, data: others }, {});
    const low = tprAtFpr(roc(inside, outside), 0.01);
    const found = low.rate !== null ? percent(low.rate.value) : "too few rows to say";
    console.log(
      `${epochs} epochs, ${attack.id}: AUC ${percent(auc(inside, outside).value)}, found at 1 % false alarms: ${found}`,
    );
  }
  await target.close();
  await trained.close();
}
await trainer.close();
