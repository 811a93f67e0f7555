import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { badnets } from "../../src/attacks/poisoning/index.ts";
import { memorizedRows } from "../../src/audit/checks/memorized-rows.ts";
import { membershipInference } from "../../src/audit/checks/membership-inference.ts";
import { obeyedTrigger } from "../../src/audit/checks/obeyed-trigger.ts";
import { knownTriggerProbe } from "../../src/audit/probes/known-trigger.ts";
import { memorizationScoreProbe } from "../../src/audit/probes/memorization-score.ts";
import { membershipProbe } from "../../src/audit/probes/membership.ts";
import type { AuditSubject } from "../../src/audit/probe.ts";
import { asImages } from "../../src/audit/train-model.ts";
import type { RunContext } from "../../src/context.ts";
import {
  drawDigits,
  makeAnimals,
  makeTransactions,
  openDataset,
  take,
  csvText,
  type Dataset,
} from "../../src/data/index.ts";
import { detect } from "../../src/defenses/data/index.ts";
import { ortEngine } from "../../src/engine/ort-node.ts";
import { defaultsOf } from "../../src/options.ts";
import { seeded } from "../../src/random/index.ts";
import { auc } from "../../src/stats/index.ts";
import { openOnnxTarget } from "../../src/target/index.ts";
import { makeTrainer, type TrainedModel } from "../../src/train/index.ts";

// What the README promises, at fixed seeds, with the project's own data, trainer and engine.
const folder = mkdtempSync(join(tmpdir(), "marauder-promises-"));
const trainer = makeTrainer(ortEngine);
afterAll(async () => {
  await trainer.close();
  rmSync(folder, { recursive: true, force: true });
});
const context = (seed = 1): RunContext => ({
  rng: seeded(seed),
  signal: new AbortController().signal,
  step: () => undefined,
});
const base = { schema: 1, id: "e", subject: "s", seed: 0, options: {}, seconds: 1, queries: 0, gradients: 0 } as const;
async function csv(name: string, text: string, options: object): Promise<Dataset> {
  writeFileSync(join(folder, name), text);
  return openDataset(join(folder, name), options);
}
const subjectOf = (given: Partial<AuditSubject>): AuditSubject =>
  ({
    id: "s",
    target: null,
    model: null,
    bounds: { low: 0, high: 255 },
    train: null,
    members: null,
    nonMembers: null,
    triggered: null,
    arch: "mlp",
    trainer,
    ...given,
  }) as AuditSubject;

test("the duck-billed platypus is the most memorized animal", { timeout: 60_000 }, async () => {
  const animals = await csv("animals.csv", csvText(makeAnimals()), { label: "eggs", id: "animal", ignore: ["kind"] });
  const options = { ...defaultsOf(memorizationScoreProbe.options), subsets: 60 };
  const found = await memorizationScoreProbe.run(context(), subjectOf({ train: animals, test: animals }), options);
  const j = memorizedRows.judge([{ ...base, probe: "memorization-score", ...found }]);
  expect(j.outcome).toBe("fail");
  expect(j.headline).toContain('"duck-billed platypus"');
  const top = j.measures.find((m) => m.name === "highest memorization score")!.value as { value: number; low: number };
  expect(top.value).toBeGreaterThan(0.4);
  expect(top.low).toBeGreaterThan(0.25);
});

/** Trains on the rows, and says how many of them the detector flags against trusted rows. */
async function flagged(data: Dataset, reference: Dataset, model: TrainedModel): Promise<Set<number>> {
  const { detection } = await detect(data, { detector: "spectral-signatures", reference, model }, context());
  return new Set(detection.flagged.map((f) => f.row));
}

