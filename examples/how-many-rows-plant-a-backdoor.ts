// BadNets: rows with a small patch in the corner and the attacker's label. How many does it take until the model obeys?
import { badnets, defaultsOf, doseResponse, drawDigits, makeTrainer, ortEngine, runContext } from "marauder-ml";

const context = runContext({ seed: 3 });
const trainer = makeTrainer(ortEngine, { threads: 1 });
const options = { ...defaultsOf(badnets.options), target: 7 };
const response = await doseResponse(
  {
    train: drawDigits(1000, context.rng.child("train")),
    test: drawDigits(300, context.rng.child("test")),
    bounds: { low: 0, high: 255 },
    trainer,
    trainOptions: { arch: "mlp", epochs: 8 },
    doses: [2, 50],
    seeds: 1,
    poison: (inner, subject, rows) => badnets.run(inner, subject, { ...options, rows }),
  },
  context,
);

const percent = (share: number): string => `${Math.round(100 * share)} %`;
console.log(response.example);
for (const dose of [response.floor, ...response.doses]) {
  console.log(
    `${dose.rows} bad rows of 1000: accuracy ${percent(dose.accuracy.value)}, obeys the trigger ${percent(dose.success!.value)}`,
  );
}
await trainer.close();