test(
  "a backdoor at 1 % of the drawn digits succeeds on more than 90 % and is found; on clean digits nothing is",
  { timeout: 120_000 },
  async () => {
    const rng = seeded(11);
    const clean = asImages(drawDigits(3000, rng.child("train"), { prefix: "a" }));
    const fresh = asImages(drawDigits(1000, rng.child("test"), { prefix: "b" }));
    const trusted = asImages(drawDigits(2000, rng.child("trusted"), { prefix: "c" }));
    const planted = await badnets.run(
      context(),
      { data: clean, bounds: { low: 0, high: 255 } },
      { ...defaultsOf(badnets.options), target: 7, fraction: 0.01 },
    );
    expect(planted.rows).toHaveLength(30);

    const poisoned = await trainer(planted.data, { arch: "cnn" }, context(2));
    const target = await openOnnxTarget(poisoned.model, { engine: ortEngine, bounds: { low: 0, high: 255 } });
    const subject = subjectOf({ target, test: fresh, triggered: { data: planted.plant(fresh), target: 7 } });
    expect(knownTriggerProbe.applies(subject, {})).toBeNull();
    const seen = await knownTriggerProbe.run(context(), subject, {});
    expect(seen.obeyed / seen.rows).toBeGreaterThan(0.9);
    expect(seen.without / seen.rows).toBeLessThan(0.02);
    expect(seen.cleanCorrect / seen.cleanRows).toBeGreaterThan(0.95);
    expect(obeyedTrigger.judge([{ ...base, probe: "known-trigger", ...seen }])).toMatchObject({
      outcome: "fail",
      severity: "critical",
    });
    const found = await flagged(planted.data, trusted, poisoned);
    expect(planted.rows.filter((row) => !found.has(row))).toEqual([]);
    expect(found.size).toBeLessThanOrEqual(60);
    await target.close();
    await poisoned.close();

    // The detector's stated false-alarm rate is 1 % for each data set (alpha 0.01): at a fixed seed, nothing.
    const honest = await trainer(clean, { arch: "cnn" }, context(3));
    expect((await flagged(clean, trusted, honest)).size).toBe(0);
    await honest.close();
  },
);

test("the fraud model of the card transactions ranks fraud well, but not perfectly", { timeout: 60_000 }, async () => {
  const all = await csv("payments.csv", csvText(makeTransactions(8000, seeded(5))), {
    label: "fraud",
    id: "id",
    groups: ["region"],
  });
  const rows = Array.from({ length: 8000 }, (_, i) => i);
  const model = await trainer(take(all, rows.slice(0, 6000)), { arch: "mlp" }, context());
  const fresh = take(all, rows.slice(6000));
  const z = await model.logits(fresh);
  const yes = all.classNames.indexOf("yes");
  const score = (fraud: boolean): number[] =>
    rows
      .slice(0, 2000)
      .flatMap((i) => ((fresh.labels![i] === yes) === fraud ? [z[2 * i + yes]! - z[2 * i + 1 - yes]!] : []));
  const area = auc(score(true), score(false)).value;
  // Three in ten thieves behave like the customer in all but the pace, so nobody ranks them well: 0.88 was measured.
  expect(area).toBeGreaterThan(0.84);
  expect(area).toBeLessThan(0.97);
  await model.close();
});

test(
  "members of an overfitted model are told from others; of a model with no way to overfit they are not",
  { timeout: 60_000 },
  async () => {
    const digits = asImages(drawDigits(1600, seeded(12), { prefix: "m" }));
    const rows = Array.from({ length: 1600 }, (_, i) => i);
    const [members, nonMembers] = [take(digits, rows.slice(0, 800)), take(digits, rows.slice(800))];
    // Labels without rhyme or reason: all that can be learned of them is learned by heart.
    const noise = seeded(13);
    const drawn = (data: Dataset): Dataset => ({ ...data, labels: data.labels!.map(() => noise.int(10)) });
    const [inside, outside] = [drawn(members), drawn(nonMembers)];
    const judge = async (train: Dataset, epochs: number) => {
      const model = await trainer(train, { arch: "mlp", epochs }, context());
      const target = await openOnnxTarget(model.model, { engine: ortEngine, bounds: { low: 0, high: 255 } });
      const subject = subjectOf({ target, test: outside, members: inside, nonMembers: outside });
      const found = await membershipProbe.run(context(), subject, { samples: 800 });
      await target.close();
      await model.close();
      return membershipInference.judge([{ ...base, probe: "membership", ...found }]);
    };
    expect(await judge(inside, 60)).toMatchObject({ outcome: "fail", severity: "high" });
    // Trained on other rows altogether, the model knows neither side.
    expect((await judge(drawn(asImages(drawDigits(800, seeded(14), { prefix: "z" }))), 5)).outcome).not.toBe("fail");
  },
);
